"""Signs: what speaks against whom, and what never does."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.config.detectors import Detectors
from portward.defense.detectors import detectors_of
from portward.defense.probes import Probes
from portward.defense.signs import Knowledge, Sign, signs_of
from portward.defense.sources import source_of
from portward.facts import (
    ErrorAnswered,
    Fact,
    HostLoginFailed,
    KeyRefused,
    LoggedIn,
    LoginFailed,
    LogMatched,
    RequestRefused,
    TunnelOpened,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STRANGER = "203.0.113.7"
DETECTORS = detectors_of(Detectors())
KNOWLEDGE = Knowledge(Probes.shipped(), lambda host: host in {"example.com", "old.example.com"})


def signs(fact: Fact) -> tuple[Sign, ...]:
    return signs_of(fact, DETECTORS, KNOWLEDGE)


def names(fact: Fact) -> set[str]:
    return {sign.detector for sign in signs(fact)}


def refused(rule: str, **fields: Any) -> RequestRefused:
    return RequestRefused(**{"time": NOW, "address": STRANGER, "gate": "request", "rule": rule, **fields})


def answered(status: int = 404, **fields: Any) -> ErrorAnswered:
    given = {"time": NOW, "address": STRANGER, "path": "/a", "errors": 9, "requests": 10, **fields}
    return ErrorAnswered(status=status, **given)


def failed(reason: str, account: str = "") -> LoginFailed:
    return LoginFailed(time=NOW, address=STRANGER, account=account, reason=reason)


@pytest.mark.parametrize(
    ("fact", "detectors"),
    [
        (refused("tls_unknown_name", sni="shop.example.com"), {"unknown-host"}),
        (refused("unknown_host", host="203.0.113.1"), {"unknown-host"}),
        (refused("tls_no_name"), {"tls"}),
        (refused("tls_failed", detail="error:0A0000C1:SSL routines::no shared cipher"), {"tls"}),
        (refused("slow", status=408), {"slow"}),
        (refused("rate", status=429), {"rate"}),
        (refused("crowded", count=40), {"rate"}),
        (refused("no_session", status=401, path="/.env"), {"probe"}),
        (refused("no_session", status=401, path="/api", credential="17"), {"token"}),
        (refused("malformed", status=400, path="/static/..%2f..%2fetc/passwd"), {"probe"}),
        (refused("path", status=404, path="https://a.example.com/.git/config"), {"probe"}),
        (answered(404), {"errors"}),
        (answered(404, path="/wp-login.php"), {"errors", "probe"}),
        (answered(401, credential="17"), {"token"}),
        (failed("password", "ann"), {"login", "account"}),
        (failed("unknown"), {"login"}),
        (failed("throttled"), {"login"}),
        (failed("totp", "ann"), {"second-factor", "account"}),
        (failed("recovery", "ann"), {"second-factor", "account"}),
        (KeyRefused(time=NOW, address=STRANGER, why="unknown", fingerprint="SHA256:x"), {"ssh-key"}),
        (KeyRefused(time=NOW, address=STRANGER, why="silent", version="SSH-2.0-Go"), {"ssh-key"}),
        (HostLoginFailed(time=NOW, address=STRANGER, program="sshd", log="auth"), {"host-ssh"}),
        (LogMatched(time=NOW, address=STRANGER, log="wiki", pattern="nextcloud"), {"log"}),
    ],
)
def test_this_is_a_sign(fact: Fact, detectors: set[str]) -> None:
    assert names(fact) == detectors
    assert {sign.source for sign in signs(fact)} == {STRANGER}


@pytest.mark.parametrize(
    "fact",
    [
        refused("tls_unknown_name", sni="example.com"),
        refused("unknown_host", host="OLD.example.com"),
        refused("tls_failed", detail="error:0A000416:SSL routines::ssl/tls alert certificate unknown"),
        refused("denied", status=403, path="/.env"),
        refused("no_session", status=302, path="/photos"),
        refused("no_session", account="ann", status=401, path="/.env"),
        refused("device_missing", status=403, path="/"),
        refused("upstream_down", status=503, path="/"),
        refused("rate", status=429, account="ann"),
        answered(404, account="ann", path="/.env"),
        answered(404, errors=3, requests=10),
        answered(401),
        answered(409),
        KeyRefused(time=NOW, address=STRANGER, why="expired"),
        KeyRefused(time=NOW, address=STRANGER, why="silent"),
        HostLoginFailed(time=NOW, program="sudo", log="auth"),
        LoggedIn(time=NOW, address=STRANGER, account="ann", session="s", factors="password"),
        TunnelOpened(time=NOW, address=STRANGER, service="blog", key="k"),
    ],
)
def test_this_is_none(fact: Fact) -> None:
    assert names(fact) == set()


def test_what_is_asked_for_again_and_again_is_one_thing() -> None:
    same, other = answered(path="/a.jpg"), answered(path="/b.jpg")
    assert signs(same)[0].what == signs(same)[0].what != signs(other)[0].what


def test_wordpress_is_one_thing_whatever_of_it_is_asked_for() -> None:
    paths = ("/wp-login.php", "/blog/wp-admin/x", "/xmlrpc.php")
    assert {sign.what for path in paths for sign in signs(refused("path", path=path))} == {"wordpress"}


@pytest.mark.parametrize(
    ("address", "scope", "source"),
    [
        ("203.0.113.7", "prefix", "203.0.113.7"),
        ("::ffff:203.0.113.7", "address", "203.0.113.7"),
        ("203.0.113.7", "network", "203.0.113.0/24"),
        ("2001:db8:1:2::5", "address", "2001:db8:1:2::5"),
        ("2001:DB8:1:2::5", "prefix", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::5", "network", "2001:db8:1::/48"),
        ("fe80::1%eth0", "prefix", "fe80::/64"),
        ("unknown", "prefix", ""),
    ],
)
def test_a_source_is_spelt_in_one_way(address: str, scope: Any, source: str) -> None:
    assert source_of(address, scope) == source


anything = st.text(max_size=60) | st.sampled_from(["198.51.100.9", '","ip":"198.51.100.9', "/.env", "%2e%2e", "ann"])


@given(
    texts=st.fixed_dictionaries(dict.fromkeys(("host", "sni", "method", "path", "detail", "credential"), anything)),
    rule=st.sampled_from(["no_session", "path", "malformed", "tls_unknown_name", "unknown_host", "tls_failed"])
    | anything,
    address=anything,
)
def test_whatever_a_client_writes_it_is_the_client_itself_who_is_blamed(
    texts: dict[str, str], rule: str, address: str
) -> None:
    fact = refused(rule, address=address, **texts)
    assert {sign.source for sign in signs(fact)} <= {source_of(address, "prefix")} - {""}


@given(path=st.text(max_size=3000))
def test_any_path_can_be_looked_at(path: str) -> None:
    Probes.shipped().name(path)
