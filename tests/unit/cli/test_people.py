"""account, group and session: what is asked of the keeper, and what is printed."""

import json
from collections.abc import Callable

import pytest
from typer.testing import Result

from .conftest import FakeKeeper

Portward = Callable[..., Result]
ANN = {"name": "ann", "display_name": "Ann", "email": "", "role": "member", "groups": ["family"], "disabled": False}
EVERYTHING = {"account": ANN, "sessions": [], "link": "https://auth.example.com/enrol?token=T", "ended": 2}


def test_account_add_prints_the_link(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("POST /accounts", {"account": ANN, "link": "https://auth.example.com/enrol?token=T"}, 201)
    result = portward("account", "add", "ann", "--email", "a@b.c", "--display-name", "Ann", "--group", "family")
    assert "\n  https://auth.example.com/enrol?token=T\n" in result.stdout
    wanted = {"name": "ann", "email": "a@b.c", "display_name": "Ann", "groups": ["family"], "role": "member"}
    assert fake.asked == [("POST /accounts", wanted)]


def test_a_password_comes_from_standard_input_alone(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("POST /accounts", {"account": ANN, "link": None}, 201)
    result = portward("account", "add", "ann", "--owner", "--password-stdin", stdin="correct horse \nnext line\n")
    assert fake.asked[0][1]["password"] == "correct horse "
    assert fake.asked[0][1]["role"] == "owner"
    assert "correct horse" not in result.output


def test_an_empty_standard_input_is_no_password(portward: Portward, fake: FakeKeeper) -> None:
    assert portward("account", "add", "ann", "--password-stdin", stdin="\n").exit_code == 6
    assert fake.asked == []


def test_accounts_are_a_table_or_json(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /accounts", {"accounts": [ANN]})
    assert "family" in portward("account", "list").stdout
    assert json.loads(portward("account", "list", "--json").stdout) == [ANN]


def test_no_accounts_is_a_sentence(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /accounts", {"accounts": []})
    assert portward("account", "list").stdout.startswith("no accounts yet")


@pytest.mark.parametrize(
    ("words", "request_line", "body"),
    [
        (["account", "show", "ann"], "GET /accounts/ann", None),
        (["account", "change", "ann", "--role", "owner"], "PATCH /accounts/ann", {"role": "owner"}),
        (["account", "disable", "ann", "--yes"], "PATCH /accounts/ann", {"disabled": True}),
        (["account", "enable", "ann"], "PATCH /accounts/ann", {"disabled": False}),
        (["account", "remove", "ann", "--yes"], "DELETE /accounts/ann", None),
        (["account", "reset", "ann"], "POST /accounts/ann/reset", {"second_factor": False}),
        (["account", "reset", "ann", "--second-factor", "-y"], "POST /accounts/ann/reset", {"second_factor": True}),
        (["account", "show", "../status"], "GET /accounts/..%2Fstatus", None),
        (["group", "add", "family"], "POST /groups", {"name": "family"}),
        (["group", "remove", "family", "--yes"], "DELETE /groups/family", None),
        (["group", "join", "family", "ann"], "PUT /groups/family/members/ann", None),
        (["group", "leave", "family", "ann"], "DELETE /groups/family/members/ann", None),
        (["session", "revoke", "s1"], "DELETE /sessions/s1", None),
        (["session", "revoke", "--account", "ann", "--yes"], "DELETE /sessions?account=ann", None),
    ],
)
def test_a_verb_is_one_request(
    portward: Portward, fake: FakeKeeper, words: list[str], request_line: str, body: object
) -> None:
    fake.answer(request_line, EVERYTHING)
    result = portward(*words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout
    assert fake.asked == [(request_line, body)]


@pytest.mark.parametrize(
    "words",
    [
        ["account", "remove", "ann"],
        ["account", "disable", "ann"],
        ["account", "reset", "ann", "--second-factor"],
        ["group", "remove", "family"],
        ["session", "revoke", "--account", "ann"],
    ],
)
def test_nothing_is_destroyed_unasked_where_nobody_can_be_asked(
    portward: Portward, fake: FakeKeeper, words: list[str]
) -> None:
    result = portward(*words)
    assert result.exit_code == 6
    assert "add --yes" in result.stderr
    assert fake.asked == []


@pytest.mark.parametrize("words", [["session", "revoke"], ["session", "revoke", "s1", "--account", "ann"]])
def test_revoke_wants_a_session_or_an_account(portward: Portward, fake: FakeKeeper, words: list[str]) -> None:
    assert portward(*words).exit_code == 2
    assert fake.asked == []


def test_groups_are_a_table_or_json(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /groups", {"groups": [{"name": "family", "members": ["ann", "ben"]}]})
    assert "ann, ben" in portward("group", "list").stdout
    assert json.loads(portward("group", "list", "--json").stdout)[0]["name"] == "family"


def test_sessions_are_a_table_or_json_that_steers_no_terminal(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /sessions", {"sessions": [{"id": "s1", "device": "\x1b[2Jevil", "second_factor_at": None}]})
    assert "\\x1b[2Jevil" in portward("session", "list").stdout
    assert "\x1b" not in portward("session", "list", "--json").stdout
