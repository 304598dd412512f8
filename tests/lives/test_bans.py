"""A ban's life at the edge, seen by those whom it shuts out and by those whom it must not touch."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.raw import Answer, connection, plain_connection, read_once, read_to_end, request
from tests.lives.sockets import Echo
from tests.lives.waiting import PATIENCE, wait_for

from portward.errors import Invalid, NotRunning

PAGE = request("chat.gate.test", "/", "Accept: text/html", "Connection: close")
KEEP = request("hello.gate.test", "/")
UPGRADE = request(
    "chat.gate.test",
    "/",
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@contextmanager
def gate_in(network: Network, address: str, **tables: Any) -> Iterator[Gateway]:
    at = network.host(address, f"2a0e:b107::{len(network.hosts) + 1}")
    with at.inside():
        echo = Echo()
    with echo, short_directory() as directory:
        services = {
            "hello": {"upstream": "demo", "access": "public"},
            "chat": {"upstream": echo.url, "access": "public"},
            "raw": {
                "kind": "tcp",
                "listen": 9000,
                "upstream": f"tcp://127.0.0.1:{echo.port}",
                "allow": ["0.0.0.0/0", "::/0"],
            },
        }
        with Gateway(directory, services, at=at, **tables) as gateway:
            yield gateway


@pytest.fixture(scope="module")
def edge(network: Network) -> Iterator[Gateway]:
    """A gateway without the kernel's help, which trusts two load balancers."""
    proxies = {"forwarded-for": ["45.90.1.1/32"], "proxy-protocol": ["45.90.1.2/32"]}
    with gate_in(network, "45.90.0.1", defence={"kernel": False}, proxies=proxies) as gateway:
        yield gateway


def ban(gateway: Gateway, source: str, **details: str) -> None:
    with gateway.admin() as admin:
        admin.post("/bans", {"source": source, **details})


def lift(gateway: Gateway, source: str) -> None:
    with gateway.admin() as admin:
        admin.delete(f"/bans/{source}")


def gets_in(gateway: Gateway, host: Host, sent: bytes = PAGE, before: bytes = b"", seconds: float = PATIENCE) -> bool:
    """Whether a new connection gets an answer of the service."""
    try:
        with plain_connection(gateway, gateway.https_port, at=host, seconds=seconds) as plain:
            plain.sendall(before)
            with gateway.tls("http/1.1").wrap_socket(plain, server_hostname="chat.gate.test") as secured:
                secured.sendall(sent)
                return Answer(read_to_end(secured)).status == 426
    except OSError:
        return False


def is_shut_out(gateway: Gateway, host: Host, sent: bytes = PAGE, before: bytes = b"") -> bool:
    """Whether it gets none, within a second."""
    return not gets_in(gateway, host, sent, before, seconds=1)


def answers(gateway: Gateway, port: int, host: Host) -> bool:
    """Whether a plain connection to a port gets a word."""
    try:
        with plain_connection(gateway, port, at=host, seconds=1) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: hello.gate.test\r\n\r\n")
            return read_once(plain) != b""
    except OSError:
        return False


def test_a_banned_client_is_dropped_before_tls_and_comes_again_when_it_is_lifted(
    edge: Gateway, network: Network
) -> None:
    mallory, neighbour = network.host("91.7.7.7"), network.host("91.7.7.8")
    assert gets_in(edge, mallory)
    assert answers(edge, 9000, mallory)
    ban(edge, "91.7.7.7")
    assert is_shut_out(edge, mallory)
    assert not answers(edge, 9000, mallory)
    assert not answers(edge, edge.http_port, mallory)
    assert gets_in(edge, neighbour)
    lift(edge, "91.7.7.7")
    assert gets_in(edge, mallory)
    assert answers(edge, edge.http_port, mallory)


def test_a_ban_of_a_network_shuts_out_who_is_in_it_and_nobody_else(edge: Gateway, network: Network) -> None:
    two = [network.host(f"2a0e:1:2:3::{number}") for number in (7, 8)]
    other = network.host("2a0e:1:2:4::7")
    ban(edge, "2a0e:1:2:3::/64", **{"for": "1h"})
    assert all(is_shut_out(edge, host) for host in two)
    assert gets_in(edge, other)


