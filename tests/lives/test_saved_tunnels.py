"""Saved tunnels against a real OpenSSH server. As root, since sshd needs it."""

import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.lives.echo import Echo, converse, speak
from tests.lives.gateway import free_ports
from tests.lives.openssh import Sshd, make_key, public
from tests.lives.places import short_directory
from tests.lives.terminal import Terminal
from tests.lives.tunneller import PROGRAM, Tunneller
from tests.lives.waiting import wait_for

BULK = os.urandom(1_000_000)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def sshd(place: Path) -> Iterator[Sshd]:
    with Sshd(place, "MaxStartups 100") as running:
        yield running


@pytest.fixture(scope="module")
def echo(place: Path) -> Iterator[Echo]:
    with Echo(place / "echo.sock") as running:
        yield running


@pytest.fixture
def ann(sshd: Sshd) -> Iterator[Tunneller]:
    """Knows the server."""
    with short_directory() as home:
        ann = Tunneller(home)
        ann.knows(sshd.known_host)
        yield ann


def add(who: Tunneller, sshd: Sshd, name: str, *options: str) -> None:
    who.run("tunnel", "add", name, f"root@{sshd.address}:{sshd.port}", "--key", str(sshd.key), *options)


def by_socks(port: int, host: str, wanted: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=20)
    connection.sendall(b"\x05\x01\x00\x05\x01\x00\x03" + bytes([len(host)]) + host.encode() + wanted.to_bytes(2))
    with connection.makefile("rb", buffering=0) as stream:
        assert stream.read(2) == b"\x05\x00"
        answer = b"".join(stream.read(1) for _ in range(10))
    assert answer[1] == 0, f"the proxy answers {answer[1]}"
    return connection


def test_local_remote_and_dynamic_forwards_of_one_tunnel_carry_everything(
    ann: Tunneller, sshd: Sshd, echo: Echo
) -> None:
    local, remote, dynamic = free_ports(3)
    to = f"127.0.0.1:{echo.port}"
    add(ann, sshd, "all", "-L", f"{local}:{to}", "-R", f"{remote}:{to}", "-D", str(dynamic), "--compression")
    with ann.up("tunnel", "up", "all") as up:
        up.wait_for("all", "up")
        assert speak(("127.0.0.1", local), BULK) == BULK
        assert speak(("127.0.0.1", remote), BULK) == BULK
        with by_socks(dynamic, "localhost", echo.port) as connection:
            assert converse(connection, BULK) == BULK
        (status,) = wait_for(lambda: [one for one in ann.ask("tunnel", "status") if one["round_trip"]], "a round trip")
    assert status["bytes_sent"] >= 3 * len(BULK)
    assert status["bytes_received"] >= 3 * len(BULK)
    assert len(status["forwards"]) == 3


def test_unix_sockets_are_forwarded_both_ways(ann: Tunneller, sshd: Sshd, echo: Echo, place: Path) -> None:
    here, there = str(ann.home / "here.sock"), str(place / "there.sock")
    add(ann, sshd, "sockets", "-L", f"{here}:{echo.path}", "-R", f"{there}:{echo.path}")
    with ann.up("tunnel", "up", "sockets") as up:
        up.wait_for("sockets", "up")
        assert Path(here).stat().st_mode & 0o777 == 0o600
        assert speak(here, BULK) == BULK
        assert speak(there, b"hello") == b"hello"


def test_a_server_that_is_restarted_finds_its_tunnel_back(ann: Tunneller, echo: Echo, place: Path) -> None:
    with short_directory() as directory, Sshd(directory) as own:
        ann.knows(own.known_host)
        (local,) = free_ports(1)
        add(ann, own, "again", "-L", f"{local}:127.0.0.1:{echo.port}")
        with ann.up("tunnel", "up", "again") as up:
            up.wait_for("again", "up")
            own.kill()
            up.wait_for("again", "waiting")
            own.start()
            up.wait_for("again", "up", reconnects=1)
            assert speak(("127.0.0.1", local), b"back") == b"back"


def test_whoever_connects_while_the_link_is_away_waits_for_it(ann: Tunneller, echo: Echo) -> None:
    with short_directory() as directory, Sshd(directory) as own:
        ann.knows(own.known_host)
        (local,) = free_ports(1)
        add(ann, own, "patient", "-L", f"{local}:127.0.0.1:{echo.port}")
        with ann.up("tunnel", "up", "patient") as up:
            up.wait_for("patient", "up")
            own.kill()
            up.wait_for("patient", "waiting")
            with socket.create_connection(("127.0.0.1", local), timeout=20) as connection:
                own.start()
                assert converse(connection, b"at last") == b"at last"


