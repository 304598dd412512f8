"""What rules come down to: every address gets the verdict that the rules give it, in few networks."""

import tempfile
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.defense.geo.data import atlas

from portward.defense.geo.atlas import Atlas
from portward.defense.geo.borders import Borders
from portward.defense.geo.compiling import compile_rules
from portward.defense.geo.rules import Rule, read, spell, verdict
from portward.defense.geo.special import SPECIAL, is_special

COUNTRIES = "198.51.100.0/25,DE\n198.51.100.128/25,AT\n203.0.113.0/24,US\n2001:db8::/33,DE\n2001:db8:8000::/33,CN\n"
NETWORKS = "198.51.100.0/26,64496,Example\n203.0.113.0/25,64497,Example\n2001:db8::/32,64496,Example\n"
ADDRESSES = [
    *("198.51.100.1", "198.51.100.70", "198.51.100.200", "203.0.113.1", "203.0.113.200", "192.0.2.1", "8.8.8.8"),
    *(
        "2001:db8::1",
        "2001:db8:8000::1",
        "2001:db9::1",
        "10.1.2.3",
        "127.0.0.1",
        "100.64.1.1",
        "169.254.1.1",
        "fd00::1",
    ),
    *("0.0.0.1", "255.255.255.255", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe80::1", "172.31.255.255"),
]


def compiled(directory: Path, rules: dict[str, Rule]) -> Borders:
    countries = atlas(directory / "countries.geo", COUNTRIES)
    networks = atlas(directory / "networks.geo", NETWORKS, "networks")
    return compile_rules(countries, networks, rules, directory / "x.json")


def word_of(borders: Borders, address: IPv4Address | IPv6Address) -> str:
    """As HAProxy finds it: the longest prefix, or the word for all others."""
    found = (line.split(" ") for line in borders.map_file.read_text().splitlines())
    fitting = [(ip_network(network).prefixlen, word) for network, word in found if address in ip_network(network)]
    return max(fitting, default=(0, borders.elsewhere))[1]


def shut(directory: Path, rules: dict[str, Rule], rule: str = "") -> list[str]:
    borders = compiled(directory, rules)
    return [text for text in ADDRESSES if word_of(borders, ip_address(text)) in borders.shut(rule)]


def test_a_denied_country_is_shut_out_and_no_other(tmp_path: Path) -> None:
    assert shut(tmp_path, {"": Rule(deny=("US", "CN"))}) == ["203.0.113.1", "203.0.113.200", "2001:db8:8000::1"]


def test_where_only_one_country_may_come_private_addresses_come_too(tmp_path: Path) -> None:
    refused = shut(tmp_path, {"": Rule(allow=("DE",), unknown=True)})
    assert "198.51.100.1" not in refused
    assert "2001:db8::1" not in refused
    assert {"198.51.100.200", "203.0.113.1", "8.8.8.8", "2001:db9::1", "255.255.255.255"} < {*refused}
    assert not [text for text in refused if is_special(int(ip_address(text)), ip_address(text).version)]


def test_unknown_countries_are_as_the_rule_says(tmp_path: Path) -> None:
    assert "8.8.8.8" not in shut(tmp_path, {"": Rule(allow=("DE",), unknown=False)})
    assert "8.8.8.8" in shut(tmp_path, {"": Rule(deny=("US",), unknown=True)})


def test_exceptions_come_before_the_rule_and_hold_for_it_alone(tmp_path: Path) -> None:
    rules = {"": Rule(deny=("US",), exceptions=("203.0.113.1/32",)), "wiki": Rule(deny=("US",))}
    assert shut(tmp_path, rules) == ["203.0.113.200"]
    assert shut(tmp_path, rules, "wiki") == ["203.0.113.1", "203.0.113.200"]


def test_networks_are_shut_out_or_let_in_by_number(tmp_path: Path) -> None:
    assert shut(tmp_path, {"": Rule(as_deny=(64496,))}) == ["198.51.100.1", "2001:db8::1", "2001:db8:8000::1"]
    beside = shut(tmp_path, {"": Rule(allow=("AT",), as_allow=(64497,), unknown=True)})
    assert "198.51.100.200" not in beside
    assert "203.0.113.1" not in beside
    assert {"198.51.100.1", "203.0.113.200"} < {*beside}


def test_a_rule_that_most_places_break_takes_no_more_networks_than_one_that_few_do(tmp_path: Path) -> None:
    few = compiled(tmp_path, {"": Rule(deny=("US",))}).counts["networks"]
    most = compiled(tmp_path, {"": Rule(allow=("US",), unknown=True)})
    assert few == 1
    assert most.elsewhere in most.shut("")
    assert most.counts["networks"] == 1 + len(SPECIAL)


def test_borders_are_read_as_they_were_written(tmp_path: Path) -> None:
    made = compiled(tmp_path, {"": Rule(deny=("US",)), "wiki": Rule(allow=("DE",))})
    assert Borders.read(tmp_path / "x.json") == made
    assert made.has_gateway_rule
    assert set(made.services) == {"wiki"}
    rules = {"": Rule(allow=("DE",), as_deny=(1,), exceptions=("10.0.0.0/8",), unknown=True)}
    assert read(spell(rules)) == rules


CODES = st.sets(st.sampled_from(["DE", "AT", "US", "CN", "FR"])).map(lambda found: tuple(sorted(found)))
NUMBERS = st.sets(st.sampled_from([64496, 64497, 64498])).map(lambda found: tuple(sorted(found)))
RULES = st.builds(
    Rule,
    allow=CODES,
    deny=CODES,
    as_allow=NUMBERS,
    as_deny=NUMBERS,
    exceptions=st.sampled_from([(), ("203.0.113.0/28",), ("2001:db8::/64", "198.51.100.64/26")]),
    unknown=st.booleans(),
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["", "wiki", "photos"]), RULES, min_size=1))
def test_every_address_gets_the_verdict_of_the_rules(rules: dict[str, Rule]) -> None:
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        borders = compiled(directory, rules)
        with Atlas.open(directory / "countries.geo") as countries, Atlas.open(directory / "networks.geo") as networks:
            for one in map(ip_address, ADDRESSES):
                word = word_of(borders, one)
                for name, rule in rules.items():
                    apart = is_special(int(one), one.version) or any(one in ip_network(n) for n in rule.exceptions)
                    expected = not apart and bool(verdict(rule, countries.find(one), networks.find_number(one)))
                    assert (word in borders.shut(name)) == expected


@pytest.mark.parametrize(
    ("rule", "country", "network", "why"),
    [
        (Rule(deny=("FR",)), "FR", 0, "FR is in `deny`"),
        (Rule(allow=("DE",), unknown=True), "FR", 3215, "FR is not in `allow`"),
        (Rule(allow=("DE",), unknown=True), "", 0, "its country is unknown"),
        (Rule(allow=("DE",), as_deny=(5,)), "DE", 5, "AS5 is in `as-deny`"),
        (Rule(as_allow=(5,), unknown=True), "DE", 6, "AS6 is not in `as-allow`"),
        (Rule(as_allow=(5,), unknown=True), "DE", 0, "its network is unknown"),
        (Rule(as_allow=(5,), unknown=True), "", 5, ""),
        (Rule(as_deny=(5,)), "", 0, ""),
    ],
)
def test_a_verdict_says_why(rule: Rule, country: str, network: int, why: str) -> None:
    assert verdict(rule, country, network) == why
