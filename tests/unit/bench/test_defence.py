"""What `scripts/bench defence` makes up and writes down, without a program running."""

from collections import Counter
from ipaddress import collapse_addresses, ip_network
from itertools import pairwise

import pytest
from bench.defence import page
from bench.defence.judging import OURS, PEER, REGEX, log_lines
from bench.defence.reaction import COMMAND, LOG, LOGIN, TRIES, lines
from bench.defence.reaction import PEER as PEER_REACTION
from bench.defence.subject import banned
from bench.defence.weight import NOTHING, VARIANTS, Loaded, scattered
from bench.figures import Sample


def test_three_lines_of_ten_tell_of_a_failure_and_no_address_fails_often_enough_to_be_banned() -> None:
    failures = [line for line in log_lines(1000) if "Failed password" in line]
    assert len(failures) == 300
    addresses = Counter(line.split(" from ")[1].split()[0] for line in failures)
    assert set(addresses.values()) == {TRIES - 1}


def test_an_attacker_fails_as_often_as_it_takes() -> None:
    assert lines("91.64.0.1", 5).count("Failed password for root from 91.64.0.1 port") == 5


def test_a_million_banned_sources_are_public_and_none_is_named_twice() -> None:
    first = [ip_network(source) for source in banned(10_000)]
    assert len(set(first)) == 10_000
    assert all(one.is_global for one in first)
    *_, last = banned(1_000_000)
    assert ip_network(last).is_global
    addresses = [one for one in first if one.version == 4]
    assert all(one < other for one, other in pairwise(addresses))


def test_networks_of_one_country_lie_apart_so_that_none_can_be_put_together() -> None:
    some = [ip_network(network) for network in scattered(1000)]
    assert len(list(collapse_addresses(one for one in some if one.version == 4))) == 500
    assert len(list(collapse_addresses(one for one in some if one.version == 6))) == 500
    *_, last4, last6 = scattered(500_000)
    assert ip_network(last4).is_global
    assert ip_network(last6).is_global


@pytest.mark.parametrize(("count", "expected"), [(1, 0), (100, 98), (101, 99), (200, 197)])
def test_the_99th_percentile_is_a_value_that_was_measured(count: int, expected: int) -> None:
    assert page.p99([float(number) for number in range(count)]) == expected


def test_the_page_shows_each_part() -> None:
    sample = {
        "p99_ms": 2.0, "cpu_us": {"edge": 20.0}, "errors": 0, "busy": 0.9, "others": 0.0,
    }  # fmt: skip
    pairs = {
        one.title: page.plain(
            Sample(load=load, product=title, rate=rate, **sample)  # type: ignore[arg-type]
            for load in ("http1", "handshake")
            for title, rate in ((NOTHING.title, 1000.0), (one.title, 1000.0 - 50 * number))
        )
        for number, one in enumerate(VARIANTS)
    }
    loaded = {
        one.title: {"start": 1.5, "memory": {"edge": 40.0, "keeper": 90.0}, "kernel": 3.0}
        for one in (NOTHING, *VARIANTS)
    }
    text = page.text(
        {
            "reaction": {
                "measured_at": "2026-11-20",
                "tries": 5,
                "seconds": {LOG: [0.0021], PEER_REACTION: [0.25], LOGIN: [0.0], COMMAND: [0.005]},
                "full": {"bans": 100_000, "seconds": [0.0042]},
                "versions": {"haproxy": "2.6.12", "nft": "1.0.6", "fail2ban": "1.0.2"},
            },
            "judging": {"measured_at": "2026-11-21", "lines": 100, "speeds": {OURS: 50_000, PEER: 5_000, REGEX: 6_000}},
            "loading": {
                "measured_at": "2026-11-20", "imported": 100_000, "import": 6.25,
                "starts": [{"bans": 1_000_000, "first": 20.04, "again": 21.0, "memory": {"edge": 315, "keeper": 120}}],
            },
            "weight": {
                "measured_at": "2026-11-20", "rounds": 3, "seconds": 4.0,
                "pairs": pairs, "loaded": loaded,
            },
        }
    )  # fmt: skip
    assert "Measured 2026-11-21" in text
    assert "a list of 100,000 addresses in 6.2 s" in text
    assert "| 1,000,000 | 20.0 s | 21.0 s | 435 MB | 315 MB | 120 MB |" in text
    assert f"| {LOG} | 2.1 ms | 2.1 ms | 2.1 ms |" in text
    assert f"| {PEER_REACTION} | 250 ms |" in text
    assert f"| {PEER} | 5,000 |" in text
    assert f"| {VARIANTS[1].title} | 950 | 1,000 | 0.95 | 1.00 | 2.0 ms | 2.0 ms |" in text
    assert f"| {VARIANTS[1].title} | 950 | 1,000 | 0.95 | 1.00 |\n" in text
    assert f"| {NOTHING.title} | 1.5 s | 130 MB | 40 MB | 3 MB |" in text
    assert Loaded(**loaded[NOTHING.title]).start == 1.5
