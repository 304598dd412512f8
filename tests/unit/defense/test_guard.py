"""The guard: verdicts reach the ledger, shadows are only told of, and a restart forgets nothing."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from portward.config import Settings
from portward.defense.guard import Guard, Tally
from portward.errors import Invalid, StoreError
from portward.facts import CertificateInstalled, Fact, LoggedIn, LoginFailed, RequestRefused, ShadowBan, SourceBanned
from portward.model import Ban
from portward.store import Store, migrate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
STRANGER = "203.0.113.7"


class Book:
    """A ledger that keeps in memory; `broken` so many times it can't."""

    def __init__(self, *, exempt: str = "", broken: int = 0) -> None:
        self.bans: list[Ban] = []
        self.asked = 0
        self._exempt, self._broken = exempt, broken

    async def ban(
        self, source: str, *, for_: timedelta | None, reason: str, by: str, evidence: Sequence[str] = ()
    ) -> Ban:
        self.asked += 1
        if source == self._exempt:
            raise Invalid(f"{source} is this machine")
        if self.asked <= self._broken:
            raise StoreError("the disk is full")
        until = NOW + for_ if for_ else None
        ban = Ban(source, reason, by, NOW, until, len(await self.history(source)) + 1, tuple(evidence))
        self.bans.append(ban)
        return ban

    async def history(self, source: str) -> Sequence[Ban]:
        return [ban for ban in self.bans if ban.source == source]

    def find(self, address: str) -> Ban | None:
        return next((ban for ban in self.bans if ban.source == address and not ban.lifted_at), None)

    def current(self) -> Sequence[Ban]:
        return self.bans


class Given:
    """A guard, its ledger, and what it recorded."""

    def __init__(self, book: Book | None = None, **detectors: Any) -> None:
        self.book = book or Book()
        self.recorded: list[Fact] = []
        self.now = NOW
        self.hosts = {"auth.example.com", "wiki.example.com"}
        self.settings = Settings.model_validate({"domain": "example.com", "defence": {"detectors": detectors}})
        self.guard = Guard(self.book, self._record, lambda: self.settings, lambda: self.hosts, lambda: self.now)

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
        return next(one for one in self.guard.report() if one.detector == name)


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
    certified = CertificateInstalled(
        time=NOW, host="old.example.com", source="local", serial="1", issuer="us", expires="2027-01-01"
    )
    assert Given().hears(certified, knock("old.example.com")) == []


def test_while_no_host_is_known_none_is_unknown() -> None:
    given = Given()
    given.hosts = set()
    assert given.hears(knock("shop.example.com")) == []


def test_who_has_logged_in_from_there_may_mistype_a_host() -> None:
    given = Given()
    assert given.hears(login(), knock("wik.example.com")) == []
    given.now = NOW + timedelta(days=31)
    assert given.hears(knock("wik.example.com", at=given.now)) == [STRANGER]


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
    given.hears(SourceBanned(time=NOW, source=STRANGER, reason="login", by="detector"))
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
        await given.guard.load(store.events)
        assert [given.tally("login").seen, given.tally("login").current, given.tally("probe").banned] == [0, 2, 1]
        given.guard.hear([knock("wik.example.com", "198.51.100.9"), failed()])
        await carried(given.guard)
        assert [ban.source for ban in given.book.bans] == [STRANGER]

    with_store(tmp_path, scene)


def test_a_verdict_that_a_death_came_before_is_carried_out_after_it_and_a_ban_not_twice(tmp_path: Path) -> None:
    async def scene(store: Store) -> None:
        given = Given(login={"tries": 2})
        banned = SourceBanned(time=NOW, source="198.51.100.9", reason="login", by="detector")
        await store.events.add([*[failed("198.51.100.9")] * 2, banned, *[failed()] * 2])
        given.book.bans = [Ban("198.51.100.9", "login", "detector", NOW)]
        await given.guard.load(store.events)
        await carried(given.guard)
        assert [ban.source for ban in given.book.bans] == ["198.51.100.9", STRANGER]

    with_store(tmp_path, scene)
