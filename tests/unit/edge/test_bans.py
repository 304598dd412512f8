"""The map of bans where HAProxy does not run: its file is what the next start reads."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portward.edge.bans import EdgeBans
from portward.edge.certificates import ShownCertificates
from portward.edge.engine import find_engine
from portward.edge.publisher import Publisher
from portward.edge.render import FOR_GOOD, map_file
from portward.edge.runtime import Runtime
from portward.host.paths import State
from portward.model import Ban, BanBrief

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = int((NOW + timedelta(hours=1)).timestamp())


class Held:
    def __init__(self, *bans: BanBrief) -> None:
        self.bans = bans

    async def count(self, now: datetime) -> int:
        return len(self.bans)

    async def pages(self, now: datetime) -> AsyncIterator[Sequence[BanBrief]]:
        for ban in self.bans:
            yield [ban]


class Edge:
    def __init__(self, directory: Path) -> None:
        self.state = State(directory / "state")
        self.state.prepare()
        runtime = Runtime(self.state.edge_socket, self.state.master_socket)
        publisher = Publisher(self.state, find_engine(), runtime, ShownCertificates(runtime, self.state))
        self.bans = EdgeBans(self.state, runtime, publisher, lambda: ())

    def mend(self, *bans: BanBrief) -> list[str]:
        return asyncio.run(self.bans.mend(Held(*bans), NOW))

    def lines(self) -> list[str]:
        return [line for line in self.state.banned.read_text().splitlines() if not line.startswith("#")]


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def ban(source: str, reason: str = "login", by: str = "detector") -> BanBrief:
    return Ban(source, reason, by, NOW, NOW + timedelta(hours=1)).brief


def test_a_start_takes_out_what_an_earlier_life_left_also_where_no_ban_is_left(edge: Edge) -> None:
    edge.state.banned.write_text("203.0.113.7 4102444800|login|d\n")
    edge.mend()
    assert edge.lines() == []


def test_a_start_keeps_exactly_what_holds(edge: Edge) -> None:
    edge.state.banned.write_text("203.0.113.7 4102444800|login|d\n203.0.113.8 4102444800|login|d\n")
    edge.mend(ban("203.0.113.7"), BanBrief("2001:db8::/64", 0, "x <b> y", "cli"))
    assert edge.lines() == [f"203.0.113.7 {END}|login|d", f"2001:db8::/64 {FOR_GOOD}|x%20b%20y"]
    assert edge.mend(ban("203.0.113.7"), BanBrief("2001:db8::/64", 0, "x <b> y", "cli")) == []


@pytest.mark.parametrize("many", [3, 300])
def test_who_is_banned_anew_has_one_line_and_who_is_lifted_none(edge: Edge, many: int) -> None:
    sources = [f"203.0.{number // 250}.{number % 250}" for number in range(many)]
    edge.state.edge.mkdir(exist_ok=True)
    asyncio.run(edge.bans.enforce([ban(source, "first") for source in [*sources, "198.51.100.1"]]))
    asyncio.run(edge.bans.enforce([ban(source, "second") for source in sources]))
    assert set(edge.lines()) == {f"198.51.100.1 {END}|first|d", *(f"{source} {END}|second|d" for source in sources)}
    asyncio.run(edge.bans.lift(sources))
    assert edge.lines() == [f"198.51.100.1 {END}|first|d"]


def test_the_ssh_server_reads_the_same_file(edge: Edge) -> None:
    assert edge.state.banned == map_file(edge.state, "bans")
