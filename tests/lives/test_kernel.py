"""Bans in the kernel of a machine of its own: what is dropped, what is not, and what becomes of foreign tables."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from tests.lives.network import Host, Network
from tests.lives.waiting import wait_for

from portward.defense.kernel import KernelBans
from portward.host.nftables import Nftables
from portward.model import Ban, BanBrief

HOUR = timedelta(hours=1)


@dataclass
class Held:
    """A register in memory."""

    bans: list[BanBrief] = field(default_factory=list)

    async def count(self, now: datetime) -> int:
        return len(self.bans)

    async def pages(self, now: datetime) -> AsyncIterator[Sequence[BanBrief]]:
        if self.bans:
            yield self.bans


def clock() -> datetime:
    return datetime.now(UTC)


def ban(source: str, for_: timedelta | None = HOUR) -> BanBrief:
    return Ban(source, "test", "cli", clock(), clock() + for_ if for_ else None).brief


def reaches(visitor: Host, server: Host, port: int = 0, *, ipv6: bool = False) -> bool:
    """Whether a connection comes about, to a listener that is opened for it."""
    there = next(address for address in server.addresses if (":" in address) == ipv6)
    here = next(address for address in visitor.addresses if (":" in address) == ipv6)
    family = socket.AF_INET6 if ipv6 else socket.AF_INET
    with server.inside(), socket.create_server((there, port), family=family) as listener:
        port = listener.getsockname()[1]
        with visitor.inside(), suppress(TimeoutError), socket.create_connection((there, port), 0.3, (here, 0)):
            return True
    return False


def tables(host: Host) -> set[str]:
    listed = json.loads(host.run("nft", "-j", "list", "tables"))["nftables"]
    return {one["table"]["name"] for one in listed if "table" in one}


@pytest.fixture
def gate(network: Network) -> Host:
    return network.host(f"45.90.0.{len(network.hosts) + 1}", f"2a0e:b107::{len(network.hosts) + 1}")


def in_kernel(gate: Host, story: Any, register: Held | None = None, **follow: Any) -> None:
    async def told() -> None:
        kernel = KernelBans(Nftables())
        await kernel.follow(follow.pop("allowed", ()), **follow)
        await kernel.mend(register or Held(), clock())
        assert kernel.trouble is None
        assert kernel.on
        await story(kernel)
        await kernel.end()
        assert "portward" not in tables(gate)

    with gate.inside():
        asyncio.run(told())


def test_banned_sources_vanish_and_their_neighbours_do_not(network: Network, gate: Host) -> None:
    mallory, neighbour = network.host("91.7.7.7", "2a0e:1:2:3::7"), network.host("91.7.8.8", "2a0e:1:2:4::8")

    async def story(kernel: KernelBans) -> None:
        assert reaches(mallory, gate)
        await kernel.enforce([ban("91.7.7.7"), ban("2a0e:1:2:3::/64", None)])
        assert not reaches(mallory, gate)
        assert not reaches(mallory, gate, ipv6=True)
        assert reaches(neighbour, gate)
        assert reaches(neighbour, gate, ipv6=True)
        await kernel.lift(["91.7.7.7", "198.51.100.1", "203.0.113.0/29"])
        assert reaches(mallory, gate)
        await kernel.enforce([ban("91.7.0.0/16", None), ban("91.7.7.7")])
        assert not reaches(neighbour, gate)
        await kernel.lift(["91.7.0.0/16"])
        assert reaches(neighbour, gate)
        assert not reaches(mallory, gate)

    in_kernel(gate, story)


def test_a_ban_ends_by_itself_and_a_longer_one_takes_its_place(network: Network, gate: Host) -> None:
    short, longer = network.host("91.7.1.1"), network.host("91.7.1.2")

    async def story(kernel: KernelBans) -> None:
        await kernel.enforce([ban("91.7.1.1", timedelta(seconds=1)), ban("91.7.1.2", timedelta(seconds=1))])
        await kernel.enforce([ban("91.7.1.2", HOUR)])
        assert not reaches(short, gate)
        wait_for(lambda: reaches(short, gate), "the ban to end")
        assert not reaches(longer, gate)
        await kernel.enforce([ban("91.7.1.1")])
        assert not reaches(short, gate)

    in_kernel(gate, story)


def test_an_open_connection_falls_silent(network: Network, gate: Host) -> None:
    mallory = network.host("91.7.2.1")

    async def story(kernel: KernelBans) -> None:
        with gate.inside(), socket.create_server((gate.address, 0)) as listener:
            with mallory.inside():
                client = socket.create_connection((gate.address, listener.getsockname()[1]))
            with client, listener.accept()[0] as server:
                client.sendall(b"before")
                assert server.recv(9) == b"before"
                await kernel.enforce([ban("91.7.2.1")])
                client.sendall(b"after")
                server.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    server.recv(9)

    in_kernel(gate, story)


def test_the_allowlist_comes_first_and_counts_at_once(network: Network, gate: Host) -> None:
    friend, foe = network.host("91.7.3.1"), network.host("91.7.3.2")

    async def story(kernel: KernelBans) -> None:
        await kernel.enforce([ban("91.7.3.0/24")])
        assert not reaches(friend, gate)
        # Overlapping ones, which an interval set would refuse.
        await kernel.follow([ip_network("91.7.3.1"), ip_network("91.7.3.0/31"), ip_network("2a0e:1::/32")])
        assert reaches(friend, gate)
        assert not reaches(foe, gate)
        await kernel.follow([])
        assert not reaches(friend, gate)

    in_kernel(gate, story)


def test_where_the_edge_shows_a_page_its_ports_stay_open(network: Network, gate: Host) -> None:
    mallory = network.host("91.7.4.1")

    async def story(kernel: KernelBans) -> None:
        await kernel.enforce([ban("91.7.4.1")])
        assert reaches(mallory, gate, 443)
        assert not reaches(mallory, gate, 22)

    in_kernel(gate, story, pages=(443, 80))


def test_what_a_register_holds_is_in_force_from_the_first_moment(network: Network, gate: Host) -> None:
    mallory, late = network.host("91.7.5.1"), network.host("91.7.5.2")

    async def story(kernel: KernelBans) -> None:
        assert not reaches(mallory, gate)
        assert reaches(late, gate)

    in_kernel(gate, story, Held([ban("91.7.5.1"), ban("91.7.5.2", -timedelta(seconds=5))]))


def test_a_table_that_somebody_flushed_is_made_again_and_no_other_is_touched(network: Network, gate: Host) -> None:
    mallory = network.host("91.7.6.1")
    register = Held([ban("91.7.6.1")])

    async def story(kernel: KernelBans) -> None:
        assert await kernel.mend(register, clock()) == []
        gate.run(
            "nft",
            "flush ruleset; add table ip theirs; add chain ip theirs INPUT { type filter hook input priority 0; }",
        )
        assert reaches(mallory, gate)
        assert await kernel.mend(register, clock()) == ["the packet filter's table `inet portward`"]
        assert not reaches(mallory, gate)
        assert await kernel.mend(register, clock()) == []
        gate.run("nft", "flush chain inet portward bans")
        mended = [await kernel.mend(register, clock()) for _ in range(25)]
        assert [what for what in mended if what] == [["the packet filter's table `inet portward`"]]
        assert not reaches(mallory, gate)
        assert tables(gate) == {"portward", "theirs"}

    in_kernel(gate, story, register)
    assert tables(gate) == {"theirs"}


def test_what_an_earlier_life_left_is_in_force_until_the_new_one_has_all(network: Network, gate: Host) -> None:
    mallory, freed = network.host("91.7.6.3"), network.host("91.7.6.4")
    first = KernelBans(Nftables())

    class Slow(Held):
        async def pages(self, now: datetime) -> AsyncIterator[Sequence[BanBrief]]:
            yield [ban("198.18.0.0/24")]
            assert not reaches(mallory, gate)
            yield self.bans
            assert not reaches(freed, gate)

    async def story(kernel: KernelBans) -> None:
        assert not reaches(mallory, gate)
        assert reaches(freed, gate)
        await kernel.enforce([ban("91.7.6.4")])
        assert not reaches(freed, gate)
        assert gate.run("nft", "list", "sets").count("flags timeout") == 2, "what was left is gone"
        assert gate.run("nft", "list", "sets").count("gc-interval 10m") == 2, "it looks through all each second"

    async def earlier() -> None:
        await first.follow([])
        await first.mend(Held([ban("91.7.6.3"), ban("91.7.6.4")]), clock())
        first.nft.release()

    with gate.inside():
        asyncio.run(earlier())
    in_kernel(gate, story, Slow([ban("91.7.6.3")]))


def test_a_ban_until_the_end_of_time_does_not_hold_up_the_others(network: Network, gate: Host) -> None:
    mallory = network.host("91.7.6.5")

    async def story(kernel: KernelBans) -> None:
        far = datetime(9999, 12, 31, tzinfo=UTC)
        await kernel.enforce([ban("91.7.6.5"), Ban("91.7.6.6", "test", "cli", clock(), far).brief])
        assert kernel.trouble is None
        assert not reaches(mallory, gate)

    in_kernel(gate, story)


def test_a_second_gateway_of_a_machine_leaves_the_table_of_the_first_alone(network: Network, gate: Host) -> None:
    mallory = network.host("91.7.6.2")

    async def story(kernel: KernelBans) -> None:
        await kernel.enforce([ban("91.7.6.2")])
        second = KernelBans(Nftables())
        await second.follow([])
        await second.mend(Held(), clock())
        assert "another Portward" in str(second.trouble)
        await second.end()
        assert not reaches(mallory, gate)

    in_kernel(gate, story)


def test_without_the_right_it_says_so_and_how_to_give_it(gate: Host) -> None:
    program = (
        "import asyncio, datetime; from tests.lives.test_kernel import *\n"
        "async def told():\n"
        "  kernel = KernelBans(Nftables()); await kernel.follow([]); await kernel.mend(Held(), clock())\n"
        "  await kernel.enforce([ban('91.7.7.7')]); await kernel.lift(['91.7.7.7']); await kernel.end()\n"
        "  print(kernel.on, kernel.trouble)\n"
        "asyncio.run(told())"
    )
    import sys

    said = gate.run(
        "setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin", sys.executable, "-c", program
    )
    assert said.startswith("False the right to change the packet filter (CAP_NET_ADMIN) is missing")
    assert "`portward install`" in said
