"""Lists as they are published, and lists that nobody should take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.defense.lists.spans import networks_of
from portward.defense.lists.text import Unusable, read

PLENTY = 1_000_000


def networks(text: str) -> list[str]:
    return list(networks_of(read(text.encode(), most=PLENTY).spans))


@pytest.mark.parametrize(
    "text",
    [
        "192.0.2.0/24\n2001:db8::/32\n",
        "# FireHOL\n#\n192.0.2.0/24\n\n2001:db8::/32 # why\n",
        "; Spamhaus DROP\n192.0.2.0/24 ; SBL1\r\n2001:db8::/32 ; SBL2\r\n",
        '{"cidr":"192.0.2.0/24","sblid":"SBL1"}\n{"cidr":"2001:db8::/32"}\n{"type":"metadata","records":2}\n',
        "network,seen\n192.0.2.0/24,2026\n2001:db8::/32,2026\n",
        '"192.0.2.0/24","bad"\n"2001:db8::/32","worse"\n',
        "192.0.2.0 - 192.0.2.255\n2001:db8::-2001:db8:ffff:ffff:ffff:ffff:ffff:ffff\n",
        "192.0.2.0\t192.0.2.255\t24\tattacks\n2001:db8::/32\n",
        "192.0.2.128/25\n192.0.2.0/25\n192.0.2.7\n2001:db8::/33\n2001:db8:8000::/33\n2001:db8::1\n",
        "\ufeff192.0.2.9/24\n2001:DB8::/32\n",
        "::ffff:192.0.2.0/120\n2001:db8::/32\n",
    ],
)
def test_the_usual_forms_mean_the_same(text: str) -> None:
    assert networks(text) == ["192.0.2.0/24", "2001:db8::/32"]


def test_a_second_column_that_is_an_address_is_no_range() -> None:
    assert networks("attacker,target\n192.0.2.1,192.0.2.200\n") == ["192.0.2.1/32"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "holds no network"),
        ("# nothing today\n", "holds no network"),
        (
            "<html><head>\n<title>404</title>\n</head>\n<body>\n</body>\n",
            "no list of networks: line 1 is '<html><head>'",
        ),
        ("192.0.2.1\n0.0.0.0/0\n", "more than a /8"),
        ("192.0.2.1\n::/0\n", "more than a /19"),
        ("64.0.0.0/7\n", "more than a /8"),
        ("2001::/18\n", "more than a /19"),
        ("64.0.0.0-70.0.0.0\n", "more than a /8"),
        ("192.0.2.1\n192.0.2.2\n192.0.2.3\n", "more than 2 entries"),
    ],
)
def test_a_bad_list_is_refused_as_a_whole(text: str, complaint: str) -> None:
    with pytest.raises(Unusable, match=complaint):
        read(text.encode(), most=2)


def test_what_no_packet_comes_from_is_left_out() -> None:
    """FireHOL's level 1 holds all bogons, 224.0.0.0/3 among them."""
    found = read(b"0.0.0.0/8\n127.0.0.0/8\n224.0.0.0/3\n192.0.2.1\n", most=PLENTY)
    assert (list(networks_of(found.spans)), found.never_public) == (["192.0.2.1/32"], 3)


def test_a_few_lines_that_are_no_network_are_told() -> None:
    found = read(b"192.0.2.1\nbad.example.com\n192.0.2.300\n", most=PLENTY)
    assert (found.entries, found.unreadable, found.first_unreadable) == (1, 2, "line 2 is 'bad.example.com'")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_unusable(content: bytes) -> None:
    try:
        found = read(content, most=100)
    except Unusable:
        return
    assert all(first <= last < 1 << 128 for _, first, last in found.spans)
