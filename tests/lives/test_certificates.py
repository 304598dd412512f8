"""What a certificate's file says is what visitors get: after every change, and whatever happened in between."""

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.lives.busy import Busy, busy_gateway
from tests.lives.handshakes import serial, shown
from tests.lives.sockets import is_alive
from tests.lives.waiting import wait_for

from portward.host.files import replace
from portward.pki.authority import Authority

plain = pytest.mark.parametrize("swapped", ["plain"], indirect=True, scope="module")
both = pytest.mark.parametrize("swapped", ["plain", "proxied"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def swapped(request: pytest.FixtureRequest) -> Iterator[Busy]:
    """A gateway whose certificates change; once with a listener that expects PROXY protocol from the loopback's own."""
    tables = {"proxies": {"proxy-protocol": ["127.80.0.0/16"]}} if request.param == "proxied" else {}
    with busy_gateway(**tables) as running:
        yield running


def file(busy: Busy, host: str) -> Path:
    return busy.gateway.state / "certificates" / f"{busy.gateway.host(host)}.pem"


def swap_behind_its_back(busy: Busy, host: str, pem: str, *, commit: bool = True) -> None:
    busy.gateway.runtime(f"set ssl cert {file(busy, host)} <<\n{pem}\n")
    if commit:
        busy.gateway.runtime(f"commit ssl cert {file(busy, host)}")


def source(busy: Busy, host: str) -> str:
    """Where the certificate of a host comes from, as `portward status --json` says."""
    found = {one["host"]: one["source"] for one in busy.gateway.status()["certificates"]}
    return str(found[busy.gateway.host(host)])


def mend(busy: Busy) -> None:
    with busy.gateway.admin() as admin:
        admin.post("/reload")


@both
def test_a_certificate_that_went_astray_in_memory_is_put_right_and_told(swapped: Busy) -> None:
    right = serial(file(swapped, "wiki").read_text())
    swap_behind_its_back(swapped, "wiki", file(swapped, "chat").read_text())
    assert shown(swapped.gateway, "wiki") == serial(file(swapped, "chat").read_text()) != right
    mend(swapped)
    assert shown(swapped.gateway, "wiki") == right
    assert swapped.gateway.wait_for_events(kind="EdgeMended", what="the certificate of wiki.gate.test")


@both
def test_a_chain_that_went_astray_in_memory_is_put_right(swapped: Busy) -> None:
    pem = file(swapped, "wiki").read_text()
    leaf, _, rest = pem.partition("-----END CERTIFICATE-----\n")
    key = rest[rest.index("-----BEGIN PRIVATE KEY") :]
    swap_behind_its_back(swapped, "wiki", f"{leaf}-----END CERTIFICATE-----\n{key}")
    mend(swapped)
    assert swapped.ann.fetch("wiki").status_code == 200


@both
def test_a_swap_that_was_killed_in_the_middle_shuts_nobody_out(swapped: Busy) -> None:
    """HAProxy has one transaction for all certificates; whoever left it open would block every later swap."""
    swap_behind_its_back(swapped, "chat", file(swapped, "wiki").read_text(), commit=False)
    swapped.apply(fresh={"upstream": swapped.upstream.url, "access": "public"})
    with swapped.gateway.visitor() as stranger:
        assert stranger.fetch("fresh").status_code == 200
    assert shown(swapped.gateway, "chat") == serial(file(swapped, "chat").read_text())
    swapped.apply()


@both
def test_a_file_that_is_gone_is_made_anew_and_seen(swapped: Busy) -> None:
    before = shown(swapped.gateway, "wiki")
    file(swapped, "wiki").unlink()
    mend(swapped)
    assert shown(swapped.gateway, "wiki") == serial(file(swapped, "wiki").read_text()) != before
    assert swapped.gateway.wait_for_events(kind="CertificateInstalled", host="wiki.gate.test", source="local")


@both
def test_the_gateways_own_handshakes_are_no_refusals(swapped: Busy) -> None:
    wait_for(lambda: swapped.gateway.events(), "events")
    mend(swapped)
    assert [
        event for event in swapped.gateway.events(kind="RequestRefused") if event["address"] == "127.80.87.68"
    ] == []


# ---- certificates of the operator's own --------------------------------------------------------------------------

SWAPS = 100


class Own:
    """Files of a gateway, signed by its own authority, so that every client of the tests trusts them."""

    def __init__(self, busy: Busy, directory: Path) -> None:
        self.busy, self.directory = busy, directory
        self.authority = Authority.open(busy.gateway.state / "authority", datetime.now(UTC))
        busy.gateway.change(tls={"files": [f"{directory}/*.pem"]})

    def write(self, host: str) -> str:
        """A new certificate for a host in a file of its own. Returns its serial number."""
        name = self.busy.gateway.host(host)
        pem = self.authority.issue(name, datetime.now(UTC))
        self.replace(host, pem)
        return serial(pem.decode())

    def replace(self, host: str, content: bytes) -> None:
        replace(self.directory / f"{host}.pem", content)

    def wait_until_shown(self, host: str, number: str) -> None:
        wait_for(lambda: shown(self.busy.gateway, host) == number, f"the new certificate of {host} to be shown")


@pytest.fixture
def own(swapped: Busy, tmp_path: Path) -> Iterator[Own]:
    yield Own(swapped, tmp_path)
    swapped.gateway.change(tls={"files": []})


@plain
def test_a_hundred_swaps_under_load_fail_no_handshake_and_no_request_and_drop_no_socket(own: Own) -> None:
    busy = own.busy
    before, hosts = busy.gateway.pids, ("wiki", "chat")
    with busy.socket() as talk, busy.load() as load:
        for _ in range(SWAPS // len(hosts)):
            numbers = {host: own.write(host) for host in hosts}
            for host, number in numbers.items():
                own.wait_until_shown(host, number)
            assert knows_no_stranger(busy)
        load.wait_for_progress()
        assert is_alive(talk)
    assert load.failures == [], load.summary
    assert busy.gateway.pids == before
    print(f"{SWAPS} swaps: {load.summary}")


def knows_no_stranger(busy: Busy) -> bool:
    """Whether unknown and missing names get no certificate."""
    return all(_refused(busy, name) for name in ("nothing.gate.test", None))


def _refused(busy: Busy, name: str | None) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", busy.gateway.https_port), 20) as plain:
        try:
            context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLError as error:
            return "UNRECOGNIZED_NAME" in str(error) or "HANDSHAKE_FAILURE" in str(error)
    return False


@plain
def test_a_bad_file_keeps_the_old_one_and_is_told_until_it_is_mended(own: Own) -> None:
    gateway, good = own.busy.gateway, own.write("wiki")
    own.wait_until_shown("wiki", good)
    own.replace("wiki", b"junk")
    wait_for(lambda: gateway.status()["certificate_files"][0]["problem"], "the problem to be told")
    assert "no private key" in gateway.cli("status")
    assert "no private key" in gateway.cli("check")
    path = str(own.directory / "wiki.pem")
    assert gateway.wait_for_events(kind="CertificateRefused", what=path, source="files")
    assert shown(own.busy.gateway, "wiki") == good
    mended = own.write("wiki")
    own.wait_until_shown("wiki", mended)
    wait_for(lambda: not gateway.status()["certificate_files"][0]["problem"], "the problem to be gone")


@plain
def test_a_certificate_that_the_edge_takes_and_does_not_show_is_refused_told_and_tried_again(own: Own) -> None:
    """HAProxy says `Success!` to a swap that no visitor sees, when nothing leads from the name to the certificate."""
    gateway, before = own.busy.gateway, file(own.busy, "wiki").read_text()
    gateway.runtime(f"del ssl crt-list {gateway.state}/edge/crt-list {file(own.busy, 'wiki')}")
    number = own.write("wiki")
    (refused,) = gateway.wait_for_events(kind="CertificateRefused", host="wiki.gate.test", source="files")
    assert "shows none" in refused["reason"]
    assert file(own.busy, "wiki").read_text() == before
    mend(own.busy)
    own.wait_until_shown("wiki", number)


@plain
def test_an_own_file_is_served_after_a_restart_of_everything_even_while_it_is_bad(own: Own) -> None:
    gateway, good = own.busy.gateway, own.write("wiki")
    own.wait_until_shown("wiki", good)
    own.replace("wiki", b"junk")
    gateway.stop()
    gateway.start()
    assert shown(own.busy.gateway, "wiki") == good


@plain
def test_a_new_name_takes_its_file_at_once_and_gives_it_back(own: Own) -> None:
    own.busy.apply(late={"upstream": own.busy.upstream.url, "access": "public"})
    number = own.write("late")
    own.wait_until_shown("late", number)
    assert source(own.busy, "late") == "files"
    (own.directory / "late.pem").unlink()
    wait_for(lambda: source(own.busy, "late") == "local", "the local authority to stand in again")
    own.busy.apply()


@plain
def test_check_names_hosts_that_no_file_covers(own: Own) -> None:
    own.write("wiki")
    own.busy.gateway.change(tls={"mode": "files"})
    said = own.busy.gateway.cli("check")
    assert "no file covers chat.gate.test" in said
    assert "no file covers wiki.gate.test" not in said
    own.busy.gateway.change(tls={"mode": "local"})
