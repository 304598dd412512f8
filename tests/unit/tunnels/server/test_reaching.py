"""Which addresses behind a name a key may be connected to."""

from ipaddress import ip_address

import pytest

from portward.tunnels.server.reaching import permitted, plain

_REACH = ("db.internal:5432", "*.lab:22", "10.0.0.0/8:22", "127.0.0.1:8080", "[2001:db8::]/32:443", "any.test:*")
_OWN = ("192.0.2.1", "2001:db8:1::1")


def _permitted(host: str, port: int, *addresses: str, reach: tuple[str, ...] = _REACH) -> list[str]:
    return [str(address) for address in permitted(reach, host, port, [ip_address(a) for a in addresses], _OWN)]


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("db.internal", 5432, "10.0.0.5"),
        ("DB.Internal.", 5432, "192.168.1.5"),
        ("a.b.lab", 22, "172.16.0.1"),
        ("10.1.2.3", 22, "10.1.2.3"),
        ("named-elsewhere.test", 22, "10.1.2.3"),
        ("127.0.0.1", 8080, "127.0.0.1"),
        ("rebound.test", 8080, "127.0.0.1"),
        ("2001:db8:5::5", 443, "2001:db8:5::5"),
        ("any.test", 1, "198.51.100.1"),
        ("::ffff:10.1.2.3", 22, "10.1.2.3"),
    ],
)
def test_what_the_rule_names_is_reached(host: str, port: int, address: str) -> None:
    assert _permitted(host, port, address) == [address]


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("db.internal", 5433, "10.0.0.5"),
        ("evil.db.internal", 5432, "10.0.0.5"),
        ("lab", 22, "172.16.0.1"),
        ("evillab", 22, "172.16.0.1"),
        ("11.1.2.3", 22, "11.1.2.3"),
        ("10.1.2.3", 23, "10.1.2.3"),
        ("::1", 8080, "::1"),
        ("0.0.0.0", 8080, "0.0.0.0"),  # noqa: S104 - that is what is refused
        ("198.51.100.1", 1, "198.51.100.1"),
    ],
)
def test_anything_else_is_not(host: str, port: int, address: str) -> None:
    assert _permitted(host, port, address) == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "0.0.0.0",  # noqa: S104 - that is what is refused
        "::",
        "224.0.0.1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        *_OWN,
    ],
)
def test_a_name_that_points_at_the_gateway_itself_is_not_reached(address: str) -> None:
    assert _permitted("any.test", 80, address) == []


def test_of_several_addresses_only_the_harmless_ones_are_used() -> None:
    assert _permitted("any.test", 80, "127.0.0.1", "198.51.100.1", "169.254.169.254") == ["198.51.100.1"]


def test_a_star_for_names_covers_no_literal_address() -> None:
    assert _permitted("198.51.100.1", 80, "198.51.100.1", reach=("*:80",)) == []
    assert _permitted("www.test", 80, "198.51.100.1", reach=("*:80",)) == ["198.51.100.1"]


def test_an_address_in_disguise_is_unmasked() -> None:
    assert str(plain(ip_address("::ffff:10.0.0.1"))) == "10.0.0.1"
    assert str(plain(ip_address("64:ff9b::a9fe:a9fe"))) == "169.254.169.254"
