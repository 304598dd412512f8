"""Single values: what can be read, how it is written back, and the sentence where it can't be read."""

from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.config.spelling import (
    Misspelt,
    parse_access,
    parse_address,
    parse_directory,
    parse_duration,
    parse_email,
    parse_host,
    parse_network,
    parse_path,
    parse_resolver,
    parse_service_name,
    spell_access,
    spell_duration,
)
from portward.config.upstreams import parse_upstream
from portward.model import Access, Upstream

names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True)
labels = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
ports = st.integers(1, 65535)


@given(st.integers(0, 36500 * 86400))
def test_a_duration_reads_back_as_it_was_spelt(seconds: int) -> None:
    value = timedelta(seconds=seconds)
    assert parse_duration(spell_duration(value)) == value


@given(st.sampled_from(["http", "https", "h2c"]), hosts, ports)
def test_an_upstream_reads_back_as_it_was_spelt(scheme: str, host: str, port: int) -> None:
    upstream = Upstream(scheme, host=host, port=port)  # type: ignore[arg-type]
    assert parse_upstream(str(upstream)) == upstream


@given(st.ip_addresses(v=6), ports)
def test_an_ipv6_upstream_reads_back_as_it_was_spelt(address: object, port: int) -> None:
    upstream = Upstream("http", host=str(address), port=port)
    assert parse_upstream(str(upstream)) == upstream


@given(
    st.builds(
        Access,
        members=st.booleans(),
        owners=st.booleans(),
        groups=st.frozensets(names, max_size=3),
        accounts=st.frozensets(names, max_size=3),
    ).filter(lambda access: access != Access())
)
def test_an_access_rule_reads_back_as_it_was_spelt(access: Access) -> None:
    assert parse_access(spell_access(access)) == access


@given(st.ip_addresses())
def test_a_bare_address_is_a_network_of_one(address: object) -> None:
    assert parse_network(str(address)).num_addresses == 1


@given(st.text())
def test_no_text_breaks_a_reader(text: str) -> None:
    readers = (parse_access, parse_address, parse_duration, parse_host, parse_network, parse_path, parse_upstream)
    for read in (*readers, parse_service_name):
        with suppress(Misspelt):
            read(text)


@pytest.mark.parametrize("value", ["", "5", "5x", "-5s", "5 s", "1.5h", "５s", 5, None, "99999999999d"])
def test_what_is_no_duration_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_duration(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ftp://h",
        "http://",
        "http://h/path",
        "http://h?q",
        "http://user:secret@h",
        "http://h:0",
        "http://h:99999",
        "http://h:x",
        "http://[::1",
        "http://a b",
        "unix:relative.sock",
        "unix:/a b",
        "unix:/" + "x" * 100,
        "unix:/a\nb",
        'unix:/a"b',
        "unix:/a#b",
        "unix:/é",
        5,
    ],
)
def test_what_is_no_upstream_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_upstream(value)


def test_an_upstream_without_a_scheme_is_http() -> None:
    assert parse_upstream("10.0.0.5:3000") == Upstream("http", host="10.0.0.5", port=3000)


def test_an_upstream_without_a_port_has_its_schemes_port() -> None:
    assert parse_upstream("https://nas.lan").port == 443


@pytest.mark.parametrize("value", ["x", "/a b", "/a//b", "/a/../b", "/./", "/%2e", "/a?b", "/é", "/a\n", 5])
def test_what_is_no_path_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_path(value)


@pytest.mark.parametrize("value", ["/.portward", "/.portward/x", "/.Portward/"])
def test_portwards_own_path_is_refused(value: str) -> None:
    with pytest.raises(Misspelt, match="belongs to Portward"):
        parse_path(value)


def test_a_path_gets_its_last_slash_and_may_hold_dots() -> None:
    assert parse_path("/.well-known/acme") == "/.well-known/acme/"


@pytest.mark.parametrize(
    "value", ["localhost", "a..b", "-a.b", "a.b.", "a_b.c", "https://a.b", "a.b:443", "a" * 64 + ".b"]
)
def test_what_is_no_host_is_refused(value: str) -> None:
    with pytest.raises(Misspelt):
        parse_host(value)


def test_an_address_is_no_host() -> None:
    with pytest.raises(Misspelt, match="is an address"):
        parse_host("192.0.2.1")


def test_a_host_is_read_in_lower_case() -> None:
    assert parse_host("App.Example.COM") == "app.example.com"


@pytest.mark.parametrize("value", [":0", ":65536", "8443", "localhost:1", "1.2.3:80", "::1:80", "[::g]:80", 8443])
def test_what_is_no_listening_address_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_address(value)


@pytest.mark.parametrize(
    "value", [[], "everybody", ["group:"], "group:A", "user:ann", [5], 5, ["public", "members"], {"public": True}]
)
def test_what_is_no_access_rule_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_access(value)


def test_a_network_with_host_bits_says_which_one_was_meant() -> None:
    with pytest.raises(Misspelt) as caught:
        parse_network("10.1.2.3/8")
    assert caught.value.way_out == "write 10.0.0.0/8"


@pytest.mark.parametrize("value", ["http://ca.example.com/dir", "https://", "https://a b", "https://u@ca/", "ca", 5])
def test_what_is_no_directory_of_an_authority_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_directory(value)


@pytest.mark.parametrize("value", ["ann", "ann@", "ann@localhost", "a@b.c,d@e.f", "<a@b.c>", 5])
def test_what_is_no_email_address_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_email(value)


@pytest.mark.parametrize("value", ["", "dns.example.com", "1.1.1.1:0", "1.1.1.1:x", "[::1]", "1.1.1", 53])
def test_what_is_no_dns_server_is_refused(value: object) -> None:
    with pytest.raises(Misspelt):
        parse_resolver(value)


@pytest.mark.parametrize("value", ["1.1.1.1", "10.0.0.1:5353", "2001:db8::1", "[2001:db8::1]:5353"])
def test_a_dns_server_is_an_address_with_or_without_a_port(value: str) -> None:
    assert parse_resolver(value) == value
