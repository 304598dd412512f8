"""Services that dial in by SSH, behind all the gates: with the real programs and OpenSSH's own client."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.lives.conftest import MakeGateway
from tests.lives.dialling import Laptop, tunnels
from tests.lives.gateway import Gateway, free_ports
from tests.lives.places import short_directory
from tests.lives.sockets import Echo, is_alive, open_socket
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor
from tests.lives.waiting import PATIENCE, wait_for


class Greeter:
    """A raw TCP service: sends what it got first back, and closes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(b"got " + connection.recv(1000))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE)


@dataclass
class World:
    gateway: Gateway
    laptop: Laptop
    ann: Visitor
    upstream: Upstream
    echo: Echo
    greeter: Greeter
    tcp: dict[str, int]


def services(greeter: Greeter, tcp: dict[str, int]) -> dict[str, Any]:
    def raw(name: str, **more: Any) -> dict[str, Any]:
        return {"kind": "tcp", "listen": f"127.0.0.1:{tcp[name]}", "allow": ["127.0.0.1"], **more}

    return {
        "blog": {"tunnel": True},
        "hooks": {"tunnel": 3000, "access": "public"},
        "chat": {"tunnel": True},
        "db": raw("db", tunnel=True, **{"proxy-protocol": "v2"}),
        "plain": raw("plain", upstream=f"tcp://127.0.0.1:{greeter.port}"),
        "nobody": raw("nobody", tunnel=True),
    }


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    tcp = dict(zip(("db", "plain", "nobody"), free_ports(3), strict=True))
    with ExitStack() as stack:
        upstream, echo, greeter = stack.enter_context(Upstream()), stack.enter_context(Echo()), Greeter()
        stack.callback(greeter.close)
        directory = stack.enter_context(short_directory())
        gateway = stack.enter_context(Gateway(directory, services(greeter, tcp), tunnels={"hold": "4s"}))
        gateway.enrol_owner().close()
        gateway.add_account("ann")
        laptop = Laptop(directory, gateway, account="ann")
        ann = stack.enter_context(gateway.log_in("ann", address="127.0.0.7"))
        yield World(gateway, laptop, ann, upstream, echo, greeter, tcp)


