"""The command line against the real admin API and a real store: the two mean the same by every word."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.unit.identity.test_keys import fresh_key
from typer.testing import Result

from portward.config import Settings
from portward.config.starter import STARTER
from portward.defense.kernel import KernelBans
from portward.facts import RequestRefused
from portward.host.mail import Mailer
from portward.host.nftables import Nftables
from portward.host.paths import State
from portward.host.serving import serving
from portward.identity.devices import Devices, NullGuard
from portward.identity.gatekeeper import NullGatekeeper
from portward.identity.identity import Identity
from portward.keeper.configuration import Outcome
from portward.keeper.defending import Defending
from portward.model import Session
from portward.pki.enroller import Enroller
from portward.portal.admin import create_admin
from portward.portal.portal import Portal
from portward.store import Store, migrate
from portward.tunnels.control import Control
from portward.watch.journal import Journal

Portward = Callable[..., Result]
NOW = datetime.now(UTC)
LISTED = Path("listed.txt")
"""In the directory where the test runs."""
DEFENCE = {"lists": [{"name": "own", "file": str(LISTED)}]}
SETTINGS = Settings.model_validate({"services": {"hello": {"upstream": "demo"}}, "defence": DEFENCE})


def now() -> datetime:
    return datetime.now(UTC)


def refused(time: datetime) -> RequestRefused:
    return RequestRefused(
        time=time,
        request_id="abcdef12",
        address="192.0.2.1",
        gate="identity",
        rule="wrong_group",
        host="hello.example.com",
    )


class NullKeeper:
    """Stands in for the composition root."""

    async def report(self) -> Mapping[str, Any]:
        return {"version": "1", "configuration": {"file": str(Path("portward.toml").absolute())}}

    def source(self, service: str) -> str:
        return "portward.toml"

    async def reload(self) -> Outcome:
        return Outcome(NOW, "runtime", "added wiki")


async def serve(state: State, ready: threading.Event, stop: asyncio.Event) -> None:
    state.prepare()
    await migrate(state.database)
    async with Store.open(state.database) as store:
        journal, keeper = Journal(store), NullKeeper()
        identity = Identity(store, state.secret, lambda: SETTINGS, NullGatekeeper(), journal.record, now)
        await identity.accounts.add("zoe", by="test")
        await store.sessions.add(Session("s1", "zoe", NOW, NOW, NOW.replace(year=NOW.year + 1)), "hash")
        await store.events.add([refused(now())])
        devices = Devices(store, Enroller(state.devices, now), NullGuard(), lambda: SETTINGS, journal.record, now)
        control = Control(state.tunnels_socket)
        defending = Defending(
            *(state, store, KernelBans(Nftables()), (), ()),
            *(lambda: SETTINGS, tuple, lambda: False, journal, now),
        )
        mailer = Mailer(lambda: None)
        portal = Portal(
            *(identity, store, lambda: SETTINGS, journal.record, now, control, devices, b"", defending.release, mailer)
        )
        app = create_admin(portal, journal, keeper, keeper, keeper, defending.routes())
        async with serving(app, state.admin_socket):
            ready.set()
            await stop.wait()


@contextmanager
def running(state: State) -> Iterator[None]:
    loop, ready, stop = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(state, ready, stop),))
    thread.start()
    try:
        assert ready.wait(20)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(autouse=True)
def _keeper(portward: Portward, state: Path) -> Iterator[None]:
    with running(State(state)):
        yield


def done(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_the_life_of_an_account(portward: Portward) -> None:
    done(portward("group", "add", "family"))
    link = json.loads(
        done(portward("account", "add", "ann", "--email", "ann@example.com", "--group", "family", "--json"))
    )
    assert link["link"].startswith("https://auth.portward.localhost:8443/enrol?token=")
    assert "ann@example.com" in done(portward("account", "list"))
    assert "ann" in done(portward("group", "list"))
    done(portward("group", "leave", "family", "ann"))
    done(portward("group", "join", "family", "ann"))
    done(portward("account", "change", "ann", "--display-name", "Ann", "--role", "owner"))
    assert "owner" in done(portward("account", "show", "ann"))
    assert "/enrol?token=" in done(portward("account", "reset", "ann", "--second-factor", "--yes"))
    done(portward("account", "change", "ann", "--role", "member"))
    done(portward("account", "disable", "ann", "--yes"))
    done(portward("account", "enable", "ann"))
    done(portward("account", "remove", "ann", "--yes"))
    assert portward("account", "show", "ann").exit_code == 4
    done(portward("group", "remove", "family", "--yes"))


def test_an_account_with_a_password_can_log_in_at_once(portward: Portward) -> None:
    words = ("account", "add", "ben", "--owner", "--password-stdin")
    assert "can log in at once" in done(portward(*words, stdin="correct horse battery staple\n"))
    assert portward("account", "remove", "ben", "--yes").exit_code == 5


def test_a_weak_password_is_invalid(portward: Portward) -> None:
    result = portward("account", "add", "ben", "--password-stdin", stdin="password12\n")
    assert result.exit_code == 6
    assert "password12" not in result.output


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["account", "add", "zoe"], 5),
        (["account", "add", "ZOE!"], 6),
        (["account", "add", "ann", "--group", "nobody"], 4),
        (["account", "change", "zoe", "--role", "king"], 6),
        (["group", "join", "nobody", "zoe"], 4),
        (["session", "revoke", "none"], 4),
        (["session", "revoke", "--account", "nobody", "--yes"], 4),
        (["explain", "00000000"], 4),
        (["explain", "0"], 6),
    ],
)
def test_a_refusal_is_a_sentence_and_its_exit_code(portward: Portward, words: list[str], code: int) -> None:
    result = portward(*words)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("portward: ")


def test_the_life_of_a_key(portward: Portward) -> None:
    Path("id.pub").write_text(fresh_key())
    added = done(portward("key", "add", "laptop", "id.pub", "--account", "zoe", "--until", "30d", "--json"))
    assert json.loads(added)["key"]["publish"] == ["zoe-*"]
    assert "laptop" in done(portward("key", "list", "--account", "zoe"))
    assert "db:22" in done(portward("key", "change", "laptop", "--reach", "db:22,*.lab:*", "--deadline", "8h"))
    done(portward("key", "change", "laptop", "--until", "none", "--deadline", "none", "--publish", ""))
    shown = json.loads(done(portward("key", "show", "laptop", "--json")))["key"]
    assert (shown["publish"], shown["expires_at"], shown["deadline"]) == ([], None, None)
    done(portward("key", "remove", "laptop", "--yes"))
    assert portward("key", "show", "laptop").exit_code == 4


def test_the_life_of_a_ban(portward: Portward) -> None:
    assert "203.0.113.7 is shut out until" in done(portward("ban", "add", "203.0.113.7", "--for", "1h"))
    assert "banned by hand" in done(portward("ban", "list"))
    assert portward("ban", "add", "127.0.0.1").exit_code == 6
    assert portward("ban", "add", "203.0.113.8", "--for", "soon").exit_code == 6
    assert "203.0.113.7 is shut out until" in done(portward("ban", "show", "203.0.113.7"))
    Path("more.txt").write_text("203.0.113.8\n127.0.0.1\n")
    assert "banned 1, skipped 1" in done(portward("ban", "import", "more.txt"))
    assert "203.0.113.8,imported from more.txt" in done(portward("ban", "export", "--format", "csv"))
    done(portward("ban", "remove", "203.0.113.7"))
    assert done(portward("ban", "flush", "--yes")) == "lifted 1 bans\n"


def test_the_state_of_the_defence(portward: Portward) -> None:
    shown = done(portward("defence", "status"))
    assert "0 sources are banned" in shown
    assert "unknown-host" in shown
    assert "listed.txt" in shown
    assert "nobody is banned by it" in done(portward("defence", "status", "login"))
    assert json.loads(done(portward("defence", "status", "login", "--json")))["tries"] == 10
    assert portward("defence", "status", "nothing").exit_code == 4


def test_block_lists_are_shown_and_refreshed(portward: Portward) -> None:
    assert "NOT TAKEN" not in done(portward("defence", "lists"))
    LISTED.write_text("203.0.113.0/24\n")
    assert "own: 1 networks, 1 added, 0 removed" in done(portward("defence", "lists", "refresh", "own"))
    assert "203.0.113.0/24 stands on the block list own" in done(portward("ban", "show", "203.0.113.7"))
    LISTED.write_text("0.0.0.0/0\n")
    result = portward("defence", "lists", "refresh", "own")
    assert result.exit_code == 1
    assert "own stays as it was: line 1 shuts out '0.0.0.0/0'" in result.stdout
    assert "NOT TAKEN: own" in done(portward("defence", "lists"))
    assert portward("defence", "lists", "refresh", "nothing").exit_code == 4


def test_sessions_are_listed_and_ended(portward: Portward) -> None:
    assert "s1" in done(portward("session", "list", "--account", "zoe"))
    assert "s1" in done(portward("account", "show", "zoe"))
    assert "ended session s1" in done(portward("session", "revoke", "s1"))
    assert "ended 0 sessions" in done(portward("session", "revoke", "--account", "zoe", "--yes"))


def test_events_are_listed_and_explained(portward: Portward) -> None:
    assert "wrong_group" in done(portward("events", "--kind", "RequestRefused"))
    assert "wrong_group" in done(portward("events", "--since", "5m", "--json"))
    assert done(portward("events", "--account", "nobody")) == "nothing has happened\n"
    assert "way out" in done(portward("explain", "abcdef"))


def test_following_events_ends_quietly_with_ctrl_c() -> None:
    code = "from portward.cli import main; main()"
    command = [sys.executable, "-c", code, "events", "--follow", "--kind", "RequestRefused"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        assert "wrong_group" in following.stdout.readline()
        following.send_signal(signal.SIGINT)
        rest, complaint = following.communicate(timeout=20)
    assert (following.returncode, rest, complaint) == (0, "", "")


def test_a_service_is_published(portward: Portward) -> None:
    Path("portward.toml").write_text(STARTER)
    assert "hello.portward.localhost" in done(portward("services"))
    assert "applied: added wiki" in done(portward("publish", "wiki", "demo"))
    assert "1" in done(portward("status"))
