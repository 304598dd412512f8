"""Networks that have a name, and lists that use it."""

import tomllib
from ipaddress import ip_network

import pytest
from tests.unit.config.test_checks import found, keys

from portward.config.schema import json_schema
from portward.config.settings import Settings

NETWORKS = '[networks]\noffice = ["203.0.113.0/24", "2001:db8:7::/48"]\nvpn = ["10.8.0.0/24", "203.0.113.0/24"]\n'
DB = '[services.db]\nkind = "tcp"\ntunnel = true\nlisten = 5432\n'


def test_a_name_stands_for_its_networks_each_once() -> None:
    made = Settings.model_validate(tomllib.loads(f'{NETWORKS}{DB}allow = ["10.0.0.7", "office", "vpn"]'))
    meant = made.networks_of(made.services["db"].allow)
    assert list(map(str, meant)) == ["10.0.0.7/32", "203.0.113.0/24", "2001:db8:7::/48", "10.8.0.0/24"]


def test_a_list_without_names_is_as_it_was() -> None:
    made = Settings.model_validate(tomllib.loads(f'{DB}allow = ["10.0.0.0/8"]'))
    assert made.networks_of(made.services["db"].allow) == (ip_network("10.0.0.0/8"),)


def test_an_unknown_name_is_found_at_its_place_with_the_nearest_one() -> None:
    (finding,) = found(f'{NETWORKS}{DB}allow = ["10.0.0.0/8", "ofice"]')
    assert finding.path == ("services", "db", "allow", 1)
    assert finding.way_out == "did you mean `office`?"
    (finding,) = found(f'{DB}allow = ["lab"]')
    assert finding.way_out == 'add `lab = ["…"]` to [networks]'


@pytest.mark.parametrize("name", ["10", "Office", "office_1", "-x", "a" * 33])
def test_a_name_that_could_be_read_as_anything_else_is_a_mistake(name: str) -> None:
    with pytest.raises(ValueError, match="not a name for networks"):
        Settings.model_validate({"networks": {name: ["10.0.0.0/8"]}})


def test_what_is_neither_a_network_nor_a_name_is_a_mistake() -> None:
    for wrong in ("10.0.0.1/8", "office/8", "", 7):
        with pytest.raises(ValueError, match="allow"):
            Settings.model_validate({"services": {"db": {"kind": "tcp", "allow": [wrong]}}})


def test_names_may_be_given_and_not_used() -> None:
    assert keys(NETWORKS) == []


def test_editors_know_what_may_stand_in_a_list() -> None:
    allow = json_schema()["$defs"]["ServiceSettings"]["properties"]["allow"]
    assert allow["items"]["type"] == "string"
