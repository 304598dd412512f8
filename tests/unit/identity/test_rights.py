"""What a key may be allowed, and how it is spelt."""

from datetime import UTC, datetime, timedelta

import pytest

from portward.errors import Invalid
from portward.identity.rights import MOST, Rights, own_names

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_rights_are_kept_in_one_spelling_each_once() -> None:
    rights = Rights(("blog", "ann-*", "*", "blog"), ("DB.internal:5432", "*.lab:*"), ("192.0.2.7", "2001:db8::/32"))
    checked = rights.checked(NOW)
    assert checked.publish == ("blog", "ann-*", "*")
    assert checked.reach == ("db.internal:5432", "*.lab:*")
    assert checked.sources == ("192.0.2.7/32", "2001:db8::/32")


@pytest.mark.parametrize(
    "word",
    [
        "db:5432",
        "10.0.0.7:22",
        "10.0.0.0/8:*",
        "[::1]:22",
        "[2001:db8::]/32:*",
        "build_1.lab:65535",
        "*.lab:22",
        "*:443",
    ],
)
def test_a_destination_is_a_place_and_a_port(word: str) -> None:
    assert Rights(reach=(word,)).checked(NOW).reach == (word,)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "db",
        "db:",
        ":22",
        "db:0",
        "db:65536",
        "db:ssh",
        "10.0.0.1/8:22",
        "10.0.0.256:22",
        "::1:22",
        "[10.0.0.1]:22",
        "[::1]/8:22",
        "*db:22",
        "a.*.lab:22",
        "a b:22",
        "db:22\n",
        "-oProxyCommand=x:22",
        f"{'a' * 64}:22",
        f"{'a.' * 140}a:22",
    ],
)
def test_what_is_no_destination_is_refused(word: str) -> None:
    with pytest.raises(Invalid, match="is no destination"):
        Rights(reach=(word,)).checked(NOW)


@pytest.mark.parametrize("word", ["", "Blog", "a.b", "-a", "a*", "*-a", "a-**", "../x", "blog\n", "x" * 33])
def test_what_is_no_name_of_a_service_is_refused(word: str) -> None:
    with pytest.raises(Invalid, match="no name of a service"):
        Rights(publish=(word,)).checked(NOW)


@pytest.mark.parametrize("word", ["", "home", "10.0.0.1/8", "300.0.0.1"])
def test_what_is_no_network_is_refused(word: str) -> None:
    with pytest.raises(Invalid):
        Rights(sources=(word,)).checked(NOW)


def test_an_end_lies_ahead_and_a_deadline_is_some_time() -> None:
    with pytest.raises(Invalid, match="would have expired at 2026-03-01 12:00 UTC"):
        Rights(expires_at=NOW).checked(NOW)
    for deadline in (timedelta(0), timedelta(days=4000)):
        with pytest.raises(Invalid, match="from a second to ten years"):
            Rights(deadline=deadline).checked(NOW)
    assert Rights(expires_at=NOW + timedelta(1), deadline=timedelta(hours=8)).checked(NOW).publish == ()


def test_a_list_has_an_end() -> None:
    with pytest.raises(Invalid, match="more than 100"):
        Rights(publish=tuple(f"s{number}" for number in range(MOST + 1))).checked(NOW)


def test_an_accounts_own_names_are_names_of_services() -> None:
    assert own_names("ann") == ("ann-*",)
    assert Rights(publish=own_names("ann.b_c")).checked(NOW).publish == ("ann-b-c-*",)
    assert Rights(publish=own_names("a" * 32)).checked(NOW).publish == (f"{'a' * 32}-*",)


def test_rights_are_a_sentence_for_the_record() -> None:
    assert str(Rights()) == "nothing"
    rights = Rights(("ann-*",), ("db:22",), ("192.0.2.0/24",), NOW, timedelta(hours=8))
    wanted = "publish ann-*, reach db:22, from 192.0.2.0/24, until 2026-03-01T12:00:00+00:00, deadline 8h"
    assert str(rights) == wanted
