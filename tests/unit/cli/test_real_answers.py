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
from portward.facts import RequestRefused
from portward.host.paths import State
from portward.host.serving import serving
from portward.identity.devices import Devices, NullGuard
from portward.identity.gatekeeper import NullGatekeeper
from portward.identity.identity import Identity
from portward.keeper.configuration import Outcome
from portward.model import Session
from portward.pki.enroller import Enroller
from portward.portal.admin import create_admin
from portward.portal.portal import Portal
from portward.store import Store, migrate
from portward.tunnels.control import Control
from portward.watch.journal import Journal

Portward = Callable[..., Result]
NOW = datetime.now(UTC)
SETTINGS = Settings.model_validate({"services": {"hello": {"upstream": "demo"}}})


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
    await migrate(state.database)
    async with Store.open(state.database) as store:
        journal, keeper = Journal(store), NullKeeper()
        identity = Identity(store, state.secret, lambda: SETTINGS, NullGatekeeper(), journal.record, now)
        await identity.accounts.add("zoe", by="test")
        await store.sessions.add(Session("s1", "zoe", NOW, NOW, NOW.replace(year=NOW.year + 1)), "hash")
        await store.events.add([refused(now())])
        devices = Devices(store, Enroller(state.devices, now), NullGuard(), lambda: SETTINGS, journal.record, now)
        control = Control(state.tunnels_socket)
        portal = Portal(identity, store, lambda: SETTINGS, journal.record, now, control, devices, b"")
        async with serving(create_admin(portal, journal, keeper, keeper, keeper), state.admin_socket):
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
