"""The ledger of bans: what holds, for how long, and what is enforced and told."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from portward.defense.enforcement import Enforcers, Register
from portward.defense.exempt import Exemptions
from portward.defense.ledger import Ledger, Wish
from portward.errors import EdgeError, Invalid, NotFound
from portward.facts import BanLifted, Fact, SourceBanned
from portward.model import Ban, BanBrief
from portward.store import Store
from portward.store.migrate import migrate_with, upgrade

HOUR = timedelta(hours=1)


class World:
    """An enforcer, a journal, a clock and what is exempt: all of what the ledger meets."""

    def __init__(self, store: Store) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.kept_out: dict[str, datetime | None] = {}
        self.told: list[Fact] = []
        self.exempt = Exemptions(own=(ip_network("45.90.0.1"),))
        self.away = False
        self.store = store
        self.ledger = Ledger(store.bans, Enforcers(self), lambda: self.exempt, self.record, lambda: self.now)

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        if self.away:
            raise EdgeError("HAProxy does not answer")
        self.kept_out |= {ban.source: _end(ban) for ban in bans}

    async def lift(self, sources: Collection[str]) -> None:
        for source in sources:
            self.kept_out.pop(source, None)

    async def mend(self, register: Register, now: datetime) -> list[str]:
        wanted = {ban.source: _end(ban) async for page in register.pages(now) for ban in page}
        mended = [] if wanted == self.kept_out else [f"{len(wanted)} of {await register.count(now)} bans"]
        self.kept_out = wanted
        return mended

    async def record(self, facts: Sequence[Fact]) -> None:
        self.told += facts


def _end(ban: BanBrief) -> datetime | None:
    return datetime.fromtimestamp(ban.until, UTC) if ban.until else None


Story = Callable[[World], Awaitable[None]]


@pytest.fixture
def live(tmp_path: Path) -> Callable[[Story], None]:
    path = tmp_path / "portward.db"
    migrate_with(path, upgrade)

    async def told(story: Story) -> None:
        async with Store.open(path) as store:
            await story(World(store))

    return lambda story: asyncio.run(told(story))


def test_a_ban_is_kept_enforced_and_told(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        ban = await world.ledger.ban("203.0.113.7/32", for_=HOUR, reason="login", by="detector", evidence=["{}"] * 30)
        end = world.now + HOUR
        assert ban == Ban("203.0.113.7", "login", "detector", world.now, end, 1, ("{}",) * 20)
        assert world.kept_out == {"203.0.113.7": end}
        assert await world.ledger.find("203.0.113.7") == [ban]
        assert await world.ledger.current() == [ban]
        assert [fact.fields()["source"] for fact in world.told if isinstance(fact, SourceBanned)] == ["203.0.113.7"]

    live(story)


def test_of_two_bans_of_one_source_the_longer_one_wins(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for length, reason, holds in (
            (HOUR, "first", "first"),
            (HOUR / 2, "shorter", "first"),
            (2 * HOUR, "longer", "longer"),
            (None, "for good", "for good"),
            (9 * HOUR, "shorter again", "for good"),
        ):
            ban = await world.ledger.ban("203.0.113.7", for_=length, reason=reason, by="cli")
            assert (ban.reason, ban.count) == (holds, 1)
        assert world.kept_out == {"203.0.113.7": None}
        assert len(await world.ledger.history("203.0.113.7")) == 1
        assert len(world.told) == 3

    live(story)


def test_a_ban_ends_on_time_and_counts_when_its_source_comes_back(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.ledger.ban("203.0.113.7", for_=HOUR, reason="login", by="detector")
        world.now += HOUR
        assert await world.ledger.find("203.0.113.7") == []
        again = await world.ledger.ban("203.0.113.7", for_=HOUR, reason="login", by="detector")
        assert (again.count, again.since) == (2, world.now)
        assert await world.ledger.earlier("203.0.113.7") == 1
        assert [ban.lifted_by for ban in await world.ledger.history("203.0.113.7")] == ["", "time"]
        world.now += 2 * HOUR
        assert await world.ledger.expire() == 1
        assert await world.ledger.expire() == 0
        assert world.kept_out == {}
        assert [fact.by for fact in world.told if isinstance(fact, BanLifted)] == ["time", "time"]

    live(story)


def test_it_waits_for_the_end_of_each_ban_by_itself(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        began = world.now
        loop = asyncio.get_running_loop()
        start = loop.time()
        ledger = Ledger(
            world.store.bans,
            Enforcers(world),
            lambda: world.exempt,
            world.record,
            lambda: began + timedelta(seconds=loop.time() - start),
        )
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            running = group.create_task(ledger.run())
            await asyncio.sleep(0)
            await ledger.ban("203.0.113.8", for_=HOUR, reason="long", by="cli")
            await ledger.ban("203.0.113.7", for_=timedelta(seconds=0.3), reason="short", by="cli")
            while "203.0.113.7" in world.kept_out:
                await asyncio.sleep(0.02)
            running.cancel()
        assert list(world.kept_out) == ["203.0.113.8"]

    live(story)


def test_who_is_exempt_is_refused_with_the_reason_and_holds_up_nobody_else(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        with pytest.raises(Invalid, match=r"45\.90\.0\.1 is an address of this machine"):
            await world.ledger.ban("45.90.0.1", reason="", by="cli")
        with pytest.raises(Invalid, match="is over already"):
            await world.ledger.ban("203.0.113.7", until=world.now, reason="", by="cli")
        sources = ("45.90.0.0/16", "203.0.113.7", "nonsense", "127.0.0.1")
        outcome = await world.ledger.ban_all([Wish(source, "x") for source in sources], "import")
        assert [ban.source for ban in outcome.bans] == ["203.0.113.7"]
        assert [source for source, _ in outcome.refused] == ["45.90.0.0/16", "nonsense", "127.0.0.1"]
        assert list(world.kept_out) == ["203.0.113.7"]

    live(story)


def test_bans_of_networks_and_addresses_hold_beside_each_other(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for source in ("203.0.113.0/24", "203.0.113.7", "203.0.0.0/16", "2001:db8:0:1::/64", "198.51.100.1"):
            await world.ledger.ban(source, for_=HOUR, reason="", by="cli")
        found = [ban.source for ban in await world.ledger.find("203.0.113.7")]
        assert found == ["203.0.113.7", "203.0.113.0/24", "203.0.0.0/16"]
        assert [ban.source for ban in await world.ledger.find("2001:db8:0:1::abcd")] == ["2001:db8:0:1::/64"]
        assert await world.ledger.find("2001:db8:0:2::abcd") == []
        await world.ledger.lift("203.0.113.0/24", "cli")
        with pytest.raises(NotFound, match=r"it is shut out by the ban of 203\.0\.0\.0/16") as caught:
            await world.ledger.lift("203.0.113.7/31", "cli")
        assert caught.value.exit_code == 4

    live(story)


def test_the_allowlist_lifts_what_it_covers_at_once(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        for source in ("198.51.100.7", "198.51.100.128/25", "198.51.0.0/16", "203.0.113.7"):
            await world.ledger.ban(source, reason="", by="cli")
        world.exempt = Exemptions(allowed=(ip_network("198.51.100.0/24"),))
        assert await world.ledger.allow_changed() == 2
        assert set(world.kept_out) == {"198.51.0.0/16", "203.0.113.7"}

    live(story)


def test_a_ban_holds_though_the_edge_is_away_and_is_mended_later(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        world.away = True
        await world.ledger.ban("203.0.113.7", for_=HOUR, reason="", by="cli")
        assert world.kept_out == {}
        world.away = False
        assert await world.ledger.mend() == ["1 of 1 bans"]
        assert list(world.kept_out) == ["203.0.113.7"]
        assert await world.ledger.mend() == []

    live(story)


def test_many_at_once_are_told_in_one_fact(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        many = [Wish(f"203.{number // 200}.{number % 200}.1", "list") for number in range(6000)]
        assert len((await world.ledger.ban_all(many, "list:drop")).bans) == 6000
        assert await world.ledger.count() == len(world.kept_out) == 6000
        assert await world.ledger.by_reason() == {"list": 6000}
        await world.ledger.ban("198.51.100.1", reason="mine", by="cli")
        assert await world.ledger.mend() == []
        assert await world.ledger.lift_all("desk", made_by="list:drop") == 6000
        assert [type(fact).__name__ for fact in world.told] == ["SourceBanned", "SourceBanned", "BanLifted"]
        assert await world.ledger.lift_all("cli") == 1

    live(story)


def test_what_is_over_is_remembered_for_400_days_at_least(live: Callable[[Story], None]) -> None:
    async def story(world: World) -> None:
        await world.ledger.ban("203.0.113.7", for_=HOUR, reason="", by="cli")
        world.now += HOUR
        await world.ledger.expire()
        world.now += timedelta(days=399)
        assert await world.ledger.tidy(timedelta(days=30)) == 0
        world.now += timedelta(days=2)
        assert await world.ledger.tidy(timedelta(days=500)) == 0
        assert await world.ledger.tidy(timedelta(days=30)) == 1

    live(story)
