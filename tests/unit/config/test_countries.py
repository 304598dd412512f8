"""Rules about countries in portward.toml: what can be written, and what is said of a slip."""

from pathlib import Path

import pytest

from portward.config.countries import parse_as, parse_country
from portward.config.iso3166 import COUNTRIES, nearest
from portward.config.reading import parse
from portward.config.settings import Settings
from portward.config.spelling import Misspelt
from portward.errors import ConfigError

FILE = Path("portward.toml")


def settings(text: str) -> Settings:
    return parse(text, FILE, {})


def mistakes(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings(text)
    return str(caught.value)


def test_a_rule_names_countries_networks_and_exceptions() -> None:
    read = settings(
        '[networks]\noffice = ["203.0.113.0/24"]\n'
        '[defence.countries]\nallow = ["de", "AT"]\nas-deny = ["AS64496", 64497]\nexcept = ["office", "198.51.100.7"]\n'
        '[services.wiki]\nupstream = "http://127.0.0.1:3000"\ncountries = {deny = ["US"]}\n'
    )
    rule = read.defence.countries
    assert rule is not None
    assert (rule.allow, rule.as_deny) == (("DE", "AT"), (64496, 64497))
    assert [str(network) for network in read.networks_of(rule.except_)] == ["203.0.113.0/24", "198.51.100.7/32"]
    assert rule.refuses_unknown
    assert read.services["wiki"].countries is not None
    assert not read.services["wiki"].countries.refuses_unknown


def test_without_rules_there_are_none() -> None:
    assert settings("").defence.countries is None


@pytest.mark.parametrize(("written", "meant"), [("UK", "GB"), ("Swizerland", "CH"), ("germany", "DE"), ("USA", "US")])
def test_who_writes_something_else_is_told_what_was_meant(written: str, meant: str) -> None:
    assert nearest(written) == meant
    said = mistakes(f'[defence.countries]\ndeny = ["{written}"]\n')
    assert "is no country" in said
    assert "did you mean" in said


def test_every_code_can_be_written_in_small_letters() -> None:
    assert all(parse_country(code.lower()) == code for code in COUNTRIES)
    assert len(COUNTRIES) == 250


@pytest.mark.parametrize("value", ["AS0", "ASX", "", 0, -1, 2**32, True, None, 1.5, "AS 5"])
def test_what_is_no_network_number_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_as(value)


def test_lists_that_contradict_each_other_are_mistakes() -> None:
    assert "says nothing beside `allow`" in mistakes('[defence.countries]\nallow = ["DE"]\ndeny = ["US"]\n')
    assert "stands in `as-allow` as well" in mistakes("[defence.countries]\nas-allow = [1]\nas-deny = [1]\n")
    assert "shuts nobody out" in mistakes("[defence.countries]\n")
    assert "shuts nobody out" in mistakes(
        '[services.wiki]\nupstream = "http://127.0.0.1:3000"\ncountries = {except = ["10.0.0.0/8"]}\n'
    )


def test_a_name_that_no_network_has_is_a_mistake() -> None:
    assert '"ofice" is no name in [networks]' in mistakes(
        '[networks]\noffice = ["203.0.113.0/24"]\n[defence.countries]\ndeny = ["US"]\nexcept = ["ofice"]\n'
    )


def test_raw_tcp_has_countries_too() -> None:
    read = settings(
        '[services.db]\nkind = "tcp"\nlisten = 5432\nallow = ["0.0.0.0/0"]\nupstream = "tcp://10.0.0.9:5432"\n'
        'countries = {allow = ["DE"]}\n'
    )
    assert read.services["db"].countries is not None
