"""The keeper's side of tunnels, with a real store, and a small stand-in for the SSH server's control socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portward.config import Settings
from portward.facts import TunnelClosed, TunnelOpened
from portward.host.notify import NotifySocket
from portward.host.paths import State
from portward.keeper.tunnelling import Tunnelling
from portward.model import Access, Account, Key
from portward.store import Store, migrate
from portward.tunnels.control import Control
from portward.tunnels.rules import read

START = datetime(2026, 1, 2, tzinfo=UTC)
PLAIN = Settings.model_validate({"domain": "example.com"})
ASKED = Settings.model_validate({"domain": "example.com", "tunnels": {"forget": "1h"}})
ANN = Key("laptop", "ann", "ssh-ed25519 AAAA", "SHA256:ann", publish=("ann-*",), created_at=START)
Story = Callable[["World"], Awaitable[None]]


@dataclass
class World:
    state: State
    store: Store
    tunnelling: Tunnelling
    inbox: NotifySocket
    now: datetime = START
    live: list[dict[str, Any]] = field(default_factory=list)

    def words(self) -> list[str]:
        """What the supervisor was told."""
        return [message["X_TUNNELS"] for message in self.inbox.messages() if "X_TUNNELS" in message]

    def opened(self, service: str, **more: Any) -> TunnelOpened:
        plain: dict[str, Any] = {"account": "ann", "key": "laptop", "made": True, "host": f"{service}.example.com"}
        return TunnelOpened(time=self.now, service=service, **{**plain, **more})

    def carried(self, settings: Settings = ASKED) -> list[str]:
        """Services over those of the file."""
        return list(self.tunnelling.over(settings).services)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert json.loads(await reader.readline()) == {"do": "list"}
        writer.write(json.dumps({"ok": self.live}).encode() + b"\n")
        writer.close()


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Story], None]:
    """Run a story in a world."""
    state = State(tmp_path)
    state.prepare()
    monkeypatch.setenv("NOTIFY_SOCKET", str(state.notify_socket))

    async def run(story: Story) -> None:
        async with world_of(state) as world:
            await story(world)

    return lambda story: asyncio.run(run(story))


@asynccontextmanager
async def world_of(state: State) -> AsyncIterator[World]:
    await migrate(state.database)
    async with Store.open(state.database) as store:
        if not await store.accounts.get("ann"):
            await store.accounts.add(Account("ann"))
        with NotifySocket(state.notify_socket) as inbox:
            tunnelling = Tunnelling(state, store, Control(state.tunnels_socket), lambda: world.now)
            world = World(state, store, tunnelling, inbox)
            await tunnelling.load()
            async with await asyncio.start_unix_server(world.serve, state.tunnels_socket):
                yield world


def live(service: str, **more: Any) -> dict[str, Any]:
    plain = {
        "id": "t1",
        "service": service,
        "host": "",
        "url": "",
        "kind": "http",
        "made": True,
        "key": "laptop",
        "account": "ann",
        "fingerprint": "SHA256:ann",
        "address": "192.0.2.7",
        "version": "",
        "bytes_in": 0,
        "bytes_out": 0,
        "requests": 0,
        "round_trip": None,
        "health": "up",
        "since": START.isoformat(),
    }
    return {**plain, **more}


def test_nothing_is_written_and_nothing_runs_where_nobody_asks(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(PLAIN)
        assert not world.state.tunnel_rules.exists()
        assert world.words() == ["unwanted"]
        assert (await world.tunnelling.report())["wanted"] is False

    told(story)


def test_a_first_key_wants_the_server_and_the_last_one_ends_it(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(PLAIN)
        await world.store.keys.add(ANN)
        await world.tunnelling.tell()
        assert [key.name for key in read(world.state.tunnel_rules.read_bytes()).keys] == ["laptop"]
        assert world.state.tunnel_rules.stat().st_mode & 0o777 == 0o600
        await world.store.keys.remove("laptop")
        await world.tunnelling.tell()
        assert not world.state.tunnel_rules.exists()
        assert world.words() == ["unwanted", "wanted", "unwanted"]

    told(story)


def test_rules_that_did_not_change_are_not_written_again(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        before = world.state.tunnel_rules.stat().st_ino
        await world.tunnelling.tell()
        assert world.state.tunnel_rules.stat().st_ino == before
        await world.tunnelling.follow(PLAIN.model_copy(update={"tunnels": ASKED.tunnels, "domain": "example.org"}))
        assert world.state.tunnel_rules.stat().st_ino != before

    told(story)


def test_a_service_made_on_the_spot_is_kept_and_asks_for_a_login(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        await world.tunnelling.hear([world.opened("ann-blog"), world.opened("declared", made=False)])
        assert world.carried() == ["ann-blog"]
        (route,) = world.tunnelling.over(ASKED).routes
        assert (route.host, route.access) == ("ann-blog.example.com", Access(members=True))
        assert world.tunnelling.source("ann-blog") == "key laptop of ann"
        await world.tunnelling.load()
        assert world.carried() == ["ann-blog"]

    told(story)


def test_a_new_service_is_published_at_once_and_a_known_one_not_again(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        published: asyncio.Queue[list[str]] = asyncio.Queue()

        async def publish() -> None:
            await published.put(world.carried())

        running = asyncio.create_task(world.tunnelling.run(publish))
        await world.tunnelling.follow(ASKED)
        await world.tunnelling.hear([world.opened("ann-blog")])
        assert await asyncio.wait_for(published.get(), 10) == ["ann-blog"]
        await world.tunnelling.hear([world.opened("ann-blog"), world.opened("ann-shop")])
        assert await asyncio.wait_for(published.get(), 10) == ["ann-blog", "ann-shop"]
        await world.tunnelling.hear([world.opened("ann-shop")])
        await asyncio.sleep(0)
        assert published.empty()
        running.cancel()

    told(story)


def test_what_the_file_says_comes_before_what_was_made_on_the_spot(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        await world.tunnelling.hear([world.opened("ann-blog"), world.opened("auth"), world.opened("shop")])
        services = {"ann-blog": {"upstream": "demo"}, "x": {"upstream": "demo", "host": "shop.example.com"}}
        settings = Settings.model_validate({"domain": "example.com", "services": services})
        await world.tunnelling.follow(settings)
        assert world.carried(settings) == ["ann-blog", "x"]
        assert str(world.tunnelling.over(settings).services["ann-blog"].upstream) == "demo"
        assert world.tunnelling.source("ann-blog") == "portward.toml"

    told(story)


def test_a_lost_event_is_made_up_for_by_asking(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        world.live = [live("ann-blog"), live("declared", made=False), live("eve-x", account="eve")]
        await world.tunnelling.reconcile()
        assert world.carried() == ["ann-blog"]  # eve's account is gone

    told(story)


def test_a_service_is_forgotten_when_no_tunnel_carried_it_for_long(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        await world.tunnelling.hear([world.opened("ann-old"), world.opened("ann-blog")])
        world.live = [live("ann-blog")]
        world.now += timedelta(minutes=50)
        closed = TunnelClosed(
            time=world.now, service="ann-old", account="ann", key="laptop", reason="client", made=True
        )
        await world.tunnelling.hear([closed])
        world.now += timedelta(minutes=50)
        await world.tunnelling.reconcile()
        assert world.carried() == ["ann-blog", "ann-old"]
        world.now += timedelta(minutes=11)
        await world.tunnelling.reconcile()
        assert world.carried() == ["ann-blog"]

    told(story)


def test_while_the_server_is_away_nothing_is_forgotten(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        await world.tunnelling.hear([world.opened("ann-blog")])
        world.state.tunnels_socket.unlink()
        world.now += timedelta(days=2)
        await world.tunnelling.reconcile()
        assert world.carried() == ["ann-blog"]
        assert (await world.tunnelling.report())["running"] is False

    told(story)


@pytest.mark.parametrize("name", ["", "Blog", "a b", "a\n", "a|b", "-a", "x" * 33])
def test_what_is_no_name_of_a_service_never_reaches_the_edge(told: Callable[[Story], None], name: str) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        world.live = [live(name)]
        await world.tunnelling.hear([world.opened(name)])
        await world.tunnelling.reconcile()
        assert world.carried() == []

    told(story)


def test_the_supervisor_is_told_again_and_again(told: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.tunnelling.follow(ASKED)
        world.state.tunnel_rules.unlink()
        await world.tunnelling.reconcile()
        assert world.state.tunnel_rules.exists()
        assert world.words() == ["wanted", "wanted"]

    told(story)
