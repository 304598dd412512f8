"""A TLS session that is resumed must bring no device along: not to another host, and not after its revocation.

HAProxy keeps one session cache for all hosts of a listener. With it, a session made at one host carried that host's
device to another (seen with 2.6.12 and 3.2.0), and a revoked device came back. Where a service asks for devices,
nothing is resumed at all.
"""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.lives.conftest import short_directory
from tests.lives.gateway import Gateway
from tests.lives.machines import Machine, Machines
from tests.lives.upstream import Upstream

VERSIONS = pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
_PYTHON = {"-tls1_2": ssl.TLSVersion.TLSv1_2, "-tls1_3": ssl.TLSVersion.TLSv1_3}


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with ExitStack() as stack:
        url = stack.enter_context(Upstream()).url
        device = {"upstream": url, "access": "public", "device": "required"}
        services = {"one": device, "two": device, "open": {"upstream": url, "access": "public"}}
        place = stack.enter_context(short_directory())
        gateway = stack.enter_context(Gateway(stack.enter_context(short_directory()), services))
        gateway.enrol_owner().close()
        gateway.add_account("ann")
        yield Machines(gateway, place)


def talk(gateway: Gateway, host: str, version: str, *options: str | Path) -> str:
    """One handshake and one request by openssl s_client; everything that it prints."""
    name = gateway.host(host)
    place = ["-connect", f"127.0.0.1:{gateway.https_port}", "-servername", name, "-CAfile", gateway.root]
    request = f"GET /secret HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
    command = ["openssl", "s_client", *place, version, "-ign_eof", *options]
    done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=30)
    return done.stdout + done.stderr


def status(output: str) -> str:
    return output.partition("HTTP/1.1 ")[2][:3]


def keep_session(machine: Machine, host: str, version: str) -> Path:
    """A session that the device made at a host; an empty file where the gateway gave none away."""
    kept = machine.key.with_suffix(f".{host}{version}")
    shown = talk(machine.gateway, host, version, "-cert", machine.certificate, "-key", machine.key, "-sess_out", kept)
    assert status(shown) == "200", shown
    return kept


@VERSIONS
@pytest.mark.parametrize("host", ["two", "one", "open"])
def test_a_session_of_a_device_is_worth_nothing_without_the_device(machines: Machines, host: str, version: str) -> None:
    machine = machines.enrol("ann", f"replayed at {host}{version}")
    kept = keep_session(machine, "one", version)
    if kept.exists() and kept.stat().st_size:
        replayed = talk(machine.gateway, host, version, "-sess_in", kept)
        assert "Reused, TLS" not in replayed
        assert status(replayed) == ("200" if host == "open" else "403")


@VERSIONS
def test_a_session_of_a_host_without_devices_brings_no_device(machines: Machines, version: str) -> None:
    machine = machines.enrol("ann", f"from outside{version}")
    kept = keep_session(machine, "open", version)
    if kept.exists() and kept.stat().st_size:
        assert status(talk(machine.gateway, "one", version, "-sess_in", kept)) == "403"


@VERSIONS
def test_a_revoked_device_never_resumes(machines: Machines, version: str) -> None:
    """With the very context that made the session, as a browser that stays open would."""
    machine = machines.enrol("ann", f"revoked{version}")
    context = machine.gateway.tls("http/1.1")
    context.minimum_version = context.maximum_version = _PYTHON[version]
    context.load_cert_chain(machine.certificate, machine.key)
    answer, _, session = get(machine.gateway, "one", context, None)
    assert answer == 200
    assert get(machine.gateway, "two", context, session)[:2] == (200, False)
    machines.revoke(machine)
    for host in ("one", "two"):
        assert get(machine.gateway, host, context, session)[:2] == (403, False)


def get(
    gateway: Gateway, host: str, context: ssl.SSLContext, session: ssl.SSLSession | None
) -> tuple[int, bool | None, ssl.SSLSession | None]:
    """Status, whether the session was resumed, and the session for the next time."""
    name = gateway.host(host)
    with (
        socket.create_connection(("127.0.0.1", gateway.https_port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name, session=session) as secured,
    ):
        secured.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: secured.recv(65536), b""))
        return int(answer.split(b" ", 2)[1]), secured.session_reused, secured.session
