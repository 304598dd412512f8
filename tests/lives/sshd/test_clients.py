"""Every client that people use publishes, against the running program."""

import re
import socket
import subprocess
from datetime import timedelta

import psutil
import pytest
from tests.lives.gateway import free_ports
from tests.lives.sshd.clients import CLIENTS, Client, openssh
from tests.lives.sshd.conftest import MakeServer
from tests.lives.sshd.server import TunnelServer
from tests.lives.upstream import Upstream
from tests.lives.waiting import PATIENCE

from portward.tunnels.rules import ServiceRule

_BLOG = ServiceRule(name="blog", host="blog.gate.test", url="https://blog.gate.test", port=3000)
_RAW = ServiceRule(name="raw", kind="tcp", public_port=5432, url="raw.gate.test:5432")
_KEYS = {"ann": {"publish": ("*",)}, "eve": {"reach": ("192.0.2.1:1",)}}


@pytest.fixture
def server(make_server: MakeServer) -> TunnelServer:
    return make_server(_KEYS, (_BLOG, _RAW))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_publishes_two_services_and_large_answers_come_through(
    name: str, server: TunnelServer, web: Upstream
) -> None:
    with Client(name, server, "ann", [f"blog:80:127.0.0.1:{web.port}", f"ann-two:80:127.0.0.1:{web.port}"]):
        server.wait_for_tunnels(2)
        assert web.secret in server.get("blog")
        assert web.secret in server.get("ann-two")
        assert len(server.get("blog", "/bytes?size=3000000")) > 3_000_000
        opened = server.wait_for_fact("TunnelOpened", service="ann-two")
    assert opened["made"] is True
    assert opened["host"] == "ann-two.gate.test"
    assert server.wait_for_fact("TunnelClosed", service="blog")["bytes_out"] > 3_000_000


@pytest.mark.parametrize(
    ("forward", "service"),
    [
        ("3000:127.0.0.1:{port}", "blog"),
        ("blog:0:127.0.0.1:{port}", "blog"),
        ("blog.gate.test:443:127.0.0.1:{port}", "blog"),
        ("Blog:80:127.0.0.1:{port}", "blog"),
        ("/blog:127.0.0.1:{port}", "blog"),
        ("/ann-sock.sock:127.0.0.1:{port}", "ann-sock"),
        ("raw:5432:127.0.0.1:{port}", "raw"),
    ],
)
def test_a_service_can_be_named_in_several_ways(
    forward: str, service: str, server: TunnelServer, web: Upstream
) -> None:
    with Client("openssh", server, "ann", [forward.format(port=web.port)]):
        server.wait_for_tunnels(1, service)
        assert web.secret in server.get(service)


def test_a_unix_socket_of_the_client_is_published(server: TunnelServer) -> None:
    local = server.directory / "local.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(local))
        listener.listen()
        listener.settimeout(PATIENCE)
        with Client("openssh", server, "ann", [f"raw:5432:{local}"]):
            server.wait_for_tunnels(1)
            with server.connect("raw") as visitor:
                visitor.sendall(b"hello")
                service, _ = listener.accept()
                with service:
                    assert service.recv(5) == b"hello"
                    service.sendall(b"from a socket")
                assert visitor.recv(100) == b"from a socket"


def test_two_random_names_are_readable_and_the_same_after_a_reconnect(server: TunnelServer, web: Upstream) -> None:
    names = []
    for _ in range(2):
        with Client("openssh", server, "ann", [f"0:127.0.0.1:{web.port}", f"0:localhost:{web.port}"]):
            tunnels = server.wait_for_tunnels(2)
            names.append({tunnel.service for tunnel in tunnels})
            assert all(web.secret in server.get(name) for name in names[-1])
        server.wait_for_tunnels(0)
    assert len(names[0]) == 2
    assert names[0] == names[1]
    assert all(re.fullmatch(r"ann-[a-z]+-[a-z]+-\d{1,4}", name) for name in names[0])


def test_a_terminal_shows_where_it_is_and_each_request_and_ends_with_control_c(
    server: TunnelServer, web: Upstream
) -> None:
    argv = openssh(server, "ann", [f"blog:80:127.0.0.1:{web.port}"], "-tt")
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        assert client.stdin
        assert client.stdout
        shown = b""
        while b"Ctrl-C" not in shown:
            shown += client.stdout.read1()
        line = '{"time":1,"host":"blog.gate.test","ip":"192.0.2.9","method":"GET","path":"/feed","status":200,"ms":7}\n'
        with server.state.access_log.open("a") as log:
            log.write(line.replace("blog.", "other.").replace("/feed", "/secret") + line)
            log.flush()
            while b"/feed" not in shown:
                shown += client.stdout.read1()
        client.stdin.write(b"\x03")
        client.stdin.flush()
        client.communicate(timeout=20)
    assert b"https://blog.gate.test" in shown
    assert "▄".encode() in shown
    assert b"/secret" not in shown
    server.wait_for_tunnels(0)


def test_n_is_quiet(server: TunnelServer, web: Upstream) -> None:
    with Client("openssh", server, "ann", [f"blog:80:127.0.0.1:{web.port}"]) as client:
        server.wait_for_tunnels(1)
    assert client.out.text == ""


def test_autossh_watches_over_a_port_that_no_other_connection_reaches(server: TunnelServer, web: Upstream) -> None:
    with Client("autossh -M N", server, "ann", [f"blog:80:127.0.0.1:{web.port}"]) as client:
        server.wait_for_tunnels(1)
        port = client.argv[client.argv.index("-M") + 1]
        listening = psutil.Process(server.process.pid).net_connections("tcp")
        assert {c.laddr.port for c in listening if c.status == psutil.CONN_LISTEN} == {server.port}
        stranger = subprocess.run(
            openssh(server, "eve", [], "-W", f"127.0.0.1:{port}"), capture_output=True, text=True, timeout=20, input=""
        )
    assert "prohibited" in stranger.stderr
    assert len([fact for fact in server.facts if fact["fact"] == "TunnelOpened"]) == 1


def test_a_raw_service_is_closed_while_nobody_carries_it(make_server: MakeServer) -> None:
    server = make_server({}, (_RAW,), hold=timedelta(0))
    with server.connect("raw") as visitor:
        assert visitor.recv(100) == b""


def test_a_free_port_is_no_port_of_the_gateway(server: TunnelServer, web: Upstream) -> None:
    (port,) = free_ports(1)
    done = subprocess.run(
        openssh(server, "ann", [f"{port}:127.0.0.1:{web.port}"], "-N"), capture_output=True, text=True, timeout=20
    )
    assert f"no service has tunnel = {port}" in done.stderr
    assert server.wait_for_fact("TunnelRefused", what=f"-R localhost:{port}")
