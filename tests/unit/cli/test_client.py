"""Talking to the keeper, and what becomes of its errors."""

import json
import socket
from contextlib import closing
from pathlib import Path

import pytest

from portward import errors
from portward.cli.client import keeper

from .conftest import FakeKeeper


def test_an_answer_is_its_json(fake: FakeKeeper) -> None:
    fake.answer("GET /sessions?account=ann", [{"id": "1"}])
    with keeper(fake.state) as running:
        assert running.get("/sessions", account="ann", limit=None) == [{"id": "1"}]


def test_an_empty_answer_is_none(fake: FakeKeeper) -> None:
    fake.answer("DELETE /accounts/ann", None, 204)
    with keeper(fake.state) as running:
        assert running.delete("/accounts/ann") is None


def test_lines_come_one_by_one(fake: FakeKeeper) -> None:
    fake.answer("GET /events", b'{"id": 1}\n\n{"id": 2}\n')
    with keeper(fake.state) as running:
        assert list(running.lines("/events")) == [{"id": 1}, {"id": 2}]


def test_nobody_listening_is_not_running_with_a_way_out(state: Path) -> None:
    with pytest.raises(errors.NotRunning, match="portward up") as caught, keeper(state):
        pass
    assert caught.value.exit_code == 3


def test_a_socket_that_was_left_behind_is_not_running(state: Path) -> None:
    with closing(socket.socket(socket.AF_UNIX)) as dead:
        dead.bind(str(state / "run" / "admin.sock"))
    with pytest.raises(errors.NotRunning), keeper(state):
        pass


def test_a_keeper_that_goes_away_is_not_running(fake: FakeKeeper) -> None:
    fake.answer("GET /status", fake.hang_up)
    with keeper(fake.state) as running, pytest.raises(errors.NotRunning, match="went away"):
        running.get("/status")


def test_a_proxy_of_the_environment_never_sees_the_admin_socket(
    fake: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    fake.answer("GET /status", {})
    with keeper(fake.state) as running:
        assert running.get("/status") == {}


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [("Conflict", 5), ("Invalid", 6), ("Environment", 7), ("EdgeError", 8), ("StoreError", 9)],
)
def test_a_refusal_is_raised_as_the_error_that_it_was(fake: FakeKeeper, kind: str, exit_code: int) -> None:
    fake.refuse("POST /groups", kind, 409, exit_code, "no room for family")
    with keeper(fake.state) as running, pytest.raises(getattr(errors, kind), match="no room for family") as caught:
        running.post("/groups", {"name": "family"})
    assert caught.value.exit_code == exit_code
    assert caught.value.way_out == "do something else"


def test_not_found_keeps_its_exit_code_without_its_fields(fake: FakeKeeper) -> None:
    fake.refuse("GET /accounts/ann", "NotFound", 404, 4, "there is no account named 'ann'")
    with keeper(fake.state) as running, pytest.raises(errors.PortwardError, match="no account named 'ann'") as caught:
        running.get("/accounts/ann")
    assert caught.value.exit_code == 4


def test_mistakes_come_back_as_mistakes(fake: FakeKeeper) -> None:
    mistake = {
        "file": "portward.toml",
        "line": 3,
        "key": "domain",
        "problem": "is wrong",
        "expected": "",
        "way_out": "",
    }
    error = {"type": "ConfigError", "message": "portward.toml:3: …", "exit_code": 2, "mistakes": [mistake]}
    fake.answer("POST /reload", {"error": error}, 422)
    with keeper(fake.state) as running, pytest.raises(errors.ConfigError) as caught:
        running.post("/reload")
    assert caught.value.mistakes == (errors.Mistake(**mistake),)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "x"}', json.dumps({"error": {}}).encode()])
def test_an_error_without_a_reason_is_still_one(fake: FakeKeeper, body: bytes) -> None:
    fake.answer("GET /status", body, 500)
    with keeper(fake.state) as running, pytest.raises(errors.PortwardError, match="answered 500"):
        running.get("/status")
