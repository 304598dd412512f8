import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from portward.errors import Conflict, Invalid, NotFound, StoreError
from portward.facts import LoggedIn, LoginFailed, RequestRefused
from portward.model import Account, Device, HostSession, Key, Role, Session, Standing
from portward.store import Store
from portward.store.devices import Issued
from portward.store.handovers import Handover
from portward.store.migrate import migrate_with, upgrade

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
SOON = NOW + timedelta(hours=1)
LONG = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000) SELECT count(*) FROM n"
Story = Callable[[Store], Awaitable[None]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "portward.db"
    migrate_with(path, upgrade)
    return path


@pytest.fixture
def live(path: Path) -> Callable[[Story], None]:
    """Run a story with an open store."""

    async def told(story: Story) -> None:
        async with Store.open(path) as store:
            await story(store)

    return lambda story: asyncio.run(told(story))


def session(number: int = 1, account: str = "ann") -> Session:
    return Session(f"s{number}", account, NOW, NOW, NOW + timedelta(days=30), address="192.0.2.1", user_agent="Firefox")


def test_what_is_kept_comes_back_as_it_was(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.groups.add("family")
        ann = Account("ann", Role.OWNER, "Ann", "ann@example.org", frozenset({"family"}), created_at=NOW)
        await store.accounts.add(ann)
        await store.sessions.add(session(), "hash")
        assert await store.accounts.get("ann") == await store.accounts.by_email("ann@example.org") == ann
        assert await store.sessions.by_token("hash") == await store.sessions.get("s1") == session()
        assert await store.accounts.get("bob") is None
        assert await store.accounts.by_email("") is None

    live(story)


def test_closing_leaves_no_thread_and_no_journal(path: Path, live: Callable[[Story], None]) -> None:
    threads = threading.active_count()

    async def story(store: Store) -> None:
        await asyncio.gather(*(store.accounts.add(Account(f"a{number}")) for number in range(20)))
        await asyncio.gather(*(store.accounts.list() for _ in range(20)))

    live(story)
    assert threading.active_count() == threads
    assert not path.with_name("portward.db-wal").exists()


def test_a_naive_time_is_refused(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        with pytest.raises(Exception, match="naive"):
            await store.accounts.add(Account("ann", created_at=datetime(2026, 3, 1)))  # noqa: DTZ001

    live(story)


@pytest.mark.parametrize("noun", ["link", "ticket", "handover", "totp", "recovery"])
def test_one_time_things_are_given_to_one_of_fifty(live: Callable[[Story], None], noun: str) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.sessions.add(session(), "hash")
        await store.links.replace("link", "reset", "ann", SOON)
        await store.tickets.add("ticket", "ann", SOON)
        await store.handovers.add(Handover("s1", "host", "/", "nonce", SOON), "handover")
        await store.credentials.offer_totp("ann", b"secret")
        assert await store.credentials.set_totp("ann", b"secret", 7, ["code"])
        take: dict[str, Callable[[], Awaitable[object]]] = {
            "link": lambda: store.links.take("link", NOW),
            "ticket": lambda: store.tickets.take("ticket"),
            "handover": lambda: store.handovers.take("handover", NOW),
            "totp": lambda: store.credentials.use_totp_step("ann", 8),
            "recovery": lambda: store.credentials.use_recovery("ann", "code"),
        }
        taken = await asyncio.gather(*(take[noun]() for _ in range(50)))
        assert sum(bool(one) for one in taken) == 1

    live(story)


def test_one_time_things_that_are_too_old_are_not_given_out(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.sessions.add(session(), "hash")
        await store.links.replace("link", "reset", "ann", NOW)
        await store.tickets.add("ticket", "ann", NOW)
        await store.handovers.add(Handover("s1", "host", "/", "nonce", NOW), "handover")
        assert await store.links.take("link", NOW) is None
        assert await store.tickets.spend_attempt("ticket", NOW, 5) is None
        assert await store.handovers.take("handover", NOW) is None
        forgotten = [await noun.forget_expired(NOW) for noun in (store.links, store.tickets, store.handovers)]
        assert forgotten == [1, 1, 1]

    live(story)


def test_attempts_are_counted_one_by_one_however_many_come_at_once(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        def free(failures: int) -> timedelta:
            return timedelta(0)

        reserved = (store.attempts.reserve("key", NOW, free, timedelta(hours=1)) for _ in range(50))
        assert sorted(standing.failures for standing in await asyncio.gather(*reserved)) == list(range(50))
        await store.attempts.release("key", NOW)
        assert (await store.attempts.reserve("key", NOW, free, timedelta(hours=1))).failures == 49
        assert await store.attempts.forget_older_than(SOON) == 1

    live(story)


def test_what_belongs_to_an_account_goes_with_it(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.groups.add("family")
        await store.accounts.add(Account("ann", groups=frozenset({"family"})))
        await store.sessions.add_many([(session(), "hash")], [HostSession("KEY", "s1", "host", NOW)])
        await store.links.replace("link", "reset", "ann", SOON)
        assert await store.accounts.remove("ann")
        assert await store.sessions.list() == await store.sessions.host_sessions() == []
        assert await store.links.peek("link", NOW) is None
        assert (await store.groups.list())[0].members == frozenset()

    live(story)


def key(name: str = "laptop", account: str = "ann", fingerprint: str = "SHA256:abc") -> Key:
    return Key(
        name,
        account,
        "ssh-ed25519 AAAA",
        fingerprint,
        "ann@laptop",
        publish=("blog", "ann-*"),
        reach=("db.internal:5432",),
        sources=("192.0.2.0/24",),
        created_at=NOW,
        expires_at=SOON,
        deadline=timedelta(hours=8),
    )


def test_keys_come_back_as_they_were_and_go_with_their_account(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.keys.add(key())
        assert await store.keys.get("laptop") == await store.keys.by_fingerprint("SHA256:abc") == key()
        assert await store.keys.change("laptop", publish=("wiki",), deadline=None)
        assert (await store.keys.list("ann"))[0].publish == ("wiki",)
        assert await store.keys.list("bob") == []
        assert not await store.keys.change("nothing", comment="x")
        assert not await store.keys.remove("nothing")
        await store.accounts.remove("ann")
        assert await store.keys.list() == []

    live(story)


def test_a_public_key_belongs_to_one_account_and_a_name_to_one_key(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.keys.add(key())
        with pytest.raises(Conflict, match="known already"):
            await store.keys.add(key(name="desktop"))
        with pytest.raises(Conflict, match="a key named 'laptop' already"):
            await store.keys.add(key(fingerprint="SHA256:def"))
        with pytest.raises(NotFound, match="account"):
            await store.keys.add(key("phone", "nobody", "SHA256:ghi"))

    live(story)


def test_a_host_session_of_an_ended_session_is_not_kept(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        assert await store.sessions.add_host(HostSession("KEY", "gone", "host", NOW)) is None
        assert not await store.handovers.add(Handover("gone", "host", "/", "nonce", SOON), "code")

    live(story)


def test_removing_sessions_names_the_keys_that_the_edge_must_forget(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        pairs = [(session(number), f"hash{number}") for number in (1, 2, 3)]
        await store.sessions.add_many(
            pairs, [HostSession(f"K{number}", f"s{number}", "host", NOW) for number in (1, 2, 3)]
        )
        removed = await store.sessions.remove_of("ann", except_id="s2")
        assert [one.id for one in removed.sessions] == ["s1", "s3"]
        assert sorted(removed.keys) == ["K1", "K3"]
        assert await store.sessions.remove("s1") == type(removed)()
        assert [one.id for one in await store.sessions.list("ann")] == ["s2"]

    live(story)


def test_groups_know_what_is_missing(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.groups.add("family")
        with pytest.raises(Conflict):
            await store.groups.add("family")
        with pytest.raises(NotFound):
            await store.groups.add_member("family", "nobody")
        with pytest.raises(NotFound):
            await store.groups.set_of("nobody", ["family"])
        assert not await store.groups.remove("work")

    live(story)


def test_events_are_listed_found_and_pruned(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        refused = RequestRefused(
            time=NOW, gate="identity", rule="no-session", request_id="A81F3C77", host="hello.example.com", status=302
        )
        await store.events.add([LoginFailed(time=NOW, account="ann", reason="password"), refused])
        await store.events.add([LoggedIn(time=SOON, account="ann", session="s1", factors="password")])
        await store.events.add([])
        first, second, third = await store.events.list()
        assert [first.kind, second.kind, third.kind] == ["LoginFailed", "RequestRefused", "LoggedIn"]
        assert (first.time, first.account, first.fields) == (NOW, "ann", {"reason": "password"})
        assert (second.gate, second.rule, second.fields["status"]) == ("identity", "no-session", 302)
        assert await store.events.list(after_id=first.id, limit=1) == [second]
        assert await store.events.list(limit=2, newest=True) == [second, third]
        assert await store.events.list(kind="LoggedIn") == await store.events.list(since=SOON) == [third]
        assert await store.events.list(account="ann") == [first, third]
        assert await store.events.find("A81F3C") == [second]
        assert await store.events.find("A81F3D") == []
        with pytest.raises(Invalid):
            await store.events.find("A81F3")
        assert await store.events.prune(SOON) == 2
        await store.events.add([refused])
        assert (await store.events.list())[-1].id > third.id

    live(story)


def test_a_locked_store_says_who_to_look_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portward.store.database.BUSY", 0.05)

    async def story() -> None:
        async with Store.open(path) as store:
            with closing(sqlite3.connect(path)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreError, match=r"locked[\s\S]*another program"):
                    await store.groups.add("family")
                other.rollback()
            await store.groups.add("family")

    asyncio.run(story())


def test_a_full_disk_says_so_and_passes_when_there_is_room(path: Path) -> None:
    async def story() -> None:
        async with Store.open(path) as store:
            async with store.groups._database.read() as connection:
                pages = (await connection.execute(text("PRAGMA page_count"))).scalar()
                await connection.execute(text(f"PRAGMA max_page_count = {pages}"))
            with pytest.raises(StoreError, match=r"full[\s\S]*make room"):
                await store.events.add([LoginFailed(time=NOW, reason="x" * 100_000)])
            async with store.groups._database.read() as connection:
                await connection.execute(text("PRAGMA max_page_count = 100000"))
            await store.groups.add("family")

    asyncio.run(story())


@pytest.mark.parametrize("content", [b"this is no database " * 500, b"SQLite format 3\x00" + b"\xff" * 9000])
def test_a_damaged_store_says_what_to_put_back(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    async def story() -> None:
        async with Store.open(path) as store:
            await store.groups.list()

    with pytest.raises(StoreError, match="snapshots"):
        asyncio.run(story())


def test_readers_do_not_wait_for_a_writer(path: Path) -> None:
    async def story() -> None:
        async with Store.open(path) as store, store.groups._database.write():
            assert await asyncio.wait_for(store.groups.list(), 5) == []

    asyncio.run(story())


def test_a_reader_that_finds_every_connection_taken_is_told_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portward.store.database.PATIENCE", 0.05)

    async def story() -> None:
        async with Store.open(path) as store, AsyncExitStack() as stack:
            for _ in range(4):
                await stack.enter_async_context(store.groups._database.read())
            with pytest.raises(StoreError, match="too much to do"):
                await store.groups.list()
            await stack.aclose()
            assert await store.groups.list() == []

    asyncio.run(story())


def test_a_writer_that_is_cancelled_in_the_middle_leaves_nothing_and_holds_nobody_up(path: Path) -> None:
    async def begin(store: Store, begun: asyncio.Event) -> None:
        async with store.groups._database.write() as connection:
            await connection.execute(text("INSERT INTO groups VALUES ('family')"))
            begun.set()
            await connection.execute(text(LONG))

    async def story() -> None:
        async with Store.open(path) as store:
            begun = asyncio.Event()
            writing = asyncio.create_task(begin(store, begun))
            await begun.wait()
            writing.cancel()
            await asyncio.wait([writing])
            assert writing.cancelled()
            assert await store.groups.list() == []
            await store.groups.add("friends")

    asyncio.run(story())


def phone(identity: str = "1", **more: object) -> Device:
    return Device(id=identity, account="ann", name="phone", requested_at=NOW, **more)  # type: ignore[arg-type]


def issued(fingerprint: str, expires_at: datetime = SOON) -> Issued:
    return Issued("-----BEGIN CERTIFICATE-----", fingerprint, f"0{fingerprint}", NOW, expires_at)


def test_a_device_is_issued_once_and_only_after_its_approval(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.devices.add(phone())
        assert not await store.devices.issue("1", issued("a"))
        assert await store.devices.approve("1", NOW)
        assert not await store.devices.approve("1", NOW)
        assert await store.devices.issue("1", issued("a"))
        assert not await store.devices.issue("1", issued("b"))
        [device] = await store.devices.trusted(NOW)
        assert (device.fingerprint, device.state) == ("a", "active")
        assert await store.devices.trusted(SOON) == []

    live(story)


def test_a_revoked_device_takes_its_renewals_with_it_and_stays_on_the_list(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        for identity in ("1", "2"):
            await store.devices.add(phone(identity, approved_at=NOW))
            await store.devices.issue(identity, issued(identity))
        assert len(await store.devices.revoke("ann", "phone", NOW)) == 2
        assert await store.devices.revoke("ann", "phone", SOON) == []
        assert await store.devices.trusted(NOW) == []
        assert [entry.serial for entry in await store.devices.revoked(NOW)] == ["01", "02"]
        assert await store.devices.revoked(SOON) == []

    live(story)


def test_the_devices_of_a_disabled_account_are_not_trusted_and_those_of_a_removed_one_are_revoked(
    live: Callable[[Story], None],
) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.devices.add(phone(approved_at=NOW))
        await store.devices.issue("1", issued("a"))
        await store.accounts.change("ann", disabled=True)
        assert await store.devices.trusted(NOW) == []
        assert await store.devices.revoked(NOW) == []
        await store.accounts.remove("ann")
        [device] = await store.devices.list()
        assert (device.account, device.state) == ("", "revoked")
        assert [entry.serial for entry in await store.devices.revoked(NOW)] == ["0a"]

    live(story)


def test_a_request_that_nobody_followed_up_is_forgotten(live: Callable[[Story], None]) -> None:
    async def story(store: Store) -> None:
        await store.accounts.add(Account("ann"))
        await store.devices.add(phone("1"))
        await store.devices.add(phone("2", approved_at=NOW))
        await store.devices.issue("2", issued("a"))
        assert await store.devices.forget(asked_before=SOON, expired_before=NOW) == 1
        assert not await store.devices.remove("2")
        assert await store.devices.forget(asked_before=SOON, expired_before=SOON + timedelta(seconds=1)) == 1

    live(story)


def test_how_it_stands_with_a_name_is_kept_until_it_is_gone(live: Callable[[Story], None]) -> None:
    failed = Standing("wiki.example.org", "refused", 2, "no", "yes", "https://ca", NOW, SOON, renew_at=SOON, ask_at=NOW)

    async def story(store: Store) -> None:
        await store.standings.keep(Standing("wiki.example.org", "refused", 1))
        await store.standings.keep(failed)
        await store.standings.keep(Standing("*.example.org", "issued"))
        assert await store.standings.all() == {
            "wiki.example.org": failed,
            "*.example.org": Standing("*.example.org", "issued"),
        }
        await store.standings.retain(["wiki.example.org"])
        assert await store.standings.all() == {"wiki.example.org": failed}

    live(story)
