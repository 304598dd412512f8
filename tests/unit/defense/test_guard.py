"""The guard: verdicts reach the ledger, shadows are only told of, and a restart forgets nothing."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from portward.config import Settings
from portward.defense.guard import Guard, Tally
from portward.defense.ledger import Outcome, Wish
from portward.errors import StoreError
from portward.facts import (
    BanLifted,
    ErrorAnswered,
    Fact,
    LoggedIn,
    LoginFailed,
    RequestRefused,
    ShadowBan,
    SourceBanned,
)
from portward.model import Ban
from portward.store import Store, migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STRANGER = "203.0.113.7"


class Book:
    """A ledger that keeps in memory, and tells of its bans; `broken` so many times it can't."""

    def __init__(self, *, exempt: str = "", broken: int = 0) -> None:
        self.bans: list[Ban] = []
        self.asked = 0
        self.guard: Guard
        self._exempt, self._broken = exempt, broken

    async def ban_all(self, wishes: Iterable[Wish], by: str) -> Outcome:
        self.asked += 1
        if self.asked <= self._broken:
            raise StoreError("the disk is full")
        wanted = [wish for wish in wishes if wish.source != self._exempt]
        bans = [Ban(wish.source, wish.reason, by, NOW, wish.until, evidence=wish.evidence) for wish in wanted]
        self.bans += bans
        self.guard.hear([banned(ban.source, ban.reason) for ban in bans])
        return Outcome(bans, [(self._exempt, "is this machine")])

    async def earlier(self, source: str) -> int:
        return sum(ban.source == source and ban.lifted_at is not None for ban in self.bans)

    async def by_reason(self) -> dict[str, int]:
        return Counter(ban.reason for ban in self.bans)


def banned(source: str, reason: str = "login") -> SourceBanned:
    return SourceBanned(time=NOW, source=source, reason=reason, by="detector", until=(NOW + HOUR).isoformat())


class Given:
    """A guard, its ledger, and what it recorded."""

    def __init__(self, book: Book | None = None, **detectors: Any) -> None:
        self.book = book or Book()
        self.recorded: list[Fact] = []
        self.now = NOW
        self.hosts = {"auth.example.com", "wiki.example.com"}
        self.settings = Settings.model_validate({"domain": "example.com", "defence": {"detectors": detectors}})
        self.guard = Guard(self.book, self._record, lambda: self.settings, lambda: self.hosts, lambda: self.now)
        self.book.guard = self.guard

    async def _record(self, fact: Fact) -> None:
        self.recorded.append(fact)

    def hears(self, *facts: Fact) -> list[str]:
        """The sources that are banned when everything was carried out."""

        async def do() -> None:
            self.guard.hear(facts)
            await carried(self.guard)

        asyncio.run(do())
        return [ban.source for ban in self.book.bans]

    def tally(self, name: str) -> Tally:
        return asyncio.run(tally_of(self.guard, name))


async def tally_of(guard: Guard, name: str) -> Tally:
    return next(one for one in await guard.report() if one.detector == name)


async def carried(guard: Guard) -> None:
    running = asyncio.create_task(guard.run())
    async with asyncio.timeout(5):
        while guard.waiting:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
    running.cancel()


def failed(address: str = STRANGER, account: str = "", at: datetime = NOW) -> LoginFailed:
    return LoginFailed(time=at, address=address, account=account, reason="password")


def knock(sni: str, address: str = STRANGER, at: datetime = NOW) -> RequestRefused:
    return RequestRefused(time=at, address=address, gate="TLS", rule="tls_unknown_name", sni=sni)


def login(account: str = "ann", address: str = STRANGER, at: datetime = NOW) -> LoggedIn:
    return LoggedIn(time=at, address=address, account=account, session="s", factors="password")


def test_a_verdict_becomes_a_ban_with_its_evidence() -> None:
    given = Given(login={"tries": 3, "ban": "2h"})
    assert given.hears(failed(), failed(), failed()) == [STRANGER]
    (ban,) = given.book.bans
    assert (ban.reason, ban.by, ban.until, len(ban.evidence)) == ("login", "detector", NOW + 2 * HOUR, 3)


def test_who_comes_back_is_banned_for_longer() -> None:
    given = Given(login={"tries": 1})
    given.book.bans = [Ban(STRANGER, "login", "detector", NOW, lifted_at=NOW, lifted_by="time") for _ in range(3)]
    given.hears(failed())
    assert given.book.bans[-1].until == NOW + 8 * HOUR


def test_what_a_banned_source_still_does_is_no_new_sign() -> None:
    given = Given(login={"tries": 2})
    given.hears(failed(), failed())
    given.hears(*[failed()] * 10)
    assert (len(given.book.bans), given.tally("login").seen) == (1, 2)
    given.hears(BanLifted(time=NOW, source=STRANGER, reason="login", by="cli"), failed())
    assert given.tally("login").seen == 3


def test_of_many_knocks_at_once_comes_one_ban() -> None:
    assert Given().hears(*[knock("shop.example.com")] * 50) == [STRANGER]


def test_whoever_is_banned_with_a_network_leaves_no_signs() -> None:
    given = Given(login={"tries": 1})
    assert given.hears(banned("203.0.113.0/24"), failed()) == []


def test_one_who_can_not_be_banned_is_not_and_the_next_one_is() -> None:
    given = Given(Book(exempt=STRANGER), login={"tries": 1})
    assert given.hears(failed(), failed("198.51.100.9")) == ["198.51.100.9"]


