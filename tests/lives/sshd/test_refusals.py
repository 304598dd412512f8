"""A tunnel key tries everything that SSH can do and it may not: all of it is refused, and all of it is told."""

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import asyncssh
import paramiko
import pytest
from tests.lives.gateway import free_ports
from tests.lives.places import short_directory
from tests.lives.sshd.clients import Client, openssh
from tests.lives.sshd.server import TunnelServer
from tests.lives.upstream import Upstream

from portward.tunnels.rules import ServiceRule

_BLOG = ServiceRule(name="blog", host="blog.gate.test", url="https://blog.gate.test", port=3000)
_DB = ServiceRule(name="db", kind="tcp", public_port=5432)


@pytest.fixture(scope="module")
def server(web: Upstream) -> Iterator[TunnelServer]:
    """ann carries tunnels; ben has one already, and may jump to the web server alone."""
    keys = {
        "ann": {"publish": ("blog", "ann-*")},
        "ben": {"account": "ben", "publish": ("ben-*", "db"), "reach": (f"localhost.test:{web.port}", "*.lab:22")},
        "jumper": {"reach": (f"127.0.0.1:{web.port}", f"localhost:{web.port}")},
    }
    with (
        short_directory() as directory,
        TunnelServer(directory, keys, (_BLOG, _DB)) as running,
        Client("openssh", running, "ben", ["ben-site:80:127.0.0.1:1"]),
    ):
        running.wait_for_tunnels(1)
        yield running


def _run(server: TunnelServer, *more: str, key: str = "ann", forwards: tuple[str, ...] = ()) -> str:
    """What OpenSSH says of it; it must end by itself, and not well."""
    done = subprocess.run(openssh(server, key, forwards, *more), capture_output=True, text=True, timeout=30, input="")
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("forward", "what", "said"),
    [
        ("0.0.0.0:80:h:1", "-R 0.0.0.0:80", "no address of the gateway"),
        ("0.0.0.0:3000:h:1", "-R 0.0.0.0:3000", "no address of the gateway"),
        ("[::]:3000:h:1", "-R :::3000", "no address of the gateway"),
        ("192.0.2.1:3000:h:1", "-R 192.0.2.1:3000", "no address of the gateway"),
        ("22:h:1", "-R localhost:22", "port 22"),
        ("443:h:1", "-R localhost:443", "port 443"),
        ("8443:h:1", "-R localhost:8443", "no service has tunnel = 8443"),
        ("blog:22:h:1", "-R blog:22", "no port 22"),
        ("db:5432:h:1", "-R db:5432", "may not publish db"),
        ("wiki:80:h:1", "-R wiki:80", "begins with ann-"),
        ("ben-site:80:h:1", "-R ben-site:80", "begins with ann-"),
        ("/etc/portward.sock:h:1", "-R /etc/portward.sock", "no socket"),
        ("/run/../blog:h:1", "-R /run/../blog", "no socket"),
        ("/db:h:1", "-R /db", "may not publish db"),
    ],
)
def test_foreign_names_ports_and_addresses_are_refused(
    server: TunnelServer, forward: str, what: str, said: str
) -> None:
    assert said in _run(server, "-N", forwards=(forward,))
    assert server.wait_for_fact("TunnelRefused", what=what, key="ann")


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (("-W", "127.0.0.1:22"), "-L 127.0.0.1:22"),
        (("-W", "localhost:2222"), "-L localhost:2222"),
        (("-W", "169.254.169.254:80"), "-L 169.254.169.254:80"),
        (("-W", "[::1]:22"), "-L ::1:22"),
        (("-W", "example.com:25"), "-L example.com:25"),
    ],
)
@pytest.mark.parametrize("key", ["ann", "ben", "jumper"])
def test_jumps_beyond_a_keys_reach_are_refused(
    server: TunnelServer, more: tuple[str, ...], what: str, key: str
) -> None:
    assert "prohibited" in _run(server, *more, key=key)
    assert server.wait_for_fact("TunnelRefused", what=what, key=key)


def test_a_name_that_is_permitted_does_not_lead_to_the_gateway_itself(server: TunnelServer, web: Upstream) -> None:
    assert "prohibited" in _run(server, "-W", f"localhost.test:{web.port}", key="ben")
    assert server.wait_for_fact("TunnelRefused", what=f"-L localhost.test:{web.port}")


