"""Where comparing every line with HAProxy takes long, the gate counts lines; a wrong number makes it compare."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for

from portward.edge.certificates import ShownCertificates
from portward.edge.devices import DeviceGuard
from portward.edge.engine import find_engine
from portward.edge.gate import Gate, Register
from portward.edge.mapfile import MapFile
from portward.edge.publisher import Publisher
from portward.edge.render import map_file
from portward.edge.runtime import Runtime
from portward.host.paths import State
from portward.model import Account, EdgeSession

LATER = datetime.now(UTC) + timedelta(days=1)
MAPS = ("sessions", "accounts", "grants", "streams")


@pytest.fixture
def state() -> Iterator[State]:
    with short_directory() as directory:
        state = State(Path(directory) / "s")
        state.prepare()
        for name in MAPS:
            MapFile(map_file(state, name)).begin()
        rules = "\n".join(
            f"  http-request deny if {{ path,map_str({map_file(state, name)}) -m found }}" for name in MAPS
        )
        state.haproxy_cfg.write_text(
            f"global\n  setenv PORTWARD_PLAN test\n  stats socket {state.edge_socket} mode 600 level admin\n"
            "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n"
            f"frontend one\n  bind unix@{directory}/one\n{rules}\n"
        )
        master = f"{state.master_socket},mode,600"
        edge = subprocess.Popen([find_engine().path, "-W", "-q", "-S", master, "-f", state.haproxy_cfg])
        try:
            wait_for(lambda: state.edge_socket.exists() and state.master_socket.exists(), "HAProxy's sockets")
            yield state
        finally:
            edge.terminate()
            edge.wait(10)


class World:
    """A gate whose register takes long to read, and counts how often it is."""

    def __init__(self, state: State, keys: Sequence[str]) -> None:
        self.runtime = Runtime(state.edge_socket, state.master_socket)
        publisher = Publisher(state, find_engine(), self.runtime, ShownCertificates(self.runtime, state))
        self.gate = Gate(state, self.runtime, publisher, DeviceGuard(state, self.runtime, publisher))
        self.path, self.readings = map_file(state, "sessions"), 0
        self.sessions = {key: session(key) for key in keys}

    async def accounts(self) -> list[Account]:
        self.readings += 1
        await asyncio.sleep(0.1)
        return [Account("ann")]

    async def live(self) -> list[EdgeSession]:
        return list(self.sessions.values())

    async def admit(self, key: str) -> None:
        self.sessions[key] = session(key)
        await self.gate.admit([session(key)])

    async def expel(self, key: str) -> None:
        del self.sessions[key]
        await self.gate.expel([key, "never-there"], [])


def session(key: str) -> EdgeSession:
    return EdgeSession(key, "ann", f"of-{key}", LATER, None)


@pytest.fixture
def world(state: State) -> World:
    return World(state, ["A1", "B2", "C3"])


def live(world: World, story: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        await world.gate.load(Register(world.accounts, world.live), [])
        await story(world)

    asyncio.run(whole())


def test_nothing_is_compared_while_the_numbers_are_right(world: World) -> None:
    async def story(world: World) -> None:
        await world.admit("D4")
        await world.gate.renew([session("D4")])
        await world.expel("A1")
        assert await world.gate.mend() == []
        assert world.readings == 1

    live(world, story)


def test_whoever_asks_for_it_has_every_line_compared(world: World) -> None:
    async def story(world: World) -> None:
        there = (await world.runtime.ask(f"get map {world.path} B2")).split('value="')[1].split('"')[0]
        await world.runtime.ask(f"set map {world.path} B2 1|mallory|x|0")
        assert await world.gate.mend() == []
        assert await world.gate.mend(thoroughly=True) == ["1 lines of sessions.map"]
        assert there in await world.runtime.ask(f"get map {world.path} B2")

    live(world, story)


def test_a_line_that_was_lost_is_put_back_at_the_next_mending(world: World) -> None:
    async def story(world: World) -> None:
        await world.runtime.ask(f"del map {world.path} B2")
        assert await world.gate.mend() == ["1 lines of sessions.map"]
        assert world.readings == 2
        assert "found=yes" in await world.runtime.ask(f"get map {world.path} B2")

    live(world, story)


def test_a_file_that_was_lost_is_written_again(world: World) -> None:
    async def story(world: World) -> None:
        world.path.unlink()
        assert await world.gate.mend() == []
        assert "B2 " in world.path.read_text()

    live(world, story)