def test_a_ban_that_could_not_be_kept_is_tried_again(monkeypatch: Any) -> None:
    monkeypatch.setattr("portward.defense.guard._RETRY_SECONDS", 0)
    given = Given(Book(broken=3), login={"tries": 1})
    given.hears(failed())
    assert [ban.source for ban in given.book.bans] == [STRANGER]


def test_a_stranger_at_an_unknown_name_is_banned_at_once() -> None:
    assert Given().hears(knock("shop.example.com")) == [STRANGER]


def test_the_bare_domain_is_what_people_type() -> None:
    assert Given().hears(knock("example.com"), knock("www.example.com")) == []


def test_a_host_that_was_here_may_still_be_asked_for() -> None:
    given = Given()
    given.hosts = {"wiki.example.com", "old.example.com"}
    given.hears()
    given.hosts = {"wiki.example.com"}
    assert given.hears(knock("old.example.com")) == []


def test_while_no_host_is_known_none_is_unknown() -> None:
    given = Given()
    given.hosts = set()
    assert given.hears(knock("shop.example.com")) == []


def test_who_has_logged_in_from_there_may_mistype_a_host() -> None:
    given = Given()
    assert given.hears(login(), knock("wik.example.com")) == []
    given.now = NOW + timedelta(days=31)
    assert given.hears(knock("wik.example.com", at=given.now)) == [STRANGER]


def test_who_has_logged_in_from_there_may_miss_much_at_a_public_service() -> None:
    given = Given(errors={"tries": 3})
    missed = [
        ErrorAnswered(time=NOW, address=address, path=f"/{number}", status=404, errors=9, requests=9)
        for address in ("198.51.100.9", STRANGER)
        for number in range(5)
    ]
    assert given.hears(login(address="198.51.100.9"), *missed) == [STRANGER]


def test_the_owner_is_not_banned_for_what_a_crowd_tries_at_the_account() -> None:
    given = Given(account={"tries": 4})
    crowd = [failed(f"198.51.100.{number}", "ann") for number in range(3)]
    assert given.hears(login(), *crowd, failed(account="ann")) == [one.address for one in crowd]


def test_a_shadow_is_told_of_once_and_nobody_is_banned() -> None:
    given = Given(login={"tries": 2, "mode": "shadow", "ban": "3h"})
    assert given.hears(*[failed()] * 6) == []
    assert given.recorded == [
        ShadowBan(time=NOW, source=STRANGER, detector="login", until=(NOW + 3 * HOUR).isoformat())
    ]
    assert (given.tally("login").total, given.tally("login").banned) == (1, 1)
    given.now = NOW + 4 * HOUR
    given.hears(*[failed(at=given.now)] * 2)
    assert len(given.recorded) == 2


def test_the_report_says_what_was_seen_counts_was_banned_and_is() -> None:
    given = Given(login={"tries": 3})
    given.hears(*[failed()] * 3, failed("198.51.100.9"))
    tally = given.tally("login")
    assert (tally.seen, tally.current, tally.total, tally.banned) == (4, 1, 1, 1)


def test_changed_settings_hold_from_the_next_fact_on() -> None:
    given = Given(login={"tries": 9})
    given.hears(failed(), failed())
    given.settings = Settings.model_validate({"defence": {"detectors": {"login": {"tries": 3}}}})
    assert given.hears(failed()) == [STRANGER]


def test_an_own_list_of_paths_takes_the_place_of_ours(tmp_path: Path) -> None:
    (tmp_path / "paths.txt").write_text("# ours\n/secret-door\n")
    given = Given()
    defence = {"probe-paths": str(tmp_path / "paths.txt"), "detectors": {"probe": {"tries": 1}}}
    given.settings = Settings.model_validate({"defence": defence})
    probe = RequestRefused(time=NOW, address=STRANGER, gate="request", rule="path", path="/.env")
    assert given.hears(probe) == []
    assert given.hears(RequestRefused(time=NOW, address=STRANGER, gate="request", rule="path", path="/x/secret-door/y"))


def with_store(tmp_path: Path, do: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        await migrate(tmp_path / "portward.db")
        async with Store.open(tmp_path / "portward.db") as store:
            await do(store)

    asyncio.run(run())


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    async def scene(store: Store) -> None:
        given = Given(login={"tries": 3}, probe={"mode": "shadow"})
        shadow = ShadowBan(time=NOW, source="198.51.100.1", detector="probe", until=(NOW + HOUR).isoformat())
        await store.events.add([failed(at=NOW - HOUR), failed(), failed(), login(address="198.51.100.9"), shadow])
        await given.guard.load(store.events, ["old.example.com"])
        login_, probe = await tally_of(given.guard, "login"), await tally_of(given.guard, "probe")
        assert (login_.seen, login_.current, probe.banned) == (0, 2, 1)
        given.guard.hear([knock("wik.example.com", "198.51.100.9"), knock("old.example.com", "198.51.100.7"), failed()])
        await carried(given.guard)
        assert [ban.source for ban in given.book.bans] == [STRANGER]

    with_store(tmp_path, scene)


def test_a_verdict_that_a_death_came_before_is_carried_out_after_it_and_a_ban_not_twice(tmp_path: Path) -> None:
    async def scene(store: Store) -> None:
        given = Given(login={"tries": 2})
        other = "198.51.100.9"
        await store.events.add([failed(other), failed(other), banned(other), failed(), failed()])
        await given.guard.load(store.events, ())
        await carried(given.guard)
        assert [ban.source for ban in given.book.bans if ban.source != other] == [STRANGER]

    with_store(tmp_path, scene)
