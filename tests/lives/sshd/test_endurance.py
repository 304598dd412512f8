"""Silence, floods, stalled readers and rules that change: what the server bears, and for how long."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import psutil
import pytest
from ssh_audit.builtin_policies import BUILTIN_POLICIES
from tests.lives.sshd.clients import Client, openssh
from tests.lives.sshd.conftest import MakeServer
from tests.lives.sshd.server import TunnelServer
from tests.lives.upstream import Upstream
from tests.lives.waiting import PATIENCE, wait_for

from portward.tunnels.control import Pending
from portward.tunnels.rules import AuthorityRule, ServiceRule

_BLOG = ServiceRule(name="blog", host="blog.gate.test", url="https://blog.gate.test")
_RAW = ServiceRule(name="raw", kind="tcp", public_port=5432)
_KEYS = {"ann": {"publish": ("*",)}}
_MB = 1_000_000


@pytest.fixture
def server(make_server: MakeServer) -> TunnelServer:
    return make_server(_KEYS, (_BLOG, _RAW))


# ---- the door --------------------------------------------------------------------------------------------------------


def test_500_silent_connections_hinder_nobody_and_are_closed(server: TunnelServer, web: Upstream) -> None:
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection((server.address, server.port), PATIENCE)) for _ in range(500)
        ]
        with Client("openssh", server, "ann", [f"blog:80:127.0.0.1:{web.port}"]):
            server.wait_for_tunnels(1)
            assert web.secret in server.get("blog")
            open_now = psutil.Process(server.process.pid).num_fds()
            assert open_now < 150
            for connection in silent:
                connection.settimeout(30)
                assert _is_closed(connection)
    assert server.wait_for_fact("KeyRefused", why="silent")


def _is_closed(connection: socket.socket) -> bool:
    try:
        while connection.recv(4096):
            pass
    except ConnectionResetError:
        return True
    return True


def test_the_public_audit_tool_finds_nothing_beyond_clients_that_know_no_better(
    server: TunnelServer, tmp_path: Path
) -> None:
    audit = (sys.executable, "-W", "ignore", "-c", "from ssh_audit.ssh_audit import main; main()")
    where = ("-p", str(server.port), server.address)
    report = json.loads(subprocess.run((*audit, "-j", *where), capture_output=True, text=True, timeout=60).stdout)
    notes = [
        (algorithm["algorithm"], note)
        for group in ("kex", "key", "enc", "mac")
        for algorithm in report[group]
        for level in ("fail", "warn")
        for note in algorithm["notes"].get(level, ())
    ]
    assert {name for name, _ in notes} <= {"curve25519-sha256", "curve25519-sha256@libssh.org"}
    assert all("post-quantum" in note for _, note in notes)
    assert report["cves"] == []

    hardened = BUILTIN_POLICIES["Hardened OpenSSH Server v9.9 (version 1)"]
    policy = tmp_path / "hardened.txt"
    policy.write_text(
        'name = "Hardened OpenSSH Server v9.9, or a part of it"\nversion = 1\n'
        "allow_algorithm_subset_and_reordering = true\n"
        f"host keys = {', '.join(hardened['host_keys'])}\n"  # type: ignore[arg-type]
        f"key exchanges = {', '.join(hardened['kex'])}\n"  # type: ignore[arg-type]
        f"ciphers = {', '.join(hardened['ciphers'])}\n"  # type: ignore[arg-type]
        f"macs = {', '.join(hardened['macs'])}\n"  # type: ignore[arg-type]
    )
    judged = subprocess.run((*audit, "-P", policy, *where), capture_output=True, text=True, timeout=60)
    assert "Passed" in judged.stdout, judged.stdout


# ---- back-pressure ---------------------------------------------------------------------------------------------------


def test_a_stalled_visitor_costs_no_memory(server: TunnelServer) -> None:
    with _endless() as port, Client("openssh", server, "ann", [f"raw:5432:127.0.0.1:{port}"]):
        server.wait_for_tunnels(1)
        with server.connect("raw") as warm:
            assert _take(warm, _MB) == _MB
        process = psutil.Process(server.process.pid)
        before = process.memory_info().rss
        with server.connect("raw") as stalled:
            stalled.recv(1)
            moved = _settled(server)
            assert process.memory_info().rss - before < 20 * _MB
            assert _take(stalled, 300 * _MB) == 300 * _MB
            assert process.memory_info().rss - before < 20 * _MB
    assert moved < 20 * _MB


def test_a_client_that_stops_reading_costs_no_memory(server: TunnelServer) -> None:
    with _endless() as port, Client("openssh", server, "ann", [f"raw:5432:127.0.0.1:{port}"]) as client:
        server.wait_for_tunnels(1)
        process = psutil.Process(server.process.pid)
        with ExitStack() as stack:
            visitors = [stack.enter_context(server.connect("raw")) for _ in range(20)]
            for visitor in visitors:
                visitor.sendall(b"x")
            wait_for(lambda: server.live()[0].requests == 20, "20 streams")
            before = process.memory_info().rss
            os.kill(client.process.pid, 19)
            sent = sum(_push(visitor, 15 * _MB) for visitor in visitors)
            assert process.memory_info().rss - before < 20 * _MB
            os.kill(client.process.pid, 18)
    assert sent < 100 * _MB


def _push(visitor: socket.socket, size: int) -> int:
    """Offer so many bytes; what is not taken for a moment is not taken."""
    visitor.settimeout(0.3)
    piece, sent = b"x" * 65536, 0
    try:
        while sent < size:
            sent += visitor.send(piece)
    except TimeoutError:
        pass
    return sent


def _take(visitor: socket.socket, size: int) -> int:
    """Read so many bytes, or all that there are. Returns their number."""
    room, taken = memoryview(bytearray(65536)), 0
    while taken < size and (received := visitor.recv_into(room, min(len(room), size - taken))):
        taken += received
    return taken


def _settled(server: TunnelServer) -> int:
    """Bytes that have passed when no more do."""
    last = -1
    while (now := server.live()[0].bytes_out) != last:
        last = now
        time.sleep(0.5)  # the look itself: two counts that are equal after this long
    return last - _MB


class _endless:  # noqa: N801 - reads as a verb where it is used
    """A port where whoever connects is sent bytes without end, and read from never."""

    def __enter__(self) -> int:
        self._listener = socket.create_server(("127.0.0.1", 0))
        Thread(target=self._accept, daemon=True).start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._send, args=(connection,), daemon=True).start()

    def _send(self, connection: socket.socket) -> None:
        piece = b"x" * 65536
        with connection:
            try:
                while True:
                    connection.sendall(piece)
            except OSError:
                return


def test_keys_are_exchanged_anew_in_the_middle_of_a_stream(server: TunnelServer) -> None:
    with _endless() as port:
        argv = openssh(server, "ann", [f"raw:5432:127.0.0.1:{port}"], "-N", "-o", "RekeyLimit=5M")
        with subprocess.Popen(argv) as client:
            server.wait_for_tunnels(1)
            with server.connect("raw") as visitor:
                assert _take(visitor, 60 * _MB) == 60 * _MB
            client.terminate()


@pytest.mark.parametrize("options", [("-c", "chacha20-poly1305@openssh.com"), ("-C",)])
def test_other_ciphers_and_compression_carry_as_well(
    options: tuple[str, ...], server: TunnelServer, web: Upstream
) -> None:
    argv = openssh(server, "ann", [f"blog:80:127.0.0.1:{web.port}"], "-N", *options)
    with subprocess.Popen(argv) as client:
        server.wait_for_tunnels(1)
        assert len(server.get("blog", "/bytes?size=3000000")) > 3_000_000
        client.terminate()


def test_requests_are_counted_on_connections_that_stay(server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", [f"blog:80:127.0.0.1:{web.port}"]):
        server.wait_for_tunnels(1)
        connection = HTTPConnection("blog")
        connection.sock = server.connect("blog")
        for _ in range(3):
            connection.request("GET", "/")
            assert web.secret in connection.getresponse().read().decode()
        connection.close()
        (live,) = server.live()
    assert live.requests == 3
    assert live.round_trip is not None


# ---- rules that change -----------------------------------------------------------------------------------------------


def _changes(server: TunnelServer) -> Iterator[tuple[str, dict[str, object]]]:
    (key,) = server.rules.keys
    yield "removed", {"keys": ()}
    yield "expired", {"keys": (replace(key, expires_at=datetime.now(UTC)),)}
    yield "from elsewhere", {"keys": (replace(key, sources=("192.0.2.0/24",)),)}
    yield "may publish something else", {"keys": (replace(key, publish=("other",)),)}
    yield "for a moment", {"keys": (replace(key, deadline=timedelta(seconds=1)),)}
    yield "service gone", {"services": (_RAW,)}


def test_a_rule_that_no_longer_permits_a_tunnel_cuts_it(server: TunnelServer, web: Upstream) -> None:
    was = server.rules
    for name, change in _changes(server):
        with Client("openssh", server, "ann", [f"blog:80:127.0.0.1:{web.port}"]) as client:
            server.wait_for_tunnels(1)
            server.write(**change)
            server.wait_for_tunnels(0)
            assert client.process.wait(PATIENCE) == 255, name
        server.write(keys=was.keys, services=(*was.services, ServiceRule(name=f"after-{name}".replace(" ", "-"))))
        wait_for(server.state.service_socket(server.rules.services[-1].name).exists, "the rules of before")


def test_a_change_that_concerns_others_leaves_a_tunnel_alone(server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", [f"blog:80:127.0.0.1:{web.port}"]):
        (before,) = server.wait_for_tunnels(1)
        server.write(services=(*server.rules.services, ServiceRule(name="third")))
        wait_for(server.state.service_socket("third").exists, "the third service's socket")
        server.state.tunnel_rules.write_text("{")
        server.err.wait_for_line("the old ones go on")
        server.write()
        assert server.live()[0].id == before.id
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0


# ---- keys that nobody knows, and certificates ------------------------------------------------------------------------


def test_an_unknown_key_is_let_in_by_whoever_compares_the_code(make_server: MakeServer, web: Upstream) -> None:
    server = make_server({}, (_BLOG,), approve_unknown_keys=True)
    server.key_file("new")
    with Client("openssh", server, "new", [f"blog:80:127.0.0.1:{web.port}"]) as client:
        code = client.out.wait_for_line(r"https://auth\.gate\.test/ssh/(\S+)")[1]
        pending = wait_for(lambda: _wished(server), "a wish")
        assert (pending.code, pending.wishes, pending.user) == (code, ("-R blog:80",), "new")
        assert server.live() == ()
        server.write(keys=(server.key_rule("new", publish=("blog",)),))
        server.wait_for_tunnels(1)
        assert web.secret in server.get("blog")
        assert asyncio.run(server.control.pending()) == ()


def _wished(server: TunnelServer) -> Pending | None:
    return next((entry for entry in asyncio.run(server.control.pending()) if entry.wishes), None)


def test_a_key_that_is_turned_away_carries_nothing(make_server: MakeServer, web: Upstream) -> None:
    server = make_server({}, (_BLOG,), approve_unknown_keys=True)
    server.key_file("new")
    with Client("openssh", server, "new", [f"blog:80:127.0.0.1:{web.port}"]) as client:
        pending = wait_for(lambda: _wished(server), "a wish")
        assert asyncio.run(server.control.refuse(pending.code)) == pending
        assert client.process.wait(PATIENCE) == 255
    assert server.wait_for_fact("KeyRefused", fingerprint=pending.fingerprint)
    assert not server.fact("TunnelOpened")


@pytest.mark.parametrize(
    ("user", "options", "let_in"),
    [
        ("ann", ("-n", "ann"), True),
        ("ann", ("-n", "eve"), False),
        ("ann", (), False),
        ("eve", ("-n", "eve"), False),
        ("ann", ("-n", "ann", "-V", "-2d:-1d"), False),
        ("ann", ("-n", "ann", "-O", "source-address=192.0.2.1"), False),
        ("ann", ("-n", "ann", "-O", "no-port-forwarding"), False),
        ("ann", ("-n", "ann", "-h"), False),
    ],
)
def test_certificates_of_a_listed_authority_are_let_in(
    user: str,
    options: tuple[str, ...],
    let_in: bool,
    make_server: MakeServer,
    web: Upstream,
) -> None:
    server = make_server({}, (_BLOG,))
    authority, key = server.key_rule("authority"), server.key_file(user)
    server.write(authorities=(AuthorityRule(name="hq", fingerprint=authority.fingerprint, public=authority.public),))
    sign = ("ssh-keygen", "-q", "-s", server.key_file("authority"), "-I", "ann@hq", *options, key.with_suffix(".pub"))
    subprocess.run(sign, check=True)
    wait_for(lambda: _lets_in(server, user, web) is let_in, f"certificate {options}: {let_in}")


def _lets_in(server: TunnelServer, user: str, web: Upstream) -> bool:
    with Client("openssh", server, user, [f"{user}-x:80:127.0.0.1:{web.port}"]) as client:
        wait_for(lambda: server.live() or client.process.poll() is not None, "an answer")
        return bool(server.live())
