"""Which names are due, and how long a failure keeps them waiting."""

from datetime import UTC, datetime, timedelta

import pytest

from portward.model import Certificate, Source, Standing
from portward.pki.acme.schedule import NOW, Lot, asks_at, due_at, lots, wait_after

START = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
WIKI = Lot("wiki.example.com", ("wiki.example.com",))


def shown(source: Source = "acme", *, staging: bool = False) -> dict[str, Certificate]:
    life = START, START + 90 * DAY
    one = Certificate(
        file="x.pem",
        names=WIKI.hosts,
        serial="1",
        fingerprint="f",
        issuer="i",
        not_before=life[0],
        not_after=life[1],
        source=source,
        staging=staging,
    )
    return {"wiki.example.com": one}


def test_each_host_has_an_order_of_its_own() -> None:
    assert lots(("wiki.example.com", "auth.example.com"), ()) == [
        WIKI,
        Lot("auth.example.com", ("auth.example.com",)),
    ]


def test_a_wildcard_serves_the_hosts_directly_below() -> None:
    hosts = ("wiki.example.com", "a.b.example.com", "auth.example.com", "example.com", "other.org")
    assert [lot.name for lot in lots(hosts, ("example.com",))] == [
        *("*.example.com", "a.b.example.com", "example.com", "other.org")
    ]
    assert lots(hosts, ("example.com",))[0].hosts == ("wiki.example.com", "auth.example.com")


def test_a_host_without_a_public_certificate_is_due_at_once() -> None:
    assert due_at(WIKI, shown("local"), None) == NOW
    assert due_at(WIKI, shown(staging=True), None) == NOW


def test_the_operators_own_file_needs_no_order() -> None:
    assert due_at(WIKI, shown("files"), None) is None
    assert asks_at(WIKI, shown("files"), None) is None


def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left() -> None:
    assert due_at(WIKI, shown(), Standing(WIKI.name)) == START + 60 * DAY


def test_the_authoritys_own_wish_counts_before_that_but_never_after_the_end() -> None:
    assert due_at(WIKI, shown(), Standing(WIKI.name, renew_at=START + 10 * DAY)) == START + 10 * DAY
    assert due_at(WIKI, shown(), Standing(WIKI.name, renew_at=START + 100 * DAY)) == START + 90 * DAY


def test_nothing_is_tried_before_the_back_off_is_over() -> None:
    standing = Standing(WIKI.name, failures=1, not_before=START + 70 * DAY)
    assert due_at(WIKI, shown("local"), standing) == due_at(WIKI, shown(), standing) == START + 70 * DAY


def test_the_authority_is_asked_for_its_wish_when_it_said_so() -> None:
    assert asks_at(WIKI, shown(), None) == NOW
    assert asks_at(WIKI, shown(), Standing(WIKI.name, ask_at=START)) == START
    assert asks_at(WIKI, shown("local"), Standing(WIKI.name, ask_at=START)) is None


@pytest.mark.parametrize("outcome", ["mistaken", "refused", "limited", "interrupted"])
def test_each_failure_waits_longer_and_none_for_ever(outcome: str) -> None:
    waits = [wait_after(outcome, failures, timedelta()) for failures in range(1, 40)]
    assert waits == sorted(waits)
    assert waits[0] < waits[2] <= waits[-1] <= DAY


def test_failed_validations_stay_below_five_in_an_hour() -> None:
    begins = [timedelta()]
    for failures in range(1, 10):
        begins.append(begins[-1] + wait_after("refused", failures, timedelta()))
    assert all(later - earlier > timedelta(hours=1) for earlier, later in zip(begins, begins[4:], strict=False))


def test_the_authoritys_retry_after_is_never_undercut() -> None:
    assert wait_after("limited", 1, 2 * DAY) == 2 * DAY
    assert wait_after("interrupted", 1, timedelta(minutes=7)) == timedelta(minutes=7)
    assert wait_after("limited", 1, 400 * DAY) == 7 * DAY
