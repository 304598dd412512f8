"""Mistakes are named before an authority is asked: what was found, what was expected, the way out."""

from datetime import timedelta
from typing import Any

import pytest

from portward.pki.acme.preflight import Finding, Question, Rule, Seen, Visit, judge

HOST = "wiki.example.com"
PUBLIC = "93.184.216.34"
LETS_ENCRYPT = ("letsencrypt.org",)


def seen(**more: Any) -> Seen:
    return Seen(**{"name": HOST, "a": (PUBLIC,), "visits": (Visit(PUBLIC, "here"),), **more})


def asked(**more: Any) -> Question:
    return Question(**{"challenge": "http-01", "port": 80, "identities": LETS_ENCRYPT, **more})


def judged(found: Seen, question: Question | None = None) -> list[Finding]:
    return judge(found, question or asked())


def test_a_name_that_leads_here_is_fine() -> None:
    assert judged(seen()) == []


def test_a_name_without_an_address_is_a_mistake() -> None:
    (finding,) = judged(seen(a=(), visits=()))
    assert finding.blocks
    assert "no A, no AAAA" in finding.problem


def test_a_private_address_is_a_mistake_for_a_public_authority_alone() -> None:
    found = seen(a=("10.0.0.7",), visits=(Visit("10.0.0.7", "here"),))
    assert "10.0.0.7" in judged(found)[0].problem
    assert judged(found, asked(public=False)) == []


def test_what_answers_instead_is_shown_with_the_bytes() -> None:
    (finding,) = judged(seen(visits=(Visit(PUBLIC, "other", "status 404 (nginx), b'<html>'"),)))
    assert finding.blocks
    assert f"{HOST} at {PUBLIC} port 80" in finding.problem
    assert "nginx" in finding.problem
    assert "preflight = false" in finding.way_out


def test_a_closed_port_of_this_machine_is_a_mistake() -> None:
    (finding,) = judged(seen(visits=(Visit(PUBLIC, "closed", "Connection refused", own=True),)))
    assert finding.blocks


@pytest.mark.parametrize("met", ["closed", "unknown"])
def test_what_may_only_be_closed_from_inside_is_a_warning(met: Any) -> None:
    (finding,) = judged(seen(visits=(Visit(PUBLIC, met, "no answer in time"),)))
    assert not finding.blocks


@pytest.mark.parametrize(
    ("rules", "fine"),
    [
        ((Rule("example.com", 0, "issue", "letsencrypt.org"),), True),
        ((Rule("example.com", 0, "issue", "Letsencrypt.org ; validationmethods=http-01,dns-01"),), True),
        ((Rule("example.com", 0, "issue", "letsencrypt.org; validationmethods=dns-01"),), False),
        ((Rule("example.com", 0, "issue", "letsencrypt.org; accounturi=https://ca/acct/2"),), False),
        ((Rule("example.com", 0, "issue", ";"),), False),
        ((Rule("example.com", 0, "issue", "ca.other"), Rule("example.com", 0, "issue", "letsencrypt.org")), True),
        ((Rule("example.com", 0, "iodef", "mailto:a@example.com"),), True),
        ((Rule("example.com", 0, "issuewild", ";"),), True),
        ((), True),
    ],
)
def test_caa_records_are_read_as_the_authority_reads_them(rules: tuple[Rule, ...], fine: bool) -> None:
    found = judged(seen(caa=rules), asked(account="https://ca/acct/1"))
    assert (found == []) == fine
    assert all("example.com" in finding.problem and "letsencrypt.org" in finding.expected for finding in found)


def test_a_wildcard_has_records_of_its_own() -> None:
    rules = (Rule("example.com", 0, "issue", "letsencrypt.org"), Rule("example.com", 0, "issuewild", ";"))
    wild = Seen("*.example.com", caa=rules)
    assert "issuewild" in judged(wild, asked(challenge="dns-01"))[0].problem
    assert judged(Seen("*.example.com", caa=rules[:1]), asked(challenge="dns-01")) == []


def test_nothing_is_said_of_caa_where_the_authority_names_no_identity() -> None:
    assert judged(seen(caa=(Rule("example.com", 0, "issue", ";"),)), asked(identities=())) == []


def test_dns_01_needs_no_address() -> None:
    assert judged(Seen(HOST), asked(challenge="dns-01")) == []


@pytest.mark.parametrize(("off", "word"), [(timedelta(hours=2), "ahead"), (timedelta(hours=-2), "behind")])
def test_a_wrong_clock_is_measured(off: timedelta, word: str) -> None:
    (finding,) = judged(seen(clock_off=off))
    assert f"120 minutes {word}" in finding.problem
    assert judged(seen(clock_off=off / 100)) == []


def test_a_silent_dns_is_said_to_be_silent() -> None:
    (finding,) = judged(Seen(HOST, problem="DNS does not answer"))
    assert finding.blocks


def test_mistakes_come_before_warnings() -> None:
    visits = (Visit(PUBLIC, "closed"), Visit("2606:2800::1", "other", "something"))
    assert [finding.blocks for finding in judged(seen(visits=visits))] == [True, False]
