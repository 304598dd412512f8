"""Who is banned meets no SSH server either, and is cut while connected; whom the rules allow comes in all the same."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.lives.places import short_directory
from tests.lives.sshd.clients import Client
from tests.lives.sshd.server import TunnelServer
from tests.lives.waiting import wait_for

from portward.model import Ban, BanBrief
from portward.tunnels.bans import SshBans
from portward.tunnels.rules import ServiceRule


@pytest.fixture(scope="module")
def server() -> Iterator[TunnelServer]:
    with (
        short_directory() as directory,
        TunnelServer(directory, {"ann": {"publish": ("blog",)}}, (ServiceRule(name="blog"),)) as running,
    ):
        yield running


def _greets(server: TunnelServer, source: str) -> bool:
    """Whether an address gets as far as the server's first words."""
    with socket.create_connection((server.address, server.port), 20, (source, 0)) as connection:
        try:
            return connection.recv(255).startswith(b"SSH-2.0-")
        except ConnectionResetError:
            return False


def test_a_banned_network_is_refused_until_it_is_lifted_and_others_are_not(server: TunnelServer) -> None:
    asyncio.run(server.control.ban({"127.7.0.0/16": 0, "2001:db8::/64": 0}))
    assert not _greets(server, "127.7.1.1")
    assert _greets(server, "127.8.1.1")
    assert server.wait_for_fact("KeyRefused", why="banned", address="127.7.1.1")
    assert asyncio.run(server.control.bans()) == {"127.7.0.0/16": 0, "2001:db8::/64": 0}
    asyncio.run(server.control.lift(["127.7.0.0/16", "2001:db8::/64", "192.0.2.1"]))
    assert _greets(server, "127.7.1.1")
    assert asyncio.run(server.control.bans()) == {}


def test_a_ban_ends_by_itself_while_the_keeper_is_away(server: TunnelServer) -> None:
    asyncio.run(server.control.ban({"127.7.1.1": int(time.time()) + 3}))
    assert not _greets(server, "127.7.1.1")
    wait_for(lambda: _greets(server, "127.7.1.1"), "the ban to end")
    asyncio.run(server.control.lift(["127.7.1.1"]))


def test_a_banned_source_loses_the_tunnel_that_it_has(server: TunnelServer) -> None:
    with Client("openssh", server, "ann", ["blog:80:127.0.0.1:1"]):
        server.wait_for_tunnels(1)
        asyncio.run(server.control.ban({"127.0.0.1": 0}))
        server.wait_for_tunnels(0)
        asyncio.run(server.control.lift(["127.0.0.1"]))


def test_who_is_allowed_stays_and_comes_in_all_the_same(server: TunnelServer) -> None:
    server.write(policy=replace(server.rules.policy, allow=("127.7.0.0/16",)))
    asyncio.run(server.control.ban({"127.7.1.1": 0, "127.8.1.1": 0}))
    wait_for(lambda: _greets(server, "127.7.1.1"), "the rules to be read")
    assert not _greets(server, "127.8.1.1")
    asyncio.run(server.control.lift(["127.7.1.1", "127.8.1.1"]))


def test_who_is_on_a_block_list_is_refused_unless_the_rules_allow_it(server: TunnelServer) -> None:
    server.write(policy=replace(server.rules.policy, allow=()))
    server.state.listed.write_text("# lists\n127.6.0.0/16 drop\n127.7.0.0/16 drop\n")
    wait_for(lambda: not _greets(server, "127.7.1.1"), "the rules to be read")
    assert not _greets(server, "127.6.255.255")
    assert _greets(server, "127.8.1.1")
    server.write(policy=replace(server.rules.policy, allow=("127.7.0.0/16",)))
    wait_for(lambda: _greets(server, "127.7.1.1"), "the rules to be read")
    server.state.listed.unlink()
    assert _greets(server, "127.6.1.1")


def test_a_hundred_thousand_are_told_at_once_and_told_back(server: TunnelServer) -> None:
    many = {f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}": 0 for n in range(100_000)}
    asyncio.run(server.control.ban(many))
    assert asyncio.run(server.control.count_bans()) == len(many)
    assert asyncio.run(server.control.bans()) == many
    assert _greets(server, "127.0.0.1")
    asyncio.run(server.control.lift(list(many)))
    assert asyncio.run(server.control.bans()) == {}


class Held:
    """What the ledger would say."""

    def __init__(self, *sources: str) -> None:
        self.bans = [Ban(source, "login", "detector", since=datetime.now(UTC)).brief for source in sources]

    async def count(self, now: datetime) -> int:
        return len(self.bans)

    async def pages(self, now: datetime) -> AsyncIterator[Sequence[BanBrief]]:
        for ban in self.bans:
            yield [ban]


def test_a_server_that_was_restarted_is_told_again_and_forgets_what_is_lifted(server: TunnelServer) -> None:
    bans, now = SshBans(server.control, lambda: True), datetime.now(UTC)
    held = Held("127.9.1.1", "127.9.1.2")
    asyncio.run(bans.enforce(held.bans))
    server.stop()
    server.start()
    assert _greets(server, "127.9.1.1")
    assert asyncio.run(bans.mend(held, now)) == ["the bans of the SSH server"]
    assert not _greets(server, "127.9.1.1")
    assert asyncio.run(bans.mend(held, now)) == []
    assert asyncio.run(bans.mend(Held("127.9.1.2"), now)) == ["the bans of the SSH server"]
    assert _greets(server, "127.9.1.1")
    asyncio.run(bans.lift(["127.9.1.2"]))
    assert _greets(server, "127.9.1.2")


def test_a_server_that_starts_knows_what_the_edges_file_says_before_its_first_connection(server: TunnelServer) -> None:
    server.stop()
    server.state.banned.write_text(
        "# a head\n127.9.2.0/24 4102444800|login|d\n127.9.3.1 1|over\n#27.9.4.1 4102444800|lifted\n"
    )
    server.start()
    assert not _greets(server, "127.9.2.7")
    assert all(_greets(server, address) for address in ("127.9.3.1", "127.9.4.1"))
    server.state.banned.unlink()
    asyncio.run(server.control.lift(["127.9.2.0/24"]))


def test_a_server_that_is_away_is_no_error(server: TunnelServer) -> None:
    bans, held = SshBans(server.control, lambda: True), Held("127.9.1.1")
    server.stop()
    asyncio.run(bans.enforce(held.bans))
    asyncio.run(bans.lift(["127.9.1.1"]))
    assert asyncio.run(bans.mend(held, datetime.now(UTC))) == []
    server.start()
