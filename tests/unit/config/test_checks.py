"""Settings that contradict each other, or lead back to the gateway."""

import tomllib
from pathlib import Path

import pytest

from portward.config.checks import Surroundings, check
from portward.config.findings import Finding, spell_key
from portward.config.settings import Settings

AROUND = Surroundings(
    is_own=lambda host: host in {"localhost", "127.0.0.1", "127.0.0.9", "::1", "0.0.0.0", "192.0.2.1"},  # noqa: S104
    run=Path("/state/run"),
)


def found(text: str) -> list[Finding]:
    return list(check(Settings.model_validate(tomllib.loads(text)), AROUND))


def keys(text: str) -> list[str]:
    return [spell_key(finding.path) for finding in found(text)]


def test_a_plain_configuration_is_fine() -> None:
    assert keys('[services.a]\nupstream = "http://127.0.0.1:3000"\n[services.b]\nupstream = "demo"') == []


def test_every_finding_says_what_was_expected_and_a_way_out() -> None:
    findings = found(
        """
        listen.http = [":8443"]
        proxies.forwarded-for = ["0.0.0.0/0"]
        sessions.idle = "90d"
        [services.auth]
        upstream = "http://localhost:8443"
        strip = true
        access = "public"
        second-factor = true
        routes = [{ path = "/" }]
        """
    )
    assert len(findings) == 9
    assert all(finding.problem and finding.expected and finding.way_out for finding in findings)


def test_two_services_on_one_host_and_path_are_a_mistake() -> None:
    text = """
    [services.a]
    upstream = "demo"
    host = "x.example.com"
    path = "/app"
    [services.b]
    upstream = "demo"
    host = "X.example.com"
    path = "/app/"
    """
    assert keys(text) == ["services.b"]


def test_two_services_may_share_a_host_on_different_paths() -> None:
    text = """
    [services.a]
    upstream = "demo"
    host = "x.example.com"
    path = "/app1"
    strip = true
    [services.b]
    upstream = "demo"
    host = "x.example.com"
    path = "/app2"
    """
    assert keys(text) == []


def test_a_route_on_its_services_own_path_is_a_mistake() -> None:
    assert keys('[services.a]\nupstream = "demo"\nroutes = [{ path = "/" }]') == ["services.a.routes[0]"]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[services.auth]\nupstream = "demo"', "services.auth"),
        ('[services.a]\nupstream = "demo"\nhost = "auth.portward.localhost"', "services.a.host"),
    ],
)
def test_a_service_on_the_portals_host_is_a_mistake(text: str, key: str) -> None:
    assert keys(text) == [key]


def test_a_host_outside_the_domain_is_fine() -> None:
    assert keys('[services.a]\nupstream = "demo"\nhost = "a.example.org"') == []


@pytest.mark.parametrize(
    "upstream",
    [
        "http://127.0.0.1:8443",
        "http://localhost:8080",
        "https://[::1]:8443",
        "http://192.0.2.1:8080",
        "http://127.0.0.9:8443",
        "https://auth.portward.localhost:8443",
        "https://b.portward.localhost:8443",
        "unix:/state/run/portal.sock",
        "unix:/state/run/admin.sock",
    ],
)
def test_an_upstream_that_leads_back_to_the_gateway_is_a_mistake(upstream: str) -> None:
    text = f'[services.a]\nupstream = "{upstream}"\n[services.b]\nupstream = "demo"'
    assert keys(text) == ["services.a.upstream"]


@pytest.mark.parametrize(
    "upstream",
    ["http://127.0.0.1:3000", "http://192.0.2.9:8443", "http://nas:8443", "unix:/state/run/demo.sock", "unix:/run/a"],
)
def test_an_upstream_elsewhere_is_fine(upstream: str) -> None:
    assert keys(f'[services.a]\nupstream = "{upstream}"') == []


