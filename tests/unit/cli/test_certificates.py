"""portward certificate: what it asks the keeper for, what it prints, and how it ends."""

import json
from collections.abc import Callable
from typing import Any

from tests.unit.cli.conftest import FakeKeeper
from typer.testing import Result

Portward = Callable[..., Result]
ROW = {"host": "wiki.example.com", "source": "acme", "issuer": "R11", "expires": "2026-12-01T12:00:00+00:00"}
FAILED = {
    **ROW,
    "host": "blog.example.com",
    "failures": 2,
    "problem": "DNS knows no address",
    "way_out": "add a record",
}
ASK = "POST /certificates/ask"


def lines(*values: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def outcome(name: str, what: str, problem: str = "", way_out: str = "") -> dict[str, Any]:
    return {"say": "outcome", "name": name, "outcome": what, "problem": problem, "way_out": way_out, "warnings": []}


def test_the_list_shows_what_is_wrong(fake: FakeKeeper, portward: Portward) -> None:
    fake.answer("GET /certificates", {"certificates": [ROW, FAILED]})
    said = portward("certificate", "list").stdout
    assert "DNS knows no address" in said
    assert json.loads(portward("certificate", "list", "--json").stdout) == [ROW, FAILED]


def test_an_empty_list_says_what_to_do_next(fake: FakeKeeper, portward: Portward) -> None:
    fake.answer("GET /certificates", {"certificates": []})
    assert "portward publish" in portward("certificate", "list").stdout


def test_one_host_is_shown_and_an_unknown_one_is_not_found(fake: FakeKeeper, portward: Portward) -> None:
    fake.answer("GET /certificates", {"certificates": [ROW, FAILED]})
    assert "add a record" in portward("certificate", "show", "Blog.example.com").stdout
    assert portward("certificate", "show", "other.example.com").exit_code == 4


def test_orders_are_followed_and_a_failure_ends_in_an_error(fake: FakeKeeper, portward: Portward) -> None:
    step = {"say": "step", "name": "wiki.example.com", "text": "ordering"}
    bad = outcome("blog.example.com", "mistaken", "DNS knows no address", "add a record")
    fake.answer(ASK, lines(step, outcome("wiki.example.com", "issued"), bad))
    done = portward("certificate", "issue", "wiki.example.com", "blog.example.com")
    assert done.exit_code == 1
    assert "wiki.example.com: ordering" in done.stdout
    assert "wiki.example.com: issued" in done.stdout
    assert "blog.example.com: DNS knows no address\n  → add a record" in done.stdout
    assert fake.asked[0][1]["hosts"] == ["wiki.example.com", "blog.example.com"]


def test_a_dry_run_is_a_rehearsal(fake: FakeKeeper, portward: Portward) -> None:
    fake.answer(ASK, lines(outcome("wiki.example.com", "done")))
    for verb in ("issue", "check"):
        assert portward("certificate", verb, "--dry-run").exit_code == 0
    assert [(asked["task"], asked["rehearsal"]) for _, asked in fake.asked] == [("issue", True), ("issue", True)]


def test_what_the_keeper_refuses_has_its_exit_code(fake: FakeKeeper, portward: Portward) -> None:
    refusal = {"say": "error", "message": "nobody is asked here", "way_out": 'write mode = "acme"', "exit_code": 6}
    fake.answer(ASK, lines(refusal))
    done = portward("certificate", "renew")
    assert done.exit_code == 6
    assert "nobody is asked here" in done.stderr


def test_revoking_asks_before(fake: FakeKeeper, portward: Portward) -> None:
    fake.answer("POST /certificates/revoke", {"results": [outcome("wiki.example.com", "done")]})
    assert portward("certificate", "revoke", "wiki.example.com").exit_code == 6
    assert fake.asked == []
    assert portward("certificate", "revoke", "wiki.example.com", "--reason", "superseded", "--yes").exit_code == 0
    assert fake.asked == [("POST /certificates/revoke", {"host": "wiki.example.com", "reason": 4})]
    assert portward("certificate", "revoke", "wiki.example.com", "--reason", "boredom", "--yes").exit_code == 2
