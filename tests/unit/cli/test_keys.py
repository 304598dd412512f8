"""key: what is asked of the keeper, and what is printed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.identity.test_keys import fresh_key
from typer.testing import Result

from .conftest import FakeKeeper

Portward = Callable[..., Result]
LAPTOP = {"name": "laptop", "account": "ann", "fingerprint": "SHA256:abc", "publish": ["blog", "ann-*"], "reach": []}


def test_a_key_is_added_with_all_that_it_may_do(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("POST /keys", {"key": LAPTOP}, 201)
    line = fresh_key()
    Path("id.pub").write_text(line)
    rights = ["--publish", "blog, wiki", "--publish", "ann-*", "--reach", "db:22", "--from", "192.0.2.0/24"]
    times = ["--until", "2026-12-31T18:00", "--deadline", "8h"]
    result = portward("key", "add", "laptop", "id.pub", "--account", "ann", *rights, *times)
    assert "blog, ann-*" in result.stdout
    ((request, body),) = fake.asked
    assert request == "POST /keys"
    assert body == {
        "name": "laptop",
        "account": "ann",
        "key": line,
        "publish": ["blog", "wiki", "ann-*"],
        "reach": ["db:22"],
        "sources": ["192.0.2.0/24"],
        "expires_at": "2026-12-31T18:00:00+00:00",
        "deadline": "8h",
    }


def test_a_key_may_come_from_standard_input(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("POST /keys", {"key": LAPTOP}, 201)
    line = fresh_key()
    assert portward("key", "add", "laptop", "-", "--account", "ann", stdin=line).exit_code == 0
    assert fake.asked[0][1] == {"name": "laptop", "account": "ann", "key": line}


def test_a_private_key_does_not_leave_the_machine(portward: Portward, fake: FakeKeeper) -> None:
    Path("id").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n")
    Path("id.pub").write_text(fresh_key())
    result = portward("key", "add", "laptop", "id", "--account", "ann")
    assert (result.exit_code, fake.asked) == (6, [])
    assert "that is a private key" in result.stderr
    assert "give id.pub" in result.stderr
    assert "c2VjcmV0" not in result.output


def test_a_file_that_is_not_there_is_a_sentence(portward: Portward, fake: FakeKeeper) -> None:
    result = portward("key", "add", "laptop", "none.pub", "--account", "ann")
    assert result.exit_code == 4
    assert "ssh-keygen" in result.stderr


def test_only_what_is_given_is_changed(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("PATCH /keys/laptop", {"key": LAPTOP})
    assert portward("key", "change", "laptop", "--publish", "", "--until", "none").exit_code == 0
    assert fake.asked == [("PATCH /keys/laptop", {"publish": [], "expires_at": None})]
    assert portward("key", "change", "laptop").exit_code == 2


def test_a_length_of_time_counts_from_now(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("PATCH /keys/laptop", {"key": LAPTOP})
    before = datetime.now(UTC)
    assert portward("key", "change", "laptop", "--until", "30d").exit_code == 0
    said = datetime.fromisoformat(fake.asked[0][1]["expires_at"])
    assert before <= said - timedelta(days=30) <= datetime.now(UTC)
    assert portward("key", "change", "laptop", "--until", "soon").exit_code == 2


def test_keys_are_a_table_or_json_or_a_way_to_the_first_one(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /keys", {"keys": [LAPTOP]})
    assert "SHA256:abc" in portward("key", "list").stdout
    assert json.loads(portward("key", "list", "--json").stdout) == [LAPTOP]
    fake.answer("GET /keys?account=ben", {"keys": []})
    assert "`portward key add NAME FILE.pub --account ACCOUNT`" in portward("key", "list", "--account", "ben").stdout


def test_a_key_is_shown_and_removed(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /keys/laptop", {"key": LAPTOP})
    fake.answer("DELETE /keys/..%2Flaptop", None, 204)
    assert "SHA256:abc" in portward("key", "show", "laptop").stdout
    assert json.loads(portward("key", "show", "laptop", "--json").stdout) == {"key": LAPTOP}
    assert portward("key", "remove", "../laptop", "--yes").stdout == "removed the key ../laptop\n"
    assert portward("key", "remove", "laptop").exit_code == 6


@pytest.mark.parametrize("verb", ["add", "show", "change", "remove"])
def test_help_has_an_example(portward: Portward, verb: str) -> None:
    assert f"Example: portward key {verb}" in portward("key", verb, "--help").stdout