def test_open_connections_and_sockets_are_cut_and_those_of_others_are_not(edge: Gateway, network: Network) -> None:
    mallory, neighbour = network.host("91.7.2.1"), network.host("91.7.2.2")
    with (
        connection(edge, "hello", at=mallory) as kept,
        connection(edge, "chat", at=mallory) as goes,
        connection(edge, "chat", at=neighbour) as stays,
        plain_connection(edge, 9000, at=mallory) as raw,
    ):
        kept.sendall(KEEP)
        assert read_once(kept).startswith(b"HTTP/1.1 200")
        for opened in (goes, stays):
            opened.sendall(UPGRADE)
            assert read_once(opened).startswith(b"HTTP/1.1 101")
        ban(edge, "91.7.2.0/31")
        assert read_once(goes) == b""
        assert read_once(raw) == b""
        kept.sendall(KEEP)
        kept.settimeout(3)
        assert Answer(read_to_end(kept)).status == 0
        stays.sendall(b"\x89\x80\x00\x00\x00\x00")
        assert read_once(stays).startswith(b"\x8a")


def test_a_worker_that_drains_hears_of_bans_as_well(edge: Gateway, network: Network) -> None:
    mallory = network.host("91.7.3.1")
    with connection(edge, "chat", at=mallory) as goes:
        goes.sendall(UPGRADE)
        assert read_once(goes).startswith(b"HTTP/1.1 101")
        edge.change(timeouts={"drain": "20s", "keep-alive": "61s"})
        ban(edge, "91.7.3.1")
        assert read_once(goes) == b""
    assert is_shut_out(edge, mallory)


def test_clients_behind_load_balancers_are_banned_by_their_own_addresses(edge: Gateway, network: Network) -> None:
    forwarder, prefixer = network.host("45.90.1.1"), network.host("45.90.1.2")
    ban(edge, "198.51.100.9")

    def forwarded(address: str) -> tuple[Host, bytes]:
        return forwarder, request("chat.gate.test", "/", f"X-Forwarded-For: {address}", "Connection: close")

    def prefixed(address: str) -> tuple[Host, bytes, bytes]:
        return prefixer, PAGE, f"PROXY TCP4 {address} 45.90.0.1 4711 443\r\n".encode()

    for by in (forwarded, prefixed):
        assert is_shut_out(edge, *by("198.51.100.9"))
        assert gets_in(edge, *by("198.51.100.10"))
    found = edge.wait_for_events(kind="RequestRefused", rule="banned", address="198.51.100.9")[0]
    assert "portward ban show" in edge.cli("explain", found["request_id"])
    with connection(edge, "chat", at=forwarder) as goes, connection(edge, "chat", at=forwarder) as stays:
        for opened, address in ((goes, "198.51.100.11"), (stays, "198.51.100.12")):
            opened.sendall(UPGRADE[:-2] + f"X-Forwarded-For: {address}\r\n\r\n".encode())
            assert read_once(opened).startswith(b"HTTP/1.1 101")
        ban(edge, "198.51.100.11")
        assert read_once(goes) == b""
        stays.sendall(b"\x89\x80\x00\x00\x00\x00")
        assert read_once(stays).startswith(b"\x8a")


def test_who_is_exempt_is_not_banned_and_it_is_said_why(edge: Gateway) -> None:
    for source, why in (
        ("45.90.0.1", "an address of this machine"),
        ("45.90.1.0/24", "which is a trusted proxy"),
        ("192.168.1.1", "a private network"),
    ):
        with pytest.raises(Invalid, match=why):
            ban(edge, source)


def test_a_ban_ends_on_time_even_while_the_keeper_hangs(edge: Gateway, network: Network) -> None:
    mallory = network.host("91.7.4.1")
    ban(edge, "91.7.4.1", until=(datetime.now(UTC) + timedelta(seconds=2)).isoformat())
    os.kill(edge.pids.keeper, signal.SIGSTOP)
    try:
        assert is_shut_out(edge, mallory)
        wait_for(lambda: not is_shut_out(edge, mallory), "the ban to end")
    finally:
        os.kill(edge.pids.keeper, signal.SIGCONT)
    edge.wait_for_events(kind="BanLifted", source="91.7.4.1", by="time")
    assert "91.7.4.1" not in live(edge)