def test_what_the_rule_names_is_reached(server: TunnelServer, web: Upstream) -> None:
    argv = openssh(server, "jumper", (), "-W", f"127.0.0.1:{web.port}")
    done = subprocess.run(argv, input="GET / HTTP/1.0\r\n\r\n", capture_output=True, text=True, timeout=30)
    assert web.secret in done.stdout
    opened = server.wait_for_fact("JumpOpened", key="jumper")
    assert opened["resolved"] == "127.0.0.1"


def test_d_reaches_what_the_rule_names_and_nothing_else(server: TunnelServer, web: Upstream) -> None:
    (port,) = free_ports(1)
    with subprocess.Popen(openssh(server, "jumper", (), "-N", "-D", f"127.0.0.1:{port}")) as client:
        curl = ("curl", "-sS", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "--max-time", "20")
        proxy = ("--proxy", f"socks5h://127.0.0.1:{port}")
        reached = subprocess.run((*curl, *proxy, web.url), capture_output=True, text=True)
        refused = subprocess.run((*curl[:2], *proxy, "http://127.0.0.1:22/"), capture_output=True, text=True)
        client.terminate()
    assert web.secret in reached.stdout
    assert refused.returncode != 0
    assert server.wait_for_fact("TunnelRefused", what="-L 127.0.0.1:22", key="jumper")


def test_commands_are_refused(server: TunnelServer) -> None:
    done = subprocess.run((*openssh(server, "ann", ()), "id"), capture_output=True, text=True, timeout=30)
    assert done.returncode != 0
    assert "uid=" not in done.stdout
    assert server.wait_for_fact("TunnelRefused", what="exec id")


def _with_asyncssh(server: TunnelServer, act: Callable[[asyncssh.SSHClientConnection], Any]) -> Any:
    async def run() -> Any:
        async with asyncssh.connect(
            server.address, server.port, username="ann", client_keys=[str(server.key_file("ann"))], known_hosts=None,
            config=None, agent_path=None,
        ) as connection:  # fmt: skip
            return await act(connection)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("what", "act"),
    [
        ("subsystem sftp", lambda connection: connection.start_sftp_client()),
        ("-L /run/docker.sock", lambda connection: connection.open_unix_connection("/run/docker.sock")),
        ("-L 10.0.0.1:22", lambda connection: connection.open_connection("10.0.0.1", 22)),
        ("-w", lambda connection: connection.open_tun()),
        ("-w", lambda connection: connection.open_tap()),
        ("exec scp -t /", lambda connection: connection.create_process("scp -t /")),
        ("-R 0.0.0.0:2222", lambda connection: connection.start_server(lambda *_: True, "0.0.0.0", 2222)),  # noqa: S104
        ("-R /tmp/x", lambda connection: connection.start_unix_server(lambda: True, "/tmp/x")),  # noqa: S108
    ],
)
def test_whatever_else_ssh_can_do_is_refused(
    server: TunnelServer, what: str, act: Callable[[asyncssh.SSHClientConnection], Any]
) -> None:
    with pytest.raises((asyncssh.Error, asyncssh.ChannelListenError, OSError)):
        _with_asyncssh(server, act)
    assert server.wait_for_fact("TunnelRefused", what=what)


@pytest.mark.parametrize(("what", "ask"), [("-A", "agent"), ("-X", "x11")])
def test_agent_and_display_are_not_forwarded(server: TunnelServer, what: str, ask: str) -> None:
    transport = paramiko.Transport((server.address, server.port))
    try:
        transport.connect(username="ann", pkey=paramiko.Ed25519Key(filename=str(server.key_file("ann"))))
        session = transport.open_session()
        if ask == "x11":
            with pytest.raises(paramiko.SSHException):
                session.request_x11(handler=lambda *_: None)
        else:
            session.request_forward_agent(lambda *_: None)
        assert server.wait_for_fact("TunnelRefused", what=what)
    finally:
        transport.close()


def test_without_a_key_nobody_comes_in(server: TunnelServer) -> None:
    stranger = server.key_file("stranger")
    argv = openssh(server, "stranger", (), "-N")
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    assert "Permission denied (publickey)" in done.stderr
    refused = server.wait_for_fact("KeyRefused", why="unknown")
    assert (
        refused["fingerprint"]
        in subprocess.run(
            ("ssh-keygen", "-l", "-f", stranger.with_suffix(".pub")), capture_output=True, text=True
        ).stdout
    )


def test_the_old_service_is_unharmed_by_all_of_this(server: TunnelServer) -> None:
    assert [live.service for live in server.live()] == ["ben-site"]
    assert server.process.poll() is None
