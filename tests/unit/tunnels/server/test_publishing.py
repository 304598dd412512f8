"""What a key may publish, decided from rules alone."""

from dataclasses import replace

import pytest

from portward.tunnels.rules import KeyRule, Policy, Rules, ServiceRule
from portward.tunnels.server.publishing import Loop, Publish, Refused, Wish, decide, matches

_BLOG = ServiceRule(name="blog", host="weblog.example.com", url="https://weblog.example.com", port=3000)
_DB = ServiceRule(name="db", kind="tcp", public_port=5432)
_RULES = Rules(
    policy=Policy(domain="example.com", public_port=8443), services=(_BLOG, _DB), taken=("ann-wiki", "auth", "wiki")
)
_ANY = replace(_RULES, policy=replace(_RULES.policy, naming="any"))
_ANN = KeyRule(name="laptop", account="ann", fingerprint="SHA256:a", public="", publish=("blog", "db", "ann-*"))
_ALL = replace(_ANN, publish=("*",))


def _decide(wish: Wish, key: KeyRule = _ANN, rules: Rules = _RULES) -> Publish | Loop | Refused:
    return decide(wish, key, rules, lambda: "brave-otter-1")


@pytest.mark.parametrize(
    "wish",
    [
        Wish("blog", 80),
        Wish("BLOG", 443),
        Wish("blog", 0),
        Wish("blog", 3000),
        Wish("blog", 8443),
        Wish("blog.example.com", 80),
        Wish("weblog.example.com", 80),
        Wish("localhost", 3000),
        Wish("", 3000),
        Wish("127.0.0.1", 3000),
        Wish("", 0, "/blog"),
        Wish("", 0, "/blog.sock"),
    ],
)
def test_a_declared_service_is_meant_by_name_host_port_and_path(wish: Wish) -> None:
    assert _decide(wish) == Publish(_BLOG)


def test_a_raw_service_is_meant_by_its_own_port() -> None:
    assert _decide(Wish("db", 5432)) == Publish(_DB)
    refused = _decide(Wish("db", 80))
    assert isinstance(refused, Refused)
    assert "-R db:5432:…" in refused.why


def test_a_name_that_no_service_has_is_made_on_the_spot() -> None:
    made = _decide(Wish("ann-draft", 80))
    assert made == Publish(
        ServiceRule(name="ann-draft", host="ann-draft.example.com", url="https://ann-draft.example.com:8443"), made=True
    )


def test_an_account_with_a_dot_makes_names_with_a_dash() -> None:
    key = replace(_ANN, account="ann.b_c", publish=("ann-b-c-*",))
    granted = _decide(Wish("ann-b-c-draft", 80), key)
    assert isinstance(granted, Publish)
    assert granted.made
    granted = _decide(Wish("localhost", 0), key)
    assert isinstance(granted, Publish)
    assert granted.service.name == "ann-b-c-brave-otter-1"


@pytest.mark.parametrize(
    ("key", "rules", "name"),
    [
        (_ANN, _RULES, "ann-brave-otter-1"),
        (_ALL, _ANY, "brave-otter-1"),
        (_ANN, _ANY, "ann-brave-otter-1"),
        (replace(_ANN, publish=("team-*", "t-*")), _ANY, "t-brave-otter-1"),
    ],
)
def test_port_0_without_a_name_gets_a_random_one_that_the_key_may_have(key: KeyRule, rules: Rules, name: str) -> None:
    granted = _decide(Wish("localhost", 0), key, rules)
    assert isinstance(granted, Publish)
    assert (granted.service.name, granted.made) == (name, True)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (Wish("0.0.0.0", 80), "name a service"),  # noqa: S104 - that is what is refused
        (Wish("::", 3000), "name a service"),
        (Wish("*", 80), "name a service"),
        (Wish("192.0.2.1", 80), "name a service"),
        (Wish("blog.elsewhere.org", 80), "name a service"),
        (Wish("12345", 80), "name a service"),
        (Wish("-blog", 80), "name a service"),
        (Wish("a" * 64, 80), "name a service"),
        (Wish("ann-" + "a" * 60, 80), "name a service"),
        (Wish("blo\0g", 80), "name a service"),
        (Wish("blog/../x", 80), "name a service"),
        (Wish("", 22), "port 22"),
        (Wish("localhost", 80), "port 80"),
        (Wish("blog", 22), "no port 22"),
        (Wish("ann-draft", 25), "not port 25"),
        (Wish("ben-draft", 80), "begins with ann-"),
        (Wish("draft", 80), "begins with ann-"),
        (Wish("ann-wiki", 80), "another service's"),
        (Wish("", 0, "/srv/x/blog"), "no socket"),
        (Wish("", 0, "/../blog"), "no socket"),
        (Wish("", 0, "blog"), "no socket"),
    ],
)
def test_what_is_no_service_of_this_key_is_refused_with_a_sentence(wish: Wish, why: str) -> None:
    refused = _decide(wish)
    assert isinstance(refused, Refused)
    assert why in refused.why


def test_any_name_is_still_what_the_key_may_publish() -> None:
    refused = _decide(Wish("draft", 80), _ANN, _ANY)
    assert isinstance(refused, Refused)
    assert "blog, db, ann-*" in refused.why
    assert isinstance(_decide(Wish("draft", 80), _ALL, _ANY), Publish)
    assert isinstance(_decide(Wish("wiki", 80), _ALL, _ANY), Refused)


def test_a_declared_service_is_for_keys_that_name_it() -> None:
    assert isinstance(_decide(Wish("blog", 80), replace(_ANN, publish=("ann-*",))), Refused)
    assert isinstance(_decide(Wish("", 3000), replace(_ANN, publish=())), Refused)


def test_an_unknown_high_port_is_at_most_a_loop() -> None:
    assert _decide(Wish("localhost", 20000)) == Loop(20000)


@pytest.mark.parametrize(
    ("pattern", "name", "covered"),
    [
        ("*", "x", True),
        ("ann-*", "ann-x", True),
        ("ann-*", "annx", False),
        ("blog", "blog", True),
        ("blog", "blog2", False),
    ],
)
def test_patterns_cover_names(pattern: str, name: str, *, covered: bool) -> None:
    assert matches(pattern, name) is covered
