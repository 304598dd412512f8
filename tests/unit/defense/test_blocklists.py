"""Subscribed lists: taken when they are good, kept when the new one is bad, in force at every wall."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.defense.lists.publisher import Publisher

from portward.config.blocklists import BlockList
from portward.defense.blocklists import Blocklists
from portward.errors import NotFound
from portward.facts import BlocklistFailed, BlocklistRefreshed, Fact

MANY = b"".join(b"198.51.100.%d\n" % number for number in range(0, 200, 2))


@dataclass
class World:
    directory: Path
    wanted: list[BlockList]
    now: datetime = datetime(2026, 11, 20, tzinfo=UTC)
    exempt: set[str] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)
    walls: list[list[str]] = field(default_factory=list)
    """What was put to the wall, each time."""
    mended: list[int] = field(default_factory=list)

    async def refuse_listed(self, networks: Path) -> None:
        self.walls.append([line for line in networks.read_text().splitlines() if not line.startswith("#")])

    async def mend(self, networks: Path, count: int) -> list[str]:
        self.mended.append(count)
        return []

    async def record(self, fact: Fact) -> None:
        self.facts.append(fact)

    def lists(self) -> Blocklists:
        return Blocklists(
            self.directory / "lists",
            self.directory / "listed.map",
            lambda: self.wanted,
            lambda: self.exempt,
            [self],
            self.record,
            lambda: self.now,
        )

    def later(self, **time: int) -> None:
        self.now += timedelta(**time)


def wanted(publisher: Publisher, name: str = "drop", **more: object) -> BlockList:
    return BlockList.model_validate({"name": name, "url": publisher.url, "ca-file": str(publisher.ca_file), **more})


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    with Publisher(tmp_path) as running:
        yield running


@pytest.fixture
def world(tmp_path: Path, publisher: Publisher) -> World:
    return World(tmp_path, [wanted(publisher)])


def run(world: World, do: Callable[[Blocklists], Awaitable[None]]) -> Blocklists:
    lists = world.lists()
    asyncio.run(_run(do, lists))
    return lists


async def _run(do: Callable[[Blocklists], Awaitable[None]], lists: Blocklists) -> None:
    await do(lists)


def test_a_list_is_fetched_at_once_and_told(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.0/24 ; SBL1\n2001:db8::/32\nnonsense\n"
    run(world, Blocklists.turn)
    assert world.walls == [["192.0.2.0/24 drop", "2001:db8::/32 drop"]]
    assert world.facts == [BlocklistRefreshed(time=world.now, name="drop", entries=2, added=2, removed=0, skipped=1)]


def test_it_is_looked_at_again_when_it_is_due_and_asked_for_changes_only(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.1\n"

    async def days(lists: Blocklists) -> None:
        await lists.turn()
        await lists.turn()
        assert len(publisher.asked) == 1
        world.later(days=1)
        await lists.turn()
        assert publisher.asked[1]["If-None-Match"] == publisher.etag
        publisher.content = b"192.0.2.1\n192.0.2.2\n"
        world.later(days=1)
        await lists.turn()

    run(world, days)
    told = [fact for fact in world.facts if isinstance(fact, BlocklistRefreshed)]
    assert [(fact.added, fact.removed) for fact in told] == [(1, 0), (1, 0)]
    assert world.walls == [["192.0.2.1/32 drop"], ["192.0.2.1/32 drop", "192.0.2.2/32 drop"]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "holds no network"),
        (b"<html>\n<p>\n<p>\n<p>\n", "no list of networks"),
        (MANY + b"0.0.0.0/0\n", "more than a /8"),
        (MANY[:100], "shrunk from 100 networks to 7"),
    ],
)
def test_a_bad_list_changes_nothing_and_is_told_once(
    world: World, publisher: Publisher, content: bytes, reason: str
) -> None:
    publisher.content = MANY

    async def days(lists: Blocklists) -> None:
        await lists.turn()
        publisher.content = content
        for _ in range(3):
            world.later(days=1)
            await lists.turn()
        (standing,) = lists.standings()
        assert (standing.held.failures, standing.held.entries) == (3, 100)

    run(world, days)
    assert len(world.walls) == 1
    (failure,) = [fact for fact in world.facts if isinstance(fact, BlocklistFailed)]
    assert reason in failure.reason


def test_a_list_that_shrank_is_taken_when_that_is_meant(world: World, publisher: Publisher) -> None:
    publisher.content = MANY

    async def shrink(lists: Blocklists) -> None:
        await lists.turn()
        publisher.content = b"192.0.2.1\n"
        assert (await lists.refresh("drop")).outcome == "refused"
        assert (await lists.refresh("drop", force=True)).outcome == "taken"

    run(world, shrink)
    assert world.walls[-1] == ["192.0.2.1/32 drop"]


@pytest.mark.parametrize(("status", "moved_to"), [(500, ""), (200, "http://127.0.0.1:1/plain")])
def test_a_publisher_in_trouble_is_asked_again_sooner(
    world: World, publisher: Publisher, status: int, moved_to: str
) -> None:
    publisher.status, publisher.moved_to = status, moved_to

    async def wait(lists: Blocklists) -> None:
        await lists.turn()
        (standing,) = lists.standings()
        assert standing.due_at == world.now + timedelta(minutes=5)
        world.later(minutes=4)
        await lists.turn()
        assert len(publisher.asked) == 1

    run(world, wait)
    assert [type(fact) for fact in world.facts] == [BlocklistFailed]


def test_a_publisher_whom_nobody_vouches_for_is_not_believed(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.1\n"
    world.wanted = [BlockList.model_validate({"name": "drop", "url": publisher.url})]
    run(world, Blocklists.turn)
    assert publisher.asked == []
    assert [type(fact) for fact in world.facts] == [BlocklistFailed]


def test_exempt_addresses_are_never_taken_and_the_rest_of_their_network_is(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.0/30\n"

    async def exempt(lists: Blocklists) -> None:
        await lists.turn()
        world.exempt = {"192.0.2.1/32"}
        await lists.turn()

    lists = run(world, exempt)
    assert world.walls[-1] == ["192.0.2.0/32 drop", "192.0.2.2/31 drop"]
    assert (lists.composed.networks, lists.composed.exempted) == (2, 1)


def test_a_network_on_two_lists_is_told_once(world: World, publisher: Publisher, tmp_path: Path) -> None:
    publisher.content = b"192.0.2.0/24\n"
    own = tmp_path / "own.txt"
    own.write_text("192.0.2.7\n198.51.100.7\n")
    world.wanted.append(BlockList.model_validate({"name": "own", "file": str(own)}))
    lists = run(world, Blocklists.turn)
    assert world.walls[-1] == ["192.0.2.0/24 drop", "198.51.100.7/32 own"]
    assert lists.lists_of("192.0.2.7") == {"drop": "192.0.2.0/24", "own": "192.0.2.7/32"}
    assert lists.lists_of("192.0.3.7") == {}


def test_a_changed_file_is_taken_at_the_next_turn(world: World, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("192.0.2.1\n")
    world.wanted = [BlockList.model_validate({"name": "own", "file": str(own)})]

    async def change(lists: Blocklists) -> None:
        await lists.turn()
        own.write_text("192.0.2.1\n192.0.2.2\n")
        await lists.turn()
        own.unlink()
        await lists.turn()

    run(world, change)
    assert world.walls == [["192.0.2.1/32 own"], ["192.0.2.1/32 own", "192.0.2.2/32 own"]]


@pytest.mark.parametrize("mode", ["shadow", "off"])
def test_a_list_that_is_not_enforced_shuts_nobody_out(world: World, publisher: Publisher, mode: str) -> None:
    publisher.content = b"192.0.2.1\n"

    async def switch(lists: Blocklists) -> None:
        await lists.turn()
        world.wanted = [wanted(publisher, mode=mode)]
        await lists.turn()

    run(world, switch)
    assert world.walls == [["192.0.2.1/32 drop"], []]


def test_a_restart_needs_no_publisher(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.1\n"
    run(world, Blocklists.turn)
    run(world, Blocklists.start)
    assert world.walls == [["192.0.2.1/32 drop"]] * 2
    assert len(publisher.asked) == 1


def test_what_is_no_longer_wanted_is_forgotten(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.1\n"

    async def forget(lists: Blocklists) -> None:
        await lists.turn()
        world.wanted = []
        await lists.turn()
        with pytest.raises(NotFound):
            await lists.refresh("drop")

    run(world, forget)
    assert world.walls[-1] == []
    assert list((world.directory / "lists").iterdir()) == []


def test_the_walls_are_looked_after(world: World, publisher: Publisher) -> None:
    publisher.content = b"192.0.2.1\n"

    async def wait(lists: Blocklists) -> None:
        await lists.turn()
        await lists.turn()
        assert world.mended == []
        world.later(minutes=1)
        await lists.turn()

    run(world, wait)
    assert world.mended == [1]


def test_an_address_is_found_in_a_long_list(world: World, publisher: Publisher) -> None:
    publisher.content = MANY + b"2001:db8::/32\n"
    lists = run(world, Blocklists.turn)
    found = [number for number in range(256) if lists.lists_of(f"198.51.100.{number}")]
    assert found == list(range(0, 200, 2))
    assert lists.lists_of("2001:db8::1") == {"drop": "2001:db8::/32"}
