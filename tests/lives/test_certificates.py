"""What a certificate's file says is what visitors get: after every change, and whatever happened in between."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lives.busy import Busy, busy_gateway
from tests.lives.waiting import wait_for


@pytest.fixture(scope="module", params=["plain", "proxied"])
def swapped(request: pytest.FixtureRequest) -> Iterator[Busy]:
    """A gateway whose certificates change; once with a listener that expects PROXY protocol from the loopback's own."""
    tables = {"proxies": {"proxy-protocol": ["127.80.0.0/16"]}} if request.param == "proxied" else {}
    with busy_gateway(**tables) as running:
        yield running


def shown(busy: Busy, host: str) -> str:
    """The serial number of the certificate that a visitor of a host gets."""
    name = busy.gateway.host(host)
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{busy.gateway.https_port}", "-servername", name]
    return serial(subprocess.run(command, input="", capture_output=True, text=True, timeout=20).stdout)


def serial(pem: str) -> str:
    done = subprocess.run(
        ["openssl", "x509", "-noout", "-serial"], input=pem, capture_output=True, text=True, timeout=20
    )
    return done.stdout.strip()


def file(busy: Busy, host: str) -> Path:
    return busy.gateway.state / "certificates" / f"{busy.gateway.host(host)}.pem"


def swap_behind_its_back(busy: Busy, host: str, pem: str, *, commit: bool = True) -> None:
    busy.gateway.runtime(f"set ssl cert {file(busy, host)} <<\n{pem}\n")
    if commit:
        busy.gateway.runtime(f"commit ssl cert {file(busy, host)}")


def mend(busy: Busy) -> None:
    with busy.gateway.admin() as admin:
        admin.post("/reload")


def test_a_certificate_that_went_astray_in_memory_is_put_right_and_told(swapped: Busy) -> None:
    right = serial(file(swapped, "wiki").read_text())
    swap_behind_its_back(swapped, "wiki", file(swapped, "chat").read_text())
    assert shown(swapped, "wiki") == serial(file(swapped, "chat").read_text()) != right
    mend(swapped)
    assert shown(swapped, "wiki") == right
    assert swapped.gateway.wait_for_events(kind="EdgeMended", what="the certificate of wiki.gate.test")


def test_a_chain_that_went_astray_in_memory_is_put_right(swapped: Busy) -> None:
    pem = file(swapped, "wiki").read_text()
    leaf, _, rest = pem.partition("-----END CERTIFICATE-----\n")
    key = rest[rest.index("-----BEGIN PRIVATE KEY") :]
    swap_behind_its_back(swapped, "wiki", f"{leaf}-----END CERTIFICATE-----\n{key}")
    mend(swapped)
    assert swapped.ann.fetch("wiki").status_code == 200


def test_a_swap_that_was_killed_in_the_middle_shuts_nobody_out(swapped: Busy) -> None:
    """HAProxy has one transaction for all certificates; whoever left it open would block every later swap."""
    swap_behind_its_back(swapped, "chat", file(swapped, "wiki").read_text(), commit=False)
    swapped.apply(fresh={"upstream": swapped.upstream.url, "access": "public"})
    with swapped.gateway.visitor() as stranger:
        assert stranger.fetch("fresh").status_code == 200
    assert shown(swapped, "chat") == serial(file(swapped, "chat").read_text())
    swapped.apply()


def test_a_file_that_is_gone_is_made_anew_and_seen(swapped: Busy) -> None:
    before = shown(swapped, "wiki")
    file(swapped, "wiki").unlink()
    mend(swapped)
    assert shown(swapped, "wiki") == serial(file(swapped, "wiki").read_text()) != before
    assert swapped.gateway.wait_for_events(kind="CertificateInstalled", host="wiki.gate.test", source="local")


def test_the_gateways_own_handshakes_are_no_refusals(swapped: Busy) -> None:
    wait_for(lambda: swapped.gateway.events(), "events")
    mend(swapped)
    assert [
        event for event in swapped.gateway.events(kind="RequestRefused") if event["address"] == "127.80.87.68"
    ] == []
