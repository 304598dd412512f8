"""Each line of the event ring belongs to one rule, and each rule can be explained."""

from typing import Any

import pytest

from portward.edge.refusals import ANSWERED_BY_RULE, RULES, rule_of_line


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ({"why": "rate", "status": 429, "state": "PR"}, "rate"),
        ({"why": "", "status": 400, "state": "PR"}, "malformed"),
        ({"why": "", "status": 408, "state": "cR"}, "slow"),
        ({"why": "", "status": 502, "state": "SH", "backend": "services"}, "upstream_failed"),
        ({"why": "", "status": 503, "state": "SC", "backend": "services"}, "upstream_down"),
        ({"why": "", "status": 504, "state": "sH", "backend": "services"}, "upstream_slow"),
        ({"why": "", "status": 503, "state": "SC", "backend": "portal"}, "portal_down"),
        ({"why": "", "status": 504, "state": "sH", "backend": "portal"}, "portal_down"),
        ({"why": "", "status": 503, "state": "--", "backend": "services"}, None),
        ({"why": "", "status": 200, "state": "CD"}, None),
        ({}, None),
    ],
)
def test_a_line_is_named_after_what_stopped_the_request(line: dict[str, Any], rule: str | None) -> None:
    assert rule_of_line(line, hosts=frozenset()) == rule


def test_every_rule_that_answers_is_explained_with_a_way_out() -> None:
    assert set(ANSWERED_BY_RULE) <= set(RULES)
    assert all(rule.title and rule.text and rule.way_out for rule in RULES.values())


def test_only_dropped_connections_have_no_status() -> None:
    silent = {name for name, rule in RULES.items() if rule.status == 0}
    dropped = {
        "denied",
        "abroad",
        "crowded",
        "not_listed",
        "tls_no_name",
        "tls_unknown_name",
        "tls_failed",
        "unknown_host",
    }
    assert silent == dropped
