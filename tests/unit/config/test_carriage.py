"""How a service is reached: upstream or tunnel, HTTP or raw TCP, and on which port."""

import tomllib

import pytest
from tests.unit.config.test_checks import found, keys

from portward.config.settings import Settings
from portward.config.values import Address
from portward.model import Upstream

TCP = '[services.db]\nkind = "tcp"\nlisten = 5432\nallow = ["10.0.0.0/8"]\n'


def test_a_service_may_dial_in_instead_of_having_an_upstream() -> None:
    assert keys("[services.blog]\ntunnel = true\n[services.hooks]\ntunnel = 3000") == []
    made = Settings.model_validate({"services": {"blog": {"tunnel": True}}})
    assert [route.upstream for route in made.routes] == [Upstream("tunnel")]
    assert made.asks_for_tunnels


def test_nothing_asks_for_tunnels_by_itself() -> None:
    assert not Settings.model_validate({"services": {"wiki": {"upstream": "demo"}}}).asks_for_tunnels
    assert Settings.model_validate({"tunnels": {}}).asks_for_tunnels


def test_raw_tcp_has_no_route_and_a_port_of_its_own() -> None:
    text = TCP + 'upstream = "tcp://db.lan:5432"\n[services.rdp]\nkind = "tcp"\ntunnel = true\n'
    text += 'listen = "127.0.0.1:3389"\nallow = ["127.0.0.1"]\n[services.wiki]\nupstream = "demo"\nstrip = true'
    assert keys(text) == ["services.wiki.strip"]  # placed at its own service, though the others have no route
    made = Settings.model_validate(tomllib.loads(text))
    assert [route.service for route in made.routes] == ["wiki"]
    assert [service.listen for service in made.tcp_services.values()] == [Address(":5432"), Address("127.0.0.1:3389")]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[services.a]", "services.a.upstream"),
        ('[services.a]\ntunnel = true\nupstream = "demo"', "services.a.tunnel"),
        ('[services.a]\nupstream = "demo"\nbalance = true', "services.a.balance"),
        ("[services.a]\ntunnel = true\nlisten = 5432", "services.a.listen"),
        ('[services.a]\ntunnel = true\nallow = ["10.0.0.0/8"]', "services.a.allow"),
        ('[services.a]\ntunnel = true\nproxy-protocol = "v2"', "services.a.proxy-protocol"),
        ('[services.a]\nupstream = "tcp://10.0.0.7:5432"', "services.a.upstream"),
        (
            '[services.a]\nupstream = "demo"\nroutes = [{ path = "/x", upstream = "tcp://10.0.0.7:5432" }]',
            "services.a.routes[0].upstream",
        ),
        ('[services.db]\nkind = "tcp"\ntunnel = true\nallow = ["10.0.0.0/8"]', "services.db.listen"),
        ('[services.db]\nkind = "tcp"\ntunnel = true\nlisten = 5432', "services.db.allow"),
        (f'{TCP}upstream = "http://10.0.0.7:5432"', "services.db.upstream"),
        (f'{TCP}tunnel = true\naccess = "members"', "services.db.access"),
        (f"{TCP}tunnel = true\nsecond-factor = true", "services.db.second-factor"),
        (f'{TCP}upstream = "tcp://localhost:5432"', "services.db.upstream"),
        (f'{TCP}upstream = "unix:/state/run/tunnels/blog.sock"', "services.db.upstream"),
        ("[services.a]\ntunnel = 3000\n[services.b]\ntunnel = 3000", "services.b.tunnel"),
        (
            f"{TCP}tunnel = true\n[services.b]\nkind = 'tcp'\ntunnel = true\nlisten = ':5432'\nallow = ['::/0']",
            "services.b.listen",
        ),
        ('[tunnels]\nlisten = ":8443"', "tunnels.listen[0]"),
        ('[tunnels]\nlisten = [":22", "127.0.0.1:22"]', "tunnels.listen[1]"),
        ('[services.a]\nupstream = "http://127.0.0.1:2222"\n[services.b]\ntunnel = true', "services.a.upstream"),
        ('[tunnels]\nhold = "2m"', "tunnels.hold"),
    ],
)
def test_a_contradiction_is_placed_at_the_key_that_makes_it(text: str, key: str) -> None:
    assert keys(text) == [key]
    assert all(finding.problem and finding.expected and finding.way_out for finding in found(text))


def test_ssh_on_the_port_of_https_needs_an_address_of_its_own() -> None:
    (finding,) = found('[tunnels]\nlisten = ":8443"')
    assert "an address that HTTPS does not use" in finding.expected
    assert keys('listen.https = ["192.0.2.1:443"]\n[tunnels]\nlisten = "192.0.2.2:443"') == []


@pytest.mark.parametrize("value", [0, 65536, "3000", -1])
def test_a_tunnel_is_a_flag_or_a_port(value: object) -> None:
    with pytest.raises(ValueError, match="no way to come in by a tunnel"):
        Settings.model_validate({"services": {"a": {"tunnel": value}}})


@pytest.mark.parametrize("value", ["*", "blog", "ann-*", "{account}-*", "{account}", "lab-{account}-*"])
def test_an_authority_may_publish_names_prefixes_and_everything(value: str) -> None:
    made = Settings.model_validate({"tunnels": {"authorities": [{"file": "ca.pub", "publish": [value]}]}})
    assert made.tunnel_policy.authorities[0].publish == (value,)


@pytest.mark.parametrize("value", ["", "*-ann", "a b", "ANN-*", "a*b"])
def test_a_pattern_that_names_no_services_is_a_mistake(value: str) -> None:
    with pytest.raises(ValueError, match="names no services"):
        Settings.model_validate({"tunnels": {"authorities": [{"file": "ca.pub", "publish": [value]}]}})


@pytest.mark.parametrize("value", ["db.internal:5432", "*.lab:22", "10.0.0.0/8:22", "[2001:db8::]/32:*", "*:443"])
def test_destinations_are_hosts_and_networks_with_a_port(value: str) -> None:
    made = Settings.model_validate({"tunnels": {"authorities": [{"file": "ca.pub", "reach": [value]}]}})
    assert made.tunnel_policy.authorities[0].reach == (value,)


@pytest.mark.parametrize("value", ["db.internal", "db:", ":22", "db:ssh", "user@db:22", "2001:db8::1:22"])
def test_what_is_no_destination_is_a_mistake(value: str) -> None:
    with pytest.raises(ValueError, match="is not a destination"):
        Settings.model_validate({"tunnels": {"authorities": [{"file": "ca.pub", "reach": [value]}]}})
