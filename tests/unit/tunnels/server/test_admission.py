"""Whose key it is, and whether it may come in."""

from datetime import UTC, datetime, timedelta

import pytest

from portward.tunnels.rules import AuthorityRule, KeyRule, Rules
from portward.tunnels.server.admission import Denied, judge, judge_certificate

_NOW = datetime(2026, 5, 1, tzinfo=UTC)
_HOME = KeyRule(
    name="home", account="ann", fingerprint="SHA256:h", public="x", sources=("192.0.2.0/24", "2001:db8::/32")
)
_OLD = KeyRule(name="old", account="ann", fingerprint="SHA256:o", public="x", expires_at=_NOW)
_HQ = AuthorityRule(
    name="hq", fingerprint="SHA256:ca", public="x", publish=("{account}-*",), reach=("{account}.lab:22",)
)
_RULES = Rules(keys=(_HOME, _OLD), authorities=(_HQ,), accounts=("ann",))


@pytest.mark.parametrize("address", ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::5"])
def test_a_key_comes_in_from_its_networks(address: str) -> None:
    assert judge(_RULES, "SHA256:h", address, _NOW) == _HOME


def test_a_key_from_elsewhere_is_refused() -> None:
    assert judge(_RULES, "SHA256:h", "198.51.100.1", _NOW) == Denied("source")


def test_a_key_expires_to_the_second() -> None:
    assert judge(_RULES, "SHA256:o", "192.0.2.9", _NOW) == Denied("expired")
    assert judge(_RULES, "SHA256:o", "192.0.2.9", _NOW - timedelta(seconds=1)) == _OLD


def test_nobody_knows_an_unknown_key() -> None:
    assert judge(_RULES, "SHA256:?", "192.0.2.9", _NOW) == Denied("unknown")


def _certificate(
    user: str = "ann", authority: str = "SHA256:ca", principals: tuple[str, ...] = ("ann", "eve")
) -> object:
    return judge_certificate(_RULES, authority, user, principals, "192.0.2.9", "ann@hq", "SHA256:k")


def test_a_certificate_gives_its_principal_what_the_authority_gives() -> None:
    key = _certificate()
    assert isinstance(key, KeyRule)
    assert (key.account, key.name, key.publish, key.reach) == ("ann", "ann@hq", ("ann-*",), ("ann.lab:22",))


def test_a_certificate_of_an_account_with_a_dot_may_publish_names_with_a_dash() -> None:
    rules = Rules(authorities=(_HQ,), accounts=("ann.b",))
    key = judge_certificate(rules, "SHA256:ca", "ann.b", ("ann.b",), "192.0.2.9", "ann@hq", "SHA256:k")
    assert isinstance(key, KeyRule)
    assert (key.publish, key.reach) == (("ann-b-*",), ("ann.b.lab:22",))


def test_a_certificate_of_a_stranger_for_a_stranger_or_for_everybody_is_refused() -> None:
    assert _certificate(authority="SHA256:other") == Denied("certificate")
    assert _certificate(user="eve") == Denied("certificate")
    assert _certificate(user="ben") == Denied("certificate")
    assert _certificate(principals=()) == Denied("certificate")