def test_an_edge_that_lost_bans_is_mended(edge: Gateway, network: Network) -> None:
    mallory = network.host("91.7.5.1")
    ban(edge, "91.7.5.1")
    edge.runtime(f"clear map {edge.state}/edge/bans.map")
    wait_for(lambda: is_shut_out(edge, mallory), "the reconciler")


def test_many_come_and_go_at_once(edge: Gateway, network: Network) -> None:
    mallory = network.host("91.8.3.1")
    many = [{"source": f"91.8.{number // 250}.{number % 250}"} for number in range(5000)]
    with edge.admin() as admin:
        answer = admin.post("/bans/import", {"bans": many})
        assert (len(answer["banned"]), answer["refused"]) == (5000, [])
        assert is_shut_out(edge, mallory)
        admin.delete("/bans")
    assert gets_in(edge, mallory)
    assert live(edge) == []


@pytest.mark.parametrize("order", [("91.9.1.0/24", "91.9.1.7"), ("91.9.1.7", "91.9.1.0/24")])
@pytest.mark.parametrize("end", ["lifted", "over"])
@pytest.mark.parametrize("first", ["91.9.1.0/24", "91.9.1.7"])
def test_of_a_ban_within_another_the_one_that_is_left_holds(
    edge: Gateway, network: Network, order: tuple[str, str], end: str, first: str
) -> None:
    inner, outer = _once(network, "91.9.1.7"), _once(network, "91.9.1.8")
    for source in order:
        ban(edge, source, **({"for": "1s"} if source == first and end == "over" else {"for": "1h"}))
    if end == "lifted":
        lift(edge, first)
    else:
        wait_for(lambda: first not in live(edge), "the ban to be over")
    assert is_shut_out(edge, inner)
    assert gets_in(edge, outer) == (first == "91.9.1.0/24")
    lift(edge, next(source for source in order if source != first))
    assert gets_in(edge, inner)


def _once(network: Network, address: str) -> Host:
    return next((host for host in network.hosts if host.address == address), None) or network.host(address)


def test_an_ssh_server_that_was_killed_knows_bans_at_its_first_connection(network: Network) -> None:
    mallory, neighbour = network.host("91.9.2.1"), network.host("91.9.2.2")
    with gate_in(network, "45.90.0.9", defence={"kernel": False}, tunnels={}) as gateway:
        wait_for(lambda: greets(gateway, mallory), "the SSH server")
        ban(gateway, "91.9.2.0/31")
        before = gateway.pids
        os.kill(before.keeper, signal.SIGSTOP)  # so that nobody can tell the new one
        try:
            os.kill(before.tunnels, signal.SIGKILL)
            wait_for(lambda: gateway.pids.tunnels != before.tunnels, "another SSH server")
            assert wait_for(lambda: [one for one in [greets(gateway, mallory)] if one is not None], "it") == [False]
            assert greets(gateway, neighbour)
        finally:
            os.kill(before.keeper, signal.SIGCONT)


def greets(gateway: Gateway, host: Host) -> bool | None:
    """Whether the SSH server says who it is; None where nobody listens."""
    try:
        with plain_connection(gateway, gateway.ssh_port, at=host) as plain:
            return read_once(plain).startswith(b"SSH-2.0-")
    except ConnectionRefusedError:
        return None
    except ConnectionResetError:
        return False


def live(gateway: Gateway) -> list[str]:
    lines = (gateway.state / "edge" / "bans.map").read_text().splitlines()
    return [line.split()[0] for line in lines if not line.startswith("#")]


@pytest.fixture(scope="module")
def whole(network: Network) -> Iterator[Gateway]:
    """A gateway with the kernel's help."""
    with gate_in(network, "45.90.0.2", defence={}) as gateway:
        yield gateway


