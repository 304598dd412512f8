"""Servers come and go in HAProxy's memory, and go only when nobody can be waiting for them."""

import asyncio
from typing import cast

from portward.edge.plan import Server
from portward.edge.runtime import Runtime
from portward.edge.servers import REST, Servers

_ROW = "4 services {number} {name} 127.0.0.1 2 {admin} 0 0 9 1 0 0 0 0 0 0 - 8000 - 0 0 - - 0"


class FakeRuntime:
    """HAProxy's memory as far as servers go: name -> forced into maintenance."""

    def __init__(self, **servers: bool) -> None:
        self.servers = {name.replace("_", "-"): resting for name, resting in servers.items()}
        self.commands: list[str] = []

    async def ask(self, command: str) -> str:
        if command == "show servers state":
            rows = enumerate(self.servers.items(), start=1)
            return "1\n# be_id\n" + "\n".join(
                _ROW.format(number=number, name=name, admin=int(resting)) for number, (name, resting) in rows
            )
        self.commands.append(command)
        self.servers.pop(command.rpartition("/")[2])
        return "Server deleted."

    async def order(self, command: str) -> None:
        self.commands.append(command)
        match command.split():
            case ["add", "server", name, *_]:
                self.servers[name.partition("/")[2]] = True
            case ["set", "server", name, "state", state]:
                self.servers[name.partition("/")[2]] = state == "maint"


def servers(runtime: FakeRuntime, times: list[float] | None = None) -> Servers:
    clock = iter(times or [0.0] * 20)
    return Servers(cast("Runtime", runtime), lambda: next(clock))


def wanted(*names: str) -> dict[str, Server]:
    return {name: Server(name, "services", "127.0.0.1:8000", "") for name in names}


def test_a_missing_server_is_added_and_woken() -> None:
    runtime = FakeRuntime()
    assert asyncio.run(servers(runtime).add_missing(wanted("wiki-1"))) == ["the server wiki-1"]
    assert runtime.servers == {"wiki-1": False}


def test_a_server_that_is_as_it_should_be_is_left_alone() -> None:
    runtime = FakeRuntime(wiki_1=False)
    assert asyncio.run(servers(runtime).add_missing(wanted("wiki-1"))) == []
    assert asyncio.run(servers(runtime).retire_surplus(wanted("wiki-1"))) == []
    assert runtime.commands == []


def test_a_server_with_another_address_is_moved() -> None:
    runtime = FakeRuntime(wiki_1=False)
    moved = {"wiki-1": Server("wiki-1", "services", "[::1]:8000", "")}
    assert asyncio.run(servers(runtime).add_missing(moved)) == ["the address of wiki-1"]
    assert runtime.commands == ["set server services/wiki-1 addr ::1 port 8000"]


def test_a_surplus_server_rests_before_it_is_deleted() -> None:
    runtime = FakeRuntime(wiki_1=False)
    retiring = servers(runtime, [100.0, 100.0, 100.0 + REST, 100.0, 101.0 + REST, 100.0])

    async def retire_three_times() -> list[list[str]]:
        return [await retiring.retire_surplus(wanted("wiki-2")) for _ in range(3)]

    assert asyncio.run(retire_three_times()) == [["the surplus server wiki-1"], [], []]
    assert runtime.commands == ["set server services/wiki-1 state maint", "del server services/wiki-1"]


def test_a_resting_server_that_is_wanted_again_is_woken() -> None:
    runtime = FakeRuntime(wiki_1=True)
    assert asyncio.run(servers(runtime).add_missing(wanted("wiki-1"))) == []
    assert runtime.servers == {"wiki-1": False}


def test_streams_of_a_server_whose_route_is_gone_are_cut() -> None:
    runtime = FakeRuntime(wiki_1=False)
    asyncio.run(servers(runtime).retire_surplus(wanted("shop-1")))
    assert "shutdown sessions server services/wiki-1" in runtime.commands
