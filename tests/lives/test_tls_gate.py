"""Gate 3: nobody gets a certificate, or a byte, without naming a host that is published here."""

import re
import socket
import ssl
import subprocess

import pytest
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, read_to_end, request
from tests.lives.upstream import Upstream


def s_client(gateway: Gateway, *options: str) -> str:
    """What `openssl s_client` prints about a handshake."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{gateway.https_port}", "-CAfile", gateway.root, *options]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=30)
    return (done.stdout + done.stderr).decode(errors="replace")


def gets_no_certificate(output: str) -> bool:
    return "no peer certificate available" in output and "BEGIN CERTIFICATE" not in output


@pytest.mark.parametrize(
    "name", ["nothing.gate.test", "gate.test", "xwiki.gate.test", "wiki.gate.test.evil.test", "localhost"]
)
def test_an_unknown_name_gets_no_certificate_and_leaves_one_event(gateway: Gateway, name: str) -> None:
    assert gets_no_certificate(s_client(gateway, "-servername", name))
    (event,) = gateway.wait_for_events(rule="tls_unknown_name", sni=name)
    assert event["address"] == "127.0.0.1"
    assert event["gate"] == "TLS"


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_no_name_gets_no_certificate_and_leaves_one_event(gateway: Gateway, version: str) -> None:
    before = len([event for event in gateway.events() if event.get("rule") == "tls_no_name"])
    assert gets_no_certificate(s_client(gateway, "-noservername", version))
    events = gateway.wait_for_events(before + 1, rule="tls_no_name")
    assert len(events) == before + 1
    assert events[-1]["address"] == "127.0.0.1"


def test_a_known_name_gets_its_own_certificate(gateway: Gateway) -> None:
    output = s_client(gateway, "-servername", "wiki.gate.test", "-verify_return_error", "-brief")
    assert "Verification: OK" in output
    assert "Peer certificate: CN = wiki.gate.test" in output


def test_a_name_in_upper_case_is_the_same_name(gateway: Gateway) -> None:
    assert "Verification: OK" in s_client(gateway, "-servername", "WIKI.gate.TEST", "-brief")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_of_tls_are_refused(gateway: Gateway, version: str) -> None:
    output = s_client(gateway, "-servername", "wiki.gate.test", version, "-cipher", "ALL:@SECLEVEL=0")
    assert gets_no_certificate(output)
    assert re.search("protocol version|no protocols available", output)


@pytest.mark.parametrize(
    "cipher", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-SHA", "aNULL", "NULL", "CAMELLIA"]
)
def test_weak_ciphers_are_refused(gateway: Gateway, cipher: str) -> None:
    options = "-servername", "wiki.gate.test", "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0"
    assert gets_no_certificate(s_client(gateway, *options))


def test_tls_1_2_and_1_3_are_spoken(gateway: Gateway) -> None:
    for option, name in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
        output = s_client(gateway, "-servername", "wiki.gate.test", option, "-brief")
        assert f"Protocol version: {name}" in output


def test_no_session_ticket_is_given_away(gateway: Gateway) -> None:
    context = gateway.tls("http/1.1")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    plain = socket.create_connection(("127.0.0.1", gateway.https_port), timeout=20)
    with context.wrap_socket(plain, server_hostname="wiki.gate.test") as secured:
        assert secured.session is not None
        assert not secured.session.has_ticket


def test_plain_http_on_the_tls_port_gets_nothing_of_the_service(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    with socket.create_connection(("127.0.0.1", gateway.https_port), timeout=20) as plain:
        plain.sendall(request("open.gate.test"))
        answer = read_to_end(plain)
    assert b"HTTP/1.1 200" not in answer
    assert upstream.secret.encode() not in answer
    assert upstream.hits == hits


def test_early_data_is_not_accepted(gateway: Gateway) -> None:
    output = s_client(gateway, "-servername", "wiki.gate.test", "-tls1_3")
    assert "Early data was not sent" in output
    assert "Max Early Data: 0" in output or "Max Early Data" not in output


def test_a_host_unlike_the_tls_name_is_misdirected(gateway: Gateway, upstream: Upstream) -> None:
    """Otherwise a connection for a public host would carry requests to a protected one."""
    hits = upstream.hits
    for host in (
        "wiki.gate.test",
        "nothing.gate.test",
        "127.0.0.1",
        "",
        "open.gate.test.evil.test",
        "open.gate.test@wiki.gate.test",
    ):
        answer = ask(gateway, "open", request(host))
        assert answer.status in (400, 421), (host, answer.received)
    assert ask(gateway, "open", request("wiki.gate.test")).status == 421
    assert upstream.hits == hits


def test_a_request_without_host_or_with_two_is_refused(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    close = b"Connection: close\r\n\r\n"
    assert ask(gateway, "open", b"GET / HTTP/1.1\r\n" + close).status in (400, 421)
    assert ask(gateway, "open", b"GET / HTTP/1.0\r\n" + close).status in (400, 421)
    two = b"GET / HTTP/1.1\r\nHost: open.gate.test\r\nHost: wiki.gate.test\r\n" + close
    assert ask(gateway, "open", two).status in (400, 421)
    assert upstream.hits == hits