def test_a_ban_outlives_every_program_in_kernel_and_edge(whole: Gateway, network: Network) -> None:
    mallory, neighbour = network.host("91.7.6.1"), network.host("91.7.6.2")
    ban(whole, "91.7.6.1", **{"for": "1h"})
    assert whole.at is not None
    assert "91.7.6.1 timeout 1h" in ruleset(whole.at)
    pids = whole.pids
    os.kill(pids.keeper, signal.SIGKILL)
    assert is_shut_out(whole, mallory)
    wait_for(lambda: whole.pids.keeper != pids.keeper, "the keeper")
    wait_for(lambda: kernel_is_on(whole), "the kernel's table")
    assert is_shut_out(whole, mallory)
    assert gets_in(whole, neighbour)
    whole.stop()
    assert "portward" not in ruleset(whole.at)
    whole.start()
    assert "91.7.6.1 timeout 59m" in ruleset(whole.at)
    assert is_shut_out(whole, mallory)
    assert gets_in(whole, neighbour)


def test_a_foreign_flush_is_mended_within_seconds_and_told(whole: Gateway, network: Network) -> None:
    ban(whole, "91.7.6.9")
    assert whole.at is not None
    whole.at.run("nft", "flush", "ruleset")
    wait_for(lambda: "91.7.6.9" in ruleset(whole.at), "the reconciler")
    whole.wait_for_events(kind="EdgeMended", what="the packet filter's table `inet portward`")


def test_the_allowlist_frees_a_banned_client_within_a_second(whole: Gateway, network: Network) -> None:
    friend, foe = network.host("91.7.8.1"), network.host("91.7.8.2")
    ban(whole, "91.7.8.0/24")
    ban(whole, "91.7.8.1")
    assert is_shut_out(whole, friend)
    assert is_shut_out(whole, foe)
    whole.change(defence={"allow": ["91.7.8.1/32"]})
    assert gets_in(whole, friend)
    assert is_shut_out(whole, foe)
    whole.wait_for_events(kind="BanLifted", source="91.7.8.1", by="allowlist")


def test_a_page_tells_the_reason_the_end_and_a_request_id(whole: Gateway, network: Network) -> None:
    whole.change(defence={"answer": "page"})
    mallory, forever = network.host("91.7.9.1"), network.host("91.7.9.2")
    with whole.admin() as admin:
        admin.post("/bans", {"source": "91.7.9.1", "until": "2035-01-02T03:04:05Z", "reason": 'x <b>"é|\n%[src] y'})
        admin.post("/bans", {"source": "91.7.9.2", "reason": "probe"})
    with connection(whole, "chat", at=mallory) as secured:
        secured.sendall(PAGE)
        answer = Answer(read_to_end(secured))
    assert answer.status == 403
    page = answer.body.decode()
    assert "The reason is: x b src y. The ban ends: 2035-01-02 03:04 UTC." in page
    found = whole.wait_for_events(kind="RequestRefused", rule="banned", address="91.7.9.1")[0]
    assert found["request_id"] in page
    with connection(whole, "hello", at=forever) as secured:
        secured.sendall(request("hello.gate.test", "/", "Connection: close"))
        said = Answer(read_to_end(secured)).body.decode()
    assert '"reason": "probe", "ends": "for good"' in said
    with pytest.raises(TimeoutError):
        plain_connection(whole, 9000, at=mallory, seconds=1).close()


def test_without_a_keeper_the_command_line_frees_a_client_in_kernel_and_file(whole: Gateway) -> None:
    ban(whole, "91.7.10.1")
    ban(whole, "91.7.10.2")
    whole.kill()
    assert "91.7.10.1" in ruleset(whole.at)
    whole.cli("ban", "remove", "91.7.10.1")
    assert "91.7.10.1" not in ruleset(whole.at)
    assert "91.7.10.2" in ruleset(whole.at)
    assert "91.7.10.1" not in live(whole)
    assert "91.7.10.2" in live(whole)
    whole.start()
    assert "91.7.10.1" not in ruleset(whole.at)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_stop_leaves_no_table_whatever_became_of_the_keeper(whole: Gateway, number: int) -> None:
    ban(whole, "91.7.11.1")
    os.kill(whole.pids.keeper, number)
    whole.stop()
    assert "portward" not in ruleset(whole.at)
    whole.start()
    assert "91.7.11.1" in ruleset(whole.at)


def kernel_is_on(gateway: Gateway) -> bool:
    """False while no keeper answers."""
    with suppress(NotRunning):
        return bool(gateway.status()["defence"]["kernel"]["on"])
    return False


def ruleset(host: Host | None) -> str:
    assert host is not None
    return host.run("nft", "list", "ruleset")
