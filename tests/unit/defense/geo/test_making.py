"""From what others publish to data that are asked: complete, without contradictions, and not poorer than before."""

from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.defense.geo.data import atlas

from portward.defense.geo import making
from portward.defense.geo.atlas import END, Atlas
from portward.defense.geo.making import make, refuse_poorer
from portward.defense.geo.sources import Row
from portward.errors import Invalid

ROWS = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(1, 3)).map(
        lambda drawn: Row(min(drawn[:2]), max(drawn[:2]), 6, drawn[2])
    ),
    min_size=1,
    max_size=10,
)


def narrowest(rows: Iterable[Row], address: int) -> int:
    """Of the ranges around an address, the one that begins last, and of those the one that ends first, counts."""
    inside = [(row.first, -row.last, row.value) for row in rows if row.first <= address <= row.last]
    return max(inside)[2] if inside else 0


@given(ROWS)
def test_of_ranges_that_overlap_the_narrower_one_counts(rows: list[Row]) -> None:
    unique = list({(row.first, row.last): row for row in rows}.values())
    made = make(unique)
    assert [made.v6.find(address) for address in range(62)] == [narrowest(unique, address) for address in range(62)]
    assert made.v6.find(END[6]) == 0
    assert [last for last, _ in made.v6][-1] == END[6]


def test_ranges_that_often_contradict_each_other_are_refused() -> None:
    rows = [Row(0, 10**6, 4, 1), *(Row(n * 10, n * 10 + 5, 4, 2) for n in range(30))]
    with pytest.raises(Invalid, match="overlap and contradict"):
        make(rows)


def test_too_much_and_nothing_at_all_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match="no range"):
        make([])
    monkeypatch.setattr(making, "MOST_RANGES", 3)
    with pytest.raises(Invalid, match="more than 3"):
        make(Row(n, n, 4, 1) for n in range(4))


def test_data_with_less_than_half_of_what_is_in_use_are_refused() -> None:
    whole = make([Row(n * 256, n * 256 + 255, 4, 1 + n % 4) for n in range(100)])
    refuse_poorer(whole, whole.counts)
    refuse_poorer(make([Row(0, 9, 4, 1)]), None)
    for poorer in (
        make([Row(n * 256, n * 256 + 255, 4, 1 + n % 4) for n in range(40)]),
        make([Row(n * 256, n * 256 + 255, 4, 1) for n in range(100)]),
        make([Row(n * 256, n * 256 + 99, 4, 1 + n % 4) for n in range(100)]),
    ):
        with pytest.raises(Invalid, match="less than half"):
            refuse_poorer(poorer, whole.counts)


def test_private_addresses_have_no_country_whatever_the_data_say(tmp_path: Path) -> None:
    path = atlas(tmp_path / "c.geo", "0.0.0.0/0,US\n::/0,US\n")
    with Atlas.open(path) as found:
        for text in ("10.1.2.3", "127.0.0.1", "100.64.0.1", "169.254.9.9", "192.168.1.1", "fd12::1", "fe80::1", "::1"):
            assert found.find(ip_address(text)) == ""
        for text in ("9.255.255.255", "100.128.0.0", "172.32.0.0", "2001:db8::1", "fec0::1", "255.255.255.255"):
            assert found.find(ip_address(text)) == "US"


def test_the_edges_of_a_range_belong_to_it(tmp_path: Path) -> None:
    path = atlas(tmp_path / "c.geo", "198.51.100.0,198.51.100.9,DE\n198.51.100.10,198.51.100.19,AT\n2001:db8::/64,DE\n")
    with Atlas.open(path) as found:
        where = {text: found.find(ip_address(text)) for text in ("198.51.100.0", "198.51.100.9", "198.51.100.10")}
        assert list(where.values()) == ["DE", "DE", "AT"]
        assert found.find(ip_address("198.51.100.20")) == found.find(ip_address("198.51.99.255")) == ""
        assert found.find(ip_address("2001:db8::ffff:ffff:ffff:ffff")) == "DE"
        assert found.find(ip_address("2001:db8:0:1::")) == ""
        assert found.about["ranges"] == 3


def test_a_file_that_is_cut_off_or_not_ours_is_refused(tmp_path: Path) -> None:
    path = atlas(tmp_path / "c.geo", "198.51.100.0/24,DE\n")
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:4100], b"rubbish" * 1000, whole.replace(b'"v4": 3', b'"v4": 9')):
        path.write_bytes(content)
        with pytest.raises(Invalid), Atlas.open(path):
            pass
