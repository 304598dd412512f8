"""Ranges and networks: what goes in comes out, and nothing else."""

from ipaddress import ip_address, ip_network, summarize_address_range

from hypothesis import given
from hypothesis import strategies as st

from portward.defense.geo.atlas import END
from portward.defense.geo.cover import cidrs, joined, overlay, spell, walk_over

FAMILY = st.sampled_from([4, 6])


@st.composite
def ranges(draw: st.DrawFn) -> tuple[int, int, int]:
    family = draw(FAMILY)
    first, last = sorted(draw(st.tuples(*[st.integers(0, END[family])] * 2)))
    return first, last, family


@given(ranges())
def test_the_cover_of_a_range_is_the_fewest_networks_that_hold_it(given_: tuple[int, int, int]) -> None:
    first, last, family = given_
    ours = [ip_network(spell(start, prefix, family)) for start, prefix in cidrs(first, last, family)]
    make = ip_address(first) if family == 4 else ip_address(first.to_bytes(16, "big"))
    end = ip_address(last) if family == 4 else ip_address(last.to_bytes(16, "big"))
    assert ours == list(summarize_address_range(make, end))  # type: ignore[type-var]


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)).map(lambda ends: (min(ends), max(ends)))))
def test_a_walk_knows_for_each_address_whether_it_is_in_a_range(given_: list[tuple[int, int]]) -> None:
    inside = {address for first, last in given_ for address in range(first, last + 1)}
    at = 0
    for last, value in walk_over(given_, 4):
        assert all((address in inside) == bool(value) for address in range(at, min(last, 400) + 1))
        at = last + 1
    assert at == END[4] + 1


@given(st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=8), min_size=1, max_size=4))
def test_walks_over_each_other_agree_with_each_of_them(drawn: list[list[tuple[int, int]]]) -> None:
    walks = [[*sorted(dict(walk).items()), (60, 9)] for walk in drawn]
    at = 0
    for last, values in overlay(*walks):
        for walk, value in zip(walks, values, strict=True):
            for address in (at, last):
                assert value == next(v for end, v in walk if address <= end)
        at = last + 1
    assert at == 61


def test_stretches_of_the_same_value_become_one() -> None:
    assert list(joined([(9, 1), (19, 1), (29, 2), (39, 1)])) == [(0, 19, 1), (20, 29, 2), (30, 39, 1)]
    assert list(joined([])) == []