def test_an_own_address_on_which_the_edge_does_not_listen_is_fine() -> None:
    text = 'listen.https = ["192.0.2.1:8443"]\n[services.a]\nupstream = "https://127.0.0.1:8443"'
    assert keys(text) == []


def test_a_route_may_not_lead_back_either() -> None:
    text = '[services.a]\nupstream = "demo"\nroutes = [{ path = "/x", upstream = "http://localhost:8080" }]'
    assert keys(text) == ["services.a.routes[0].upstream"]


@pytest.mark.parametrize(
    "listen",
    [
        'https = [":443", ":443"]',
        'https = [":443", "127.0.0.1:443"]',
        'https = [":443"]\nhttp = [":443"]',
        'https = ["0.0.0.0:443", "127.0.0.1:443"]',
        'https = ["[::]:443", "[::1]:443"]',
    ],
)
def test_a_port_that_is_taken_twice_is_a_mistake(listen: str) -> None:
    assert len(keys(f"[listen]\n{listen}")) == 1


@pytest.mark.parametrize(
    "listen",
    [
        'https = [":443"]\nhttp = [":80"]',
        'https = ["127.0.0.1:443", "[::1]:443", "192.0.2.1:443"]',
        'https = ["0.0.0.0:443", "[::]:443"]',
        "http = []",
    ],
)
def test_different_addresses_and_ports_are_fine(listen: str) -> None:
    assert keys(f"[listen]\n{listen}") == []


def test_strip_on_the_root_is_a_mistake() -> None:
    assert keys('[services.a]\nupstream = "demo"\nstrip = true') == ["services.a.strip"]


def test_public_with_a_second_factor_is_a_mistake() -> None:
    text = '[services.a]\nupstream = "demo"\naccess = "public"\nsecond-factor = true'
    assert keys(text) == ["services.a.second-factor"]


def test_a_public_route_of_a_service_with_a_second_factor_needs_none() -> None:
    text = """
    [services.a]
    upstream = "demo"
    second-factor = true
    routes = [{ path = "/webhook", access = "public" }, { path = "/admin", access = "owners" }]
    """
    assert keys(text) == []
    routes = Settings.model_validate(tomllib.loads(text)).routes
    assert [route.access.second_factor for route in routes] == [True, False, True]


def test_paths_that_shut_out_a_route_are_a_mistake() -> None:
    text = '[services.a]\nupstream = "demo"\npaths = ["/api"]\nroutes = [{ path = "/admin" }, { path = "/api/v2" }]'
    assert keys(text) == ["services.a.routes[0]"]


def test_trusting_every_address_as_a_proxy_is_a_mistake() -> None:
    assert keys('[proxies]\nproxy-protocol = ["10.0.0.0/8", "::/0"]') == ["proxies.proxy-protocol[1]"]


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('listen.http = []\ntls.mode = "acme"', "tls.challenge"),
        ('tls = { mode = "acme", wildcards = ["example.com"] }', "tls.wildcards"),
        ('tls = { mode = "acme", challenge = "dns-01" }', "tls.dns"),
        ('tls = { mode = "acme", challenge = "dns-01", dns = { provider = "a", hook = "b" } }', "tls.dns"),
        ('tls = { mode = "acme", challenge = "dns-01", dns = { provider = "a" } }', "tls.dns.credentials-file"),
        ('tls = { mode = "acme", authorities = [{ eab-kid = "k" }] }', "tls.authorities[0]"),
    ],
)
def test_half_of_what_an_authority_needs_is_a_mistake(table: str, key: str) -> None:
    assert keys(table) == [key]
    assert keys(table.replace('"acme"', '"local"')) == []


def test_each_challenge_has_what_it_needs() -> None:
    assert keys('tls = { mode = "acme", email = "ann@example.com" }') == []
    assert keys('listen.http = []\ntls = { mode = "acme", challenge = "tls-alpn-01" }') == []
    assert keys('tls = { mode = "acme", challenge = "dns-01", wildcards = ["a.b"], dns = { hook = "./h" } }') == []