def say(port: int, words: bytes, address: str = "127.0.0.1") -> bytes:
    """Send this to a raw TCP service; returns all that comes back."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE, source_address=(address, 0)) as connection:
        try:
            connection.sendall(words)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(4096), b""))
        except TimeoutError:
            raise
        except OSError:  # reset, or not connected any more
            return b""


def speak_and_hear(connection: socket.socket) -> bytes:
    connection.sendall(b"hello")
    return connection.recv(10)


def wait_for_page(visitor: Visitor, host: str, status: int) -> str:
    def look() -> str | None:
        answer = visitor.fetch(host)
        return answer.text if answer.status_code == status else None

    return wait_for(look, f"{host} to answer {status}")


def test_a_declared_service_comes_through_its_tunnel_behind_the_login(world: World) -> None:
    with world.laptop.dial(f"blog:80:localhost:{world.upstream.port}"), world.gateway.visitor() as stranger:
        before = world.upstream.hits
        assert stranger.fetch("blog").status_code == 401
        assert world.upstream.hits == before
        page = world.ann.arrive("blog", "/page?x=1")
        assert world.upstream.secret in page.text
        received = world.upstream.requests[-1]
        assert received.one("X-Forwarded-For") == "127.0.0.7"
        assert received.one("Remote-User") == "ann"
        assert received.one("Host") == f"blog.gate.test:{world.gateway.https_port}"


def test_a_port_without_a_name_means_the_service_that_declares_it(world: World) -> None:
    with (
        world.laptop.dial(f"3000:localhost:{world.upstream.port}"),
        world.gateway.visitor() as stranger,
    ):
        assert stranger.fetch("hooks", "/hook", "POST", content=b"{}").status_code == 200


def test_a_websocket_goes_through_a_tunnel_and_survives_keeper_and_reload(world: World) -> None:
    gateway, before = world.gateway, world.gateway.pids
    with world.laptop.dial(f"chat:80:localhost:{world.echo.port}"):
        world.ann.arrive("chat")
        carried = tunnels(gateway)
        with open_socket(gateway, world.ann, "chat") as talk:
            os.kill(before.keeper, signal.SIGKILL)
            wait_for(lambda: gateway.pids.keeper != before.keeper and _answers(gateway), "another keeper")
            gateway.change(limits={"max-connections": 3999})  # a reload of the edge
            assert is_alive(talk)
        os.kill(gateway.pids.master, signal.SIGKILL)
        wait_for(lambda: gateway.pids.master != before.master, "another edge")
        wait_for_page(world.ann, "chat", 426)
        assert [live["id"] for live in tunnels(gateway)] == [live["id"] for live in carried]
        assert gateway.pids.tunnels == before.tunnels


def test_a_service_made_on_the_spot_is_published_without_a_reload_and_asks_for_a_login(world: World) -> None:
    gateway, before = world.gateway, world.gateway.pids
    with world.laptop.dial(f"ann-draft:80:localhost:{world.upstream.port}"), gateway.visitor() as stranger:
        wait_for(lambda: "ann-draft.gate.test/" in gateway.map("routes"), "the route")
        assert stranger.fetch("ann-draft").status_code == 401
        assert world.upstream.secret in world.ann.arrive("ann-draft").text
        assert gateway.pids.worker == before.worker
        listed = {row["service"]: row for row in gateway_services(gateway)}
        assert listed["ann-draft"]["source"] == "key laptop of ann"
        assert listed["blog"]["source"] == "portward.toml"
        gateway.apply(services(world.greeter, world.tcp))  # nor does a change of the file take it away
        assert world.ann.fetch("ann-draft").status_code == 200
    assert "away" in wait_for_page(world.ann, "ann-draft", 503)


def test_what_was_made_on_the_spot_is_there_after_the_keepers_death(world: World) -> None:
    gateway, before = world.gateway, world.gateway.pids
    with world.laptop.dial(f"ann-lasting:80:localhost:{world.upstream.port}"):
        wait_for(lambda: "ann-lasting.gate.test/" in gateway.map("routes"), "the route")
        os.kill(before.keeper, signal.SIGKILL)
        wait_for(lambda: gateway.pids.keeper != before.keeper and _answers(gateway), "another keeper")
        assert "ann-lasting.gate.test/" in gateway.map("routes")
        assert world.upstream.secret in world.ann.arrive("ann-lasting").text


def test_requests_wait_while_the_ssh_server_restarts_and_its_client_comes_back(world: World) -> None:
    gateway = world.gateway
    world.ann.arrive("blog")
    with world.laptop.dial_again_and_again(f"blog:80:localhost:{world.upstream.port}"):
        wait_for_page(world.ann, "blog", 200)
        before = gateway.pids
        os.kill(before.tunnels, signal.SIGKILL)
        wait_for(lambda: gateway.pids.tunnels != before.tunnels, "the death of the SSH server")
        assert world.ann.fetch("blog").status_code == 200
        after = gateway.pids
        assert after.tunnels != before.tunnels
        assert (after.keeper, after.worker) == (before.keeper, before.worker)


def test_raw_tcp_tells_the_visitors_address_where_it_is_asked_to(world: World) -> None:
    with world.laptop.dial(f"db:{world.tcp['db']}:localhost:{world.greeter.port}"):
        answer = wait_for(lambda: say(world.tcp["db"], b"hello"), "an answer")
        assert answer.startswith(b"got \r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x7f\x00\x00\x01\x7f\x00\x00\x01")


def test_raw_tcp_reaches_an_ordinary_upstream_too(world: World) -> None:
    assert say(world.tcp["plain"], b"hello") == b"got hello"


def test_only_listed_networks_reach_a_raw_tcp_service(world: World) -> None:
    last = world.gateway.newest_event()
    assert say(world.tcp["plain"], b"hello", address="127.0.0.9") == b""
    (event,) = world.gateway.wait_for_events(rule="not_listed", address="127.0.0.9", detail="plain")
    assert event["id"] > last
    assert "`allow`" in world.gateway.cli("explain", event["request_id"])


def test_a_raw_tcp_service_whose_tunnel_is_away_is_closed(world: World) -> None:
    assert say(world.tcp["nobody"], b"hello") == b""


def test_a_denied_address_reaches_no_raw_tcp_service(world: World) -> None:
    world.gateway.change(defence={"deny": ["127.0.0.99"]})
    with socket.create_connection(("127.0.0.1", world.tcp["plain"]), PATIENCE, ("127.0.0.99", 0)) as connection:
        connection.settimeout(1)
        with pytest.raises((TimeoutError, ConnectionError)):  # reset, where it was dropped before the words came
            speak_and_hear(connection)
    world.gateway.wait_for_events(rule="denied", address="127.0.0.99")


def test_status_tells_of_the_ssh_server(world: World) -> None:
    said = world.gateway.status()["tunnels"]
    assert said["running"]
    assert said["listen"] == [f"127.0.0.1:{world.gateway.ssh_port}"]
    assert "SSH server" in world.gateway.cli("status")


def test_without_tunnels_nothing_of_them_runs(gateway: Gateway) -> None:
    assert gateway.status()["tunnels"]["wanted"] is False
    assert gateway.pids.tunnels == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gateway.ssh_port), PATIENCE)


def test_the_ssh_server_runs_while_the_file_or_a_key_asks_for_it(make_gateway: MakeGateway, tmp_path: Path) -> None:
    gateway = make_gateway({}, tunnels={})
    gateway.add_account("ann")
    running = wait_for(lambda: gateway.pids.tunnels, "the SSH server")
    laptop = Laptop(tmp_path, gateway, account="ann")
    with laptop.dial_again_and_again("ann-blog:80:localhost:1"):  # the server looks for new keys twice a second
        gateway.cli("key", "remove", laptop.name, "--yes")
        wait_for(lambda: not tunnels(gateway), "the tunnel to be cut")
    gateway.drop("tunnels")
    wait_for(lambda: not gateway.pids.tunnels, "the SSH server to be gone")
    assert "ann-blog" in {row["service"] for row in gateway_services(gateway)}  # its page says that it is away
    assert running


def gateway_services(gateway: Gateway) -> list[dict[str, Any]]:
    with gateway.admin() as admin:
        return list(admin.get("/services")["services"])


def _answers(gateway: Gateway) -> bool:
    try:
        return bool(gateway.status()["edge"]["running"])
    except Exception:  # whatever a keeper in the middle of its start does to its socket
        return False
