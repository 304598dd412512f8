"""Countries and block lists in the kernel of a machine of its own: whose packets are dropped, and whose are not."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.lives.network import Host, Network
from tests.lives.test_kernel import reaches, tables

from portward.config.values import Address
from portward.defense.geo.borders import Borders
from portward.defense.geo.rules import GATEWAY
from portward.defense.walls import Bounds, KernelWalls
from portward.host.nftables import Nftables

PORT, OTHER = 8443, 22


class Kernel:
    """Walls of a gateway with one port, and what is told to them."""

    def __init__(self, gate: Host, directory: Path) -> None:
        self.gate, self.directory = gate, directory
        listener = Address(f":{PORT}")
        self.bounds = Bounds(wanted=True, passing=(), listed=[listener], abroad=[listener])
        self.nft = Nftables()
        self.walls = KernelWalls(self.nft, lambda: self.bounds)

    def list(self, *networks: str) -> Path:
        path = self.directory / "listed.map"
        new = path.with_suffix(".new")
        new.write_text("".join(f"{network} drop\n" for network in networks))
        return new.replace(path)

    def borders(self, elsewhere: str, **words: str) -> Borders:
        """A rule of the gateway that refuses `b`."""
        path = self.directory / "borders.map"
        path.write_text("".join(f"{network} {word}\n" for word, all_ in words.items() for network in all_.split()))
        return Borders(path, elsewhere, {"a": (), "b": (GATEWAY,)}, {})

    def counted(self) -> dict[str, int]:
        told = json.loads(self.gate.run("nft", "-j", "list", "counters", "table", "inet", "portward-walls"))
        return {one["counter"]["name"]: one["counter"]["packets"] for one in told["nftables"] if "counter" in one}

    def live(self, story: Callable[[], Awaitable[None]]) -> None:
        async def told() -> None:
            await story()
            await self.walls.end()
            self.nft.release()
            assert "portward-walls" not in tables(self.gate)

        with self.gate.inside():
            asyncio.run(told())


@pytest.fixture
def kernel(network: Network, tmp_path: Path) -> Kernel:
    number = len(network.hosts) + 1
    return Kernel(network.host(f"45.90.0.{number}", f"2a0e:b107::{number}"), tmp_path)


def test_who_is_on_a_list_is_dropped_and_counted_at_the_gateways_ports_alone(network: Network, kernel: Kernel) -> None:
    mallory, ann = network.host("91.8.1.1", "2a0e:8:1:1::1"), network.host("91.8.2.1", "2a0e:8:1:2::1")

    async def story() -> None:
        await kernel.walls.refuse_listed(kernel.list("91.8.1.0/24", "2a0e:8:1:1::/64"))
        assert kernel.walls.on
        assert not reaches(mallory, kernel.gate, PORT)
        assert not reaches(mallory, kernel.gate, PORT, ipv6=True)
        assert kernel.counted()["listed"] >= 2
        assert await kernel.walls.dropped() == kernel.counted()
        assert reaches(mallory, kernel.gate, OTHER)
        assert reaches(ann, kernel.gate, PORT)
        assert reaches(ann, kernel.gate, PORT, ipv6=True)
        await kernel.walls.refuse_listed(kernel.list())
        assert not kernel.walls.on
        assert "portward-walls" not in tables(kernel.gate)
        assert reaches(mallory, kernel.gate, PORT)

    kernel.live(story)


def test_a_denied_country_is_dropped_but_not_an_owner_who_is_logged_in(network: Network, kernel: Kernel) -> None:
    far, owner = network.host("101.8.1.1"), network.host("101.8.1.2")

    async def story() -> None:
        borders = kernel.borders("a", b="101.8.0.0/16")
        await kernel.walls.refuse_abroad(borders, ["101.8.1.2/32"])
        assert not reaches(far, kernel.gate, PORT)
        assert reaches(owner, kernel.gate, PORT)
        assert reaches(far, kernel.gate, OTHER)
        assert set(await kernel.walls.dropped()) == {"listed", "abroad"}
        assert kernel.counted()["abroad"] >= 1
        await kernel.walls.refuse_abroad(borders, [])
        assert not reaches(owner, kernel.gate, PORT)

    kernel.live(story)


def test_where_only_some_may_come_everybody_else_is_dropped(network: Network, kernel: Kernel) -> None:
    home, far = network.host("91.8.3.1"), network.host("5.8.3.1", "240e:8::1")

    async def story() -> None:
        await kernel.walls.refuse_abroad(kernel.borders("b", a="91.8.0.0/16"), [])
        assert reaches(home, kernel.gate, PORT)
        assert not reaches(far, kernel.gate, PORT)
        assert not reaches(far, kernel.gate, PORT, ipv6=True)

    kernel.live(story)


def test_the_allowlist_and_trusted_proxies_come_first(network: Network, kernel: Kernel) -> None:
    proxy, far = network.host("103.8.1.1"), network.host("103.8.1.2")

    async def story() -> None:
        await kernel.walls.refuse_listed(kernel.list("103.8.0.0/16"))
        await kernel.walls.refuse_abroad(kernel.borders("b"), [])
        kernel.bounds = replace(kernel.bounds, passing=[ip_network("103.8.1.1"), ip_network("103.8.1.0/31")])
        before = kernel.counted()
        await kernel.walls.follow()
        assert reaches(proxy, kernel.gate, PORT)
        assert not reaches(far, kernel.gate, PORT)
        assert kernel.counted()["listed"] > before["listed"] == 0, "networks and counters stay"

    kernel.live(story)


def test_while_a_list_is_replaced_not_one_packet_slips_through(network: Network, kernel: Kernel) -> None:
    mallory, late = network.host("91.8.4.1"), network.host("91.8.5.1")
    others = [f"198.18.{a}.{b}" for a in range(100) for b in range(200)]

    async def story() -> None:
        await kernel.walls.refuse_listed(kernel.list("91.8.4.1", *others))
        replacing = asyncio.create_task(kernel.walls.refuse_listed(kernel.list("91.8.4.1", "91.8.5.1", *others)))
        tries = 0
        while not replacing.done() or tries < 3:
            assert not await asyncio.to_thread(reaches, mallory, kernel.gate, PORT)
            tries += 1
        await replacing
        assert not reaches(late, kernel.gate, PORT)

    kernel.live(story)


def test_a_table_that_somebody_flushed_is_made_again(network: Network, kernel: Kernel) -> None:
    mallory = network.host("91.8.6.1")

    async def story() -> None:
        await kernel.walls.refuse_listed(kernel.list("91.8.6.1"))
        assert await kernel.walls.look() == []
        kernel.gate.run("nft", "flush ruleset; add table ip theirs")
        assert reaches(mallory, kernel.gate, PORT)
        assert await kernel.walls.look() == ["the packet filter's table `inet portward-walls`"]
        assert not reaches(mallory, kernel.gate, PORT)

    kernel.live(story)
    assert tables(kernel.gate) == {"theirs"}


def test_what_an_earlier_life_left_goes_before_anything_is_wanted(kernel: Kernel) -> None:
    kernel.gate.run("nft", "add table inet portward-walls; add chain inet portward-walls entry")

    async def story() -> None:
        await kernel.walls.follow()
        assert tables(kernel.gate) == set()

    kernel.live(story)


def test_what_the_kernel_refuses_leaves_no_older_rule_behind_and_is_told(network: Network, kernel: Kernel) -> None:
    mallory = network.host("91.8.7.1")

    async def story() -> None:
        await kernel.walls.refuse_listed(kernel.list("91.8.7.1"))
        await kernel.walls.refuse_listed(kernel.list("not-a-network"))
        assert not kernel.walls.on
        assert "nft refused" in str(kernel.walls.trouble)
        assert "portward-walls" not in tables(kernel.gate)
        assert reaches(mallory, kernel.gate, PORT)

    kernel.live(story)
