"""Which certificate a host shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from portward.model import Certificate
from portward.pki.choice import best, covers, objection

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACME = Certificate(
    file="a.pem",
    names=("wiki.example.com",),
    serial="1",
    fingerprint="01",
    issuer="Authority",
    not_before=NOW - timedelta(days=60),
    not_after=NOW + timedelta(days=30),
    source="acme",
)
OWN = replace(ACME, source="files", fingerprint="02")
LOCAL = replace(ACME, source="local", fingerprint="03")
STAGING = replace(ACME, staging=True, fingerprint="04", not_before=NOW)
EXPIRED = replace(ACME, not_after=NOW, fingerprint="05")
RENEWED = replace(ACME, not_before=NOW, not_after=NOW + timedelta(days=6), fingerprint="06")


@pytest.mark.parametrize(
    ("name", "host", "covered"),
    [
        ("wiki.example.com", "wiki.example.com", True),
        ("*.example.com", "wiki.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "deep.wiki.example.com", False),
        ("*.com", "example.com", True),
        ("wiki.example.com", "wiki.example.com.evil.test", False),
    ],
)
def test_a_wildcard_stands_for_one_label(name: str, host: str, *, covered: bool) -> None:
    assert covers(replace(ACME, names=(name,)), host) is covered


def test_own_files_come_before_public_ones_and_those_before_ours() -> None:
    assert best([LOCAL, ACME, OWN], "wiki.example.com", NOW) == OWN
    assert best([LOCAL, ACME], "wiki.example.com", NOW) == ACME


def test_what_has_expired_or_is_for_another_host_is_never_chosen() -> None:
    assert best([EXPIRED, replace(OWN, names=("other.example.com",))], "wiki.example.com", NOW) is None
    assert best([EXPIRED, LOCAL], "wiki.example.com", NOW) == LOCAL


def test_the_last_one_issued_is_chosen_however_short_its_life() -> None:
    assert best([RENEWED, ACME], "wiki.example.com", NOW) == RENEWED
    assert objection(RENEWED, ACME, NOW) == ""


@pytest.mark.parametrize(
    ("new", "current", "reason"),
    [
        (STAGING, ACME, "a test service"),
        (STAGING, OWN, "a test service"),
        (ACME, OWN, "own file"),
        (ACME, RENEWED, "issued later"),
        (EXPIRED, LOCAL, "expired"),
        (replace(ACME, not_before=NOW + timedelta(hours=2)), LOCAL, "valid from"),
        (LOCAL, ACME, "better"),
    ],
)
def test_a_valid_certificate_is_never_replaced_by_a_worse_one(
    new: Certificate, current: Certificate, reason: str
) -> None:
    assert reason in objection(new, current, NOW)


def test_anything_valid_replaces_what_has_expired() -> None:
    assert objection(STAGING, EXPIRED, NOW) == ""
    assert objection(LOCAL, replace(OWN, not_after=NOW), NOW) == ""


def test_a_test_certificate_may_stand_in_for_ours_until_the_real_one_comes() -> None:
    assert objection(STAGING, LOCAL, NOW) == ""
    assert objection(ACME, STAGING, NOW) == ""
