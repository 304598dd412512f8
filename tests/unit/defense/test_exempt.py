"""Who can't be banned, and what is said to who tries."""

from ipaddress import ip_network

import pytest

from portward.defense.exempt import Exemptions, canonical, network_of, why_exempt
from portward.errors import Invalid

EXEMPT = Exemptions(
    own=(ip_network("45.90.0.1"), ip_network("2a0e:b107::1")),
    gateways=(ip_network("45.90.0.254"),),
    proxies=(ip_network("104.16.0.0/13"),),
    allowed=(ip_network("198.51.100.0/24"),),
)


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("127.0.0.1", "127.0.0.1, in 127.0.0.0/8, is this machine itself"),
        ("::1", "::1 is this machine itself"),
        ("45.90.0.1", "45.90.0.1 is an address of this machine"),
        ("45.90.0.0/24", "45.90.0.0/24 holds 45.90.0.1, which is an address of this machine"),
        ("2a0e:b107::/64", "2a0e:b107::/64 holds 2a0e:b107::1, which is an address of this machine"),
        ("45.90.0.254", "is the way to the internet"),
        ("104.16.1.2", "is a trusted proxy"),
        ("192.168.1.9", "is a private network (`defence.protect-private`)"),
        ("fd00::7", "is a private network"),
        ("100.64.0.7", "is a private network"),
        ("198.51.100.7", "is on the allowlist"),
        ("0.0.0.0/0", "is a large part of the internet"),
        ("2000::/3", "is a large part of the internet"),
    ],
)
def test_who_would_take_others_or_the_owner_along_is_exempt(source: str, why: str) -> None:
    assert why in why_exempt(network_of(source), EXEMPT)


@pytest.mark.parametrize("source", ["203.0.113.7", "203.0.113.0/24", "2a0e:b107:1::/64", "198.51.0.0/16"])
def test_anybody_else_may_be_banned_also_a_network_around_allowed_ones(source: str) -> None:
    assert why_exempt(network_of(source), EXEMPT) == ""


def test_private_networks_are_protected_by_choice() -> None:
    assert why_exempt(network_of("10.0.0.7"), Exemptions(private=False)) == ""


@pytest.mark.parametrize(
    ("text", "spelt"),
    [
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("2001:DB8:0::7/64", "2001:db8::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_source_has_one_spelling(text: str, spelt: str) -> None:
    assert canonical(text) == spelt


@pytest.mark.parametrize("text", ["", "example.com", "203.0.113", "203.0.113.7/33", "1.2.3.4; drop", "x" * 5000])
def test_what_is_no_source_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="is no address and no network"):
        canonical(text)