def test_the_way_leads_through_a_jump_host(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    with short_directory() as directory, Sshd(directory) as jump:
        jump.authorized.write_text(public(sshd.key))
        ann.knows(f"{sshd.known_host}{jump.known_host}")
        (local,) = free_ports(1)
        to = f"127.0.0.1:{echo.port}"
        add(ann, sshd, "far", "-L", f"{local}:{to}", "-J", f"root@127.0.0.1:{jump.port}", "-C")
        with ann.up("tunnel", "up", "far") as up:
            up.wait_for("far", "up")
            assert speak(("127.0.0.1", local), BULK) == BULK
            jump.kill()
            up.wait_for("far", "waiting")
            jump.start()
            up.wait_for("far", "up", reconnects=1)
            assert speak(("127.0.0.1", local), b"back") == b"back"


@pytest.mark.parametrize(("option", "used"), [("--compression", "zlib@openssh.com"), ("--no-compression", "none")])
def test_compression_is_asked_for_where_the_profile_says_so(ann: Tunneller, option: str, used: str) -> None:
    with short_directory() as directory, Sshd(directory, "LogLevel DEBUG") as own:
        ann.knows(own.known_host)
        add(ann, own, "squeezed", "-D", str(free_ports(1)[0]), option)
        with ann.up("tunnel", "up", "squeezed") as up:
            up.wait_for("squeezed", "up")
            own.log.wait_for_line(f"kex: server->client .*compression: {used}")


@pytest.mark.parametrize("proxy_address", ["socks5://", "socks4://ann@"])
def test_the_way_leads_through_a_socks_proxy(ann: Tunneller, sshd: Sshd, echo: Echo, proxy_address: str) -> None:
    local, proxy = free_ports(2)
    add(ann, sshd, "proxy", "-D", str(proxy))
    way = ("--proxy", f"{proxy_address}127.0.0.1:{proxy}")
    add(ann, sshd, "inner", "-L", f"{local}:127.0.0.1:{echo.port}", *way)
    with ann.up("tunnel", "up", "proxy", "inner") as up:
        up.wait_for("proxy", "up")
        up.wait_for("inner", "up")
        assert speak(("127.0.0.1", local), BULK) == BULK
        (status,) = ann.ask("tunnel", "status", "proxy")
        assert status["bytes_sent"] > len(BULK)


def test_the_way_leads_through_a_proxy_command(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    (local,) = free_ports(1)
    command = f"ssh -i {sshd.key} -o StrictHostKeyChecking=no -p {sshd.port} -W %h:%p root@127.0.0.1"
    add(ann, sshd, "command", "-L", f"{local}:127.0.0.1:{echo.port}", "--proxy-command", command)
    with ann.up("tunnel", "up", "command") as up:
        up.wait_for("command", "up")
        assert speak(("127.0.0.1", local), BULK) == BULK


def test_an_unknown_host_key_is_refused_with_its_fingerprint_until_that_is_accepted(sshd: Sshd, echo: Echo) -> None:
    with short_directory() as home:
        ben = Tunneller(home)
        add(ben, sshd, "new", "-L", f"{free_ports(1)[0]}:127.0.0.1:{echo.port}")
        refused = ben.run("tunnel", "up", "new", code=10).stderr
        assert f"--accept-host-key {sshd.fingerprint}" in refused
        wrong = "SHA256:" + "A" * 43
        ben.run("tunnel", "up", "new", "--accept-host-key", wrong, code=10)
        assert not ben.known_hosts.exists()
        with ben.up("tunnel", "up", "new", "--accept-host-key", sshd.fingerprint) as up:
            up.wait_for("new", "up")
        assert public(sshd.host_key).split()[1] in ben.known_hosts.read_text()
        assert ben.known_hosts.stat().st_mode & 0o777 == 0o600
        with ben.up("tunnel", "up", "new") as up:
            up.wait_for("new", "up")


@pytest.mark.parametrize("option", [(), ("--accept-host-key",)], ids=["silently", "whatever is said"])
def test_a_changed_host_key_is_refused(ann: Tunneller, sshd: Sshd, place: Path, option: tuple[str, ...]) -> None:
    other = make_key(ann.home / "other")
    ann.knows(f"# mine\n{sshd.host} {public(other)}")
    add(ann, sshd, "changed", "-L", f"{free_ports(1)[0]}:localhost:1")
    accept = (*option, sshd.fingerprint) if option else ()
    refused = ann.run("tunnel", "up", "changed", *accept, code=10).stderr
    assert "has changed" in refused
    assert f"{ann.known_hosts}, line 2" in refused
    assert f"ssh-keygen -R '{sshd.host}'" in refused


def test_a_host_key_of_another_kind_than_the_known_one_is_refused(ann: Tunneller, sshd: Sshd) -> None:
    other = make_key(ann.home / "other", "-t", "ecdsa")
    ann.knows(f"{sshd.host} {public(other)}")
    add(ann, sshd, "changed", "-L", f"{free_ports(1)[0]}:localhost:1")
    assert "has changed" in ann.run("tunnel", "up", "changed", code=10).stderr


def test_a_key_that_the_server_does_not_know_ends_it(ann: Tunneller, sshd: Sshd) -> None:
    stranger = make_key(ann.home / "stranger")
    add(ann, sshd, "stranger", "-L", f"{free_ports(1)[0]}:localhost:1")
    ann.run("tunnel", "edit", "stranger", "--key", str(stranger))
    assert "does not let root in" in ann.run("tunnel", "up", "stranger", code=11).stderr


def test_retries_limit_how_often_a_server_is_tried(ann: Tunneller, sshd: Sshd) -> None:
    ann.run("tunnel", "add", "nobody", f"127.0.0.1:{free_ports(1)[0]}", "-D", str(free_ports(1)[0]))
    assert "Connection refused" in ann.run("tunnel", "up", "nobody", "--retries", "2", code=12).stderr


def test_keys_come_from_the_agent_too(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    locked = ann.home / "locked"
    locked.write_bytes(sshd.key.read_bytes())
    locked.chmod(0o600)
    locked.with_name("locked.pub").write_text(public(sshd.key))
    with agent(ann, locked):
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", locked], check=True)
        (local,) = free_ports(1)
        add(ann, sshd, "agent", "-L", f"{local}:127.0.0.1:{echo.port}")
        ann.run("tunnel", "edit", "agent", "--key", str(locked))
        with ann.up("tunnel", "up", "agent") as up:
            up.wait_for("agent", "up")
            assert speak(("127.0.0.1", local), b"hello") == b"hello"
        ann.run("tunnel", "edit", "agent", "--no-agent")
        assert "passphrase" in ann.run("tunnel", "up", "agent", code=11).stderr


def test_a_certificate_opens_where_the_key_alone_does_not(ann: Tunneller, echo: Echo) -> None:
    with short_directory() as directory:
        authority, key = make_key(directory / "authority"), make_key(directory / "mine")
        sign = ["ssh-keygen", "-q", "-s", authority, "-I", "ann", "-n", "root", "-V", "+1h", f"{key}.pub"]
        subprocess.run(sign, check=True)
        with Sshd(directory, f"TrustedUserCAKeys {authority}.pub") as own:
            ann.knows(own.known_host)
            (local,) = free_ports(1)
            add(ann, own, "signed", "-L", f"{local}:127.0.0.1:{echo.port}")
            ann.run("tunnel", "edit", "signed", "--key", str(key))
            ann.run("tunnel", "up", "signed", code=11)
            ann.run("tunnel", "edit", "signed", "--certificate", f"{key}-cert.pub")
            with ann.up("tunnel", "up", "signed") as up:
                up.wait_for("signed", "up")
                assert speak(("127.0.0.1", local), b"hello") == b"hello"


def test_a_host_certificate_of_a_known_authority_is_enough(ann: Tunneller, echo: Echo) -> None:
    with short_directory() as directory:
        own = Sshd(directory, f"HostCertificate {directory}/host-cert.pub")
        authority = make_key(directory / "authority")
        sign = ["ssh-keygen", "-q", "-s", authority, "-I", "server", "-h", "-n", "127.0.0.1", f"{own.host_key}.pub"]
        subprocess.run(sign, check=True)
        ann.knows(f"@cert-authority {own.host} {public(authority)}")
        with own:
            add(ann, own, "signed", "-D", str(free_ports(1)[0]))
            with ann.up("tunnel", "up", "signed") as up:
                up.wait_for("signed", "up")


def test_never_two_at_once_for_one_name(ann: Tunneller, sshd: Sshd) -> None:
    add(ann, sshd, "once", "-D", str(free_ports(1)[0]))
    with ann.up("tunnel", "up", "once") as up:
        up.wait_for("once", "up")
        elsewhere = {**ann.environment, "XDG_RUNTIME_DIR": ""}
        second = subprocess.run([PROGRAM, "tunnel", "up", "once"], env=elsewhere, capture_output=True, text=True)
        assert second.returncode == 5
        assert f"kept by process {up.process.pid}" in second.stderr
        up.wait_for("once", "up")


def test_a_local_port_that_is_taken_is_named(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    add(ann, sshd, "taken", "-L", f"{echo.port}:localhost:1")
    assert f"{echo.port} is taken" in ann.run("tunnel", "up", "taken", code=7).stderr


def test_a_remote_port_that_is_taken_is_waited_for_while_the_rest_works(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    local, remote = free_ports(2)
    to = f"127.0.0.1:{echo.port}"
    add(ann, sshd, "partly", "-L", f"{local}:{to}", "-R", f"{remote}:{to}")
    # At both families: sshd is content with one of them.
    with (
        socket.create_server(("", remote), family=socket.AF_INET6, dualstack_ipv6=True),
        ann.up("tunnel", "up", "partly") as up,
    ):
        said = up.wait_for("partly", "partial")
        assert str(remote) in said["problem"]
        assert speak(("127.0.0.1", local), b"works") == b"works"
        ann.run("tunnel", "status", "partly")
    with ann.up("tunnel", "up", "partly") as up:
        up.wait_for("partly", "up")
        assert speak(("127.0.0.1", remote), b"works") == b"works"


def test_a_tunnel_in_the_background_is_asked_and_ended_by_name(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    first, second = free_ports(2)
    add(ann, sshd, "a name/with all", "-L", f"{first}:127.0.0.1:{echo.port}")
    add(ann, sshd, "other", "-L", f"{second}:127.0.0.1:{echo.port}")
    try:
        ann.run("tunnel", "up", "--all", "--background")
        assert speak(("127.0.0.1", first), b"hello") == b"hello"
        assert {one["name"] for one in ann.ask("tunnel", "status")} == {"a name/with all", "other"}
        assert [one["state"] for one in ann.ask("tunnel", "list")["saved"]] == ["up", "up"]
        ann.run("tunnel", "down", "a name/with all")
        assert [one["name"] for one in ann.ask("tunnel", "status")] == ["other"]
        ann.run("tunnel", "status", "a name/with all", code=4)
        assert speak(("127.0.0.1", second), b"hello") == b"hello"
    finally:
        ann.run("tunnel", "down", "--all")
    assert ann.ask("tunnel", "status") == []


def test_what_cannot_come_up_in_the_background_says_so_at_once(ann: Tunneller, sshd: Sshd, echo: Echo) -> None:
    add(ann, sshd, "taken", "-L", f"{echo.port}:localhost:1")
    assert "is taken" in ann.run("tunnel", "up", "taken", "--background", code=7).stderr


def test_a_slow_reader_gets_everything_and_holds_the_sender_back(ann: Tunneller, sshd: Sshd, place: Path) -> None:
    local, sink = free_ports(2)
    add(ann, sshd, "slow", "-L", f"{local}:127.0.0.1:{sink}")
    with socket.create_server(("127.0.0.1", sink)) as server, ann.up("tunnel", "up", "slow") as up:
        up.wait_for("slow", "up")
        with socket.create_connection(("127.0.0.1", local), timeout=1) as sender:
            stalled, _ = server.accept()
            before = resident(up.process.pid)
            sent = fill(sender)
            assert sent < 100_000_000
            assert resident(up.process.pid) - before < 20_000_000
            sender.shutdown(socket.SHUT_WR)
            heard = 0
            while data := stalled.recv(1 << 20):
                heard += len(data)
            stalled.close()
            assert heard == sent


def test_at_a_terminal_it_asks_about_the_host_and_shows_a_table_that_stays_current(sshd: Sshd, echo: Echo) -> None:
    with short_directory() as home:
        ben = Tunneller(home)
        local, other = free_ports(2)
        add(ben, sshd, "db", "-L", f"{local}:127.0.0.1:{echo.port}")
        add(ben, sshd, "web", "-D", str(other))
        with Terminal([str(PROGRAM), "tunnel", "up", "db", "web"], ben.environment) as terminal:
            terminal.wait_for(rf"{re.escape(sshd.fingerprint)}.*\[y/N\]")
            terminal.write("y\n")
            terminal.wait_for(r"db +up .*\n.*web +up ")
            assert speak(("127.0.0.1", local), BULK) == BULK
            terminal.wait_for(r"db +up +\S+ +0 +1\.0 MB +1\.0 MB")
            terminal.write("\x03")
            terminal.wait_for(r"db +stopped")
        assert ben.ask("tunnel", "status") == []


def fill(connection: socket.socket) -> int:
    """Send until nothing goes out for as long as the connection is patient; returns how much went."""
    sent = 0
    with suppress(TimeoutError):
        while True:
            sent += connection.send(BULK)
    return sent


@contextmanager
def agent(who: Tunneller, *keys: Path) -> Iterator[None]:
    """An SSH agent of this user's, with these keys."""
    path = who.home / "agent.sock"
    running = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        wait_for(path.is_socket, "the agent")
        who.environment["SSH_AUTH_SOCK"] = str(path)
        subprocess.run(["ssh-add", "-q", *keys], env=who.environment, check=True)
        yield
    finally:
        running.terminate()
        running.wait()


def resident(pid: int) -> int:
    """Bytes of memory."""
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
