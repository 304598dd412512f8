"""`portward connect` against the running SSH server of a gateway."""

import asyncio
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lives.places import short_directory
from tests.lives.sshd.server import TunnelServer
from tests.lives.tunneller import PROGRAM, Tunneller
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

from portward.tunnels.rules import ServiceRule

SERVICES = tuple(
    ServiceRule(name=name, host=f"{name}.gate.test", url=f"https://{name}.gate.test")
    for name in ("blog", "files", "hooks")
)
RIGHTS = {"publish": ("blog", "files", "hooks", "ann-*")}


@pytest.fixture
def server() -> Iterator[TunnelServer]:
    with short_directory() as directory, TunnelServer(directory, {"laptop": RIGHTS}, SERVICES) as running:
        yield running


@pytest.fixture(scope="module")
def web() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture
def home() -> Iterator[Path]:
    with short_directory() as home:
        yield home


@pytest.fixture
def ann(home: Path, server: TunnelServer) -> Tunneller:
    """Has been here before: the gateway, its key and her own are remembered."""
    ann = Tunneller(home)
    know(ann, server)
    remember(ann, server, server.key_file("laptop"))
    return ann


def know(who: Tunneller, server: TunnelServer) -> None:
    who.knows(f"[127.0.0.1]:{server.port} {host_key(server)}")


def host_key(server: TunnelServer) -> str:
    scan = ["ssh-keyscan", "-p", str(server.port), "-t", "ed25519", "127.0.0.1"]
    told = subprocess.run(scan, capture_output=True, text=True, check=True).stdout
    return told.split(maxsplit=1)[1].strip()


def remember(who: Tunneller, server: TunnelServer, key: Path) -> None:
    file = who.home / ".config" / "portward" / "connect.toml"
    file.write_text(f'gate = "127.0.0.1:{server.port}"\nkey = "{key}"\n')


def test_several_services_are_published_with_the_addresses_that_the_gateway_announces(
    ann: Tunneller, server: TunnelServer, web: Upstream, home: Path
) -> None:
    (home / "public").mkdir()
    (home / "public" / "hello.txt").write_text("hello from a folder")
    words = (f"blog={web.port}", f"files={home / 'public'}", str(web.port))
    with ann.up("connect", *words) as up:
        up.wait_for("blog and 2 more", "up")
        server.wait_for_tunnels(3)
        assert "200 OK" in server.get("blog", "/page")
        assert "hello from a folder" in server.get("files", "/hello.txt")
        (status,) = wait_for(
            lambda: [one for one in ann.ask("connect", "status") if len(one["addresses"]) == 3], "three addresses"
        )
        assert "https://blog.gate.test" in status["addresses"]
        assert "https://files.gate.test" in status["addresses"]
        up.err.wait_for_line(r"^ann-\S+ is at https://ann-\S+\.gate\.test$")


def test_the_first_run_makes_a_key_says_how_it_is_let_in_and_remembers(
    home: Path, server: TunnelServer, web: Upstream
) -> None:
    ben = Tunneller(home)
    assert "--gate" in ben.run("connect", "blog=1313", code=6).stderr
    gate = ("--gate", f"127.0.0.1:{server.port}")
    unknown = ben.run("connect", f"blog={web.port}", *gate, code=10).stderr
    key = home / ".config" / "portward" / "id_ed25519"
    public = key.with_suffix(".pub").read_text().strip()
    assert key.stat().st_mode & 0o777 == 0o600
    assert public in unknown
    fingerprint = re.search(r"--accept-host-key (\S+)", unknown)
    assert fingerprint
    refused = ben.run("connect", f"blog={web.port}", *gate, "--accept-host-key", fingerprint[1], code=11).stderr
    assert public in refused
    assert "portward key add" in refused
    (server.directory / "new").write_bytes(key.read_bytes())
    (server.directory / "new").with_suffix(".pub").write_text(public)
    server.write(keys=(server.key_rule("new", **RIGHTS),))
    with ben.up("connect", f"blog={web.port}", *gate) as up:
        wait_for(lambda: up.process.poll() is not None or up.said("blog"), "it to begin")
        up.wait_for("blog", "up")
    assert f"127.0.0.1:{server.port}" in (home / ".config" / "portward" / "connect.toml").read_text()
    with ben.up("connect", f"blog={web.port}") as up:
        up.wait_for("blog", "up")
        assert "200 OK" in server.get("blog")


def test_an_unknown_key_is_let_in_by_the_code_that_the_terminal_shows(home: Path, web: Upstream) -> None:
    policy = {"approve_unknown_keys": True}
    with short_directory() as directory, TunnelServer(directory, {}, SERVICES, **policy) as server:
        ben = Tunneller(home)
        know(ben, server)
        key = server.key_file("new")
        with ben.up("connect", f"blog={web.port}", "--gate", f"127.0.0.1:{server.port}", "--key", str(key)) as up:
            shown = up.err.wait_for_line(r"https://auth\.gate\.test/\S+\n(?:.*\n)*.*code (\S+),")
            (waiting,) = wait_for(lambda: asyncio.run(server.control.pending()), "the key to wait")
            assert waiting.code == shown[1]
            # What the approval page has the keeper do.
            server.write(keys=(server.key_rule("new", **RIGHTS),))
            up.wait_for("blog", "up")
            assert "200 OK" in server.get("blog")


def test_what_the_gateway_refuses_is_told_in_its_own_words_while_the_rest_works(
    ann: Tunneller, server: TunnelServer, web: Upstream
) -> None:
    with ann.up("connect", f"blog={web.port}", "foreign=99") as up:
        up.wait_for("blog, foreign", "partial")
        wait_for(lambda: "begins with ann-" in up.said("blog, foreign")[-1]["problem"], "the gateway's own words")
        assert "200 OK" in server.get("blog")


def test_a_service_is_never_published_twice_from_here(ann: Tunneller, server: TunnelServer, web: Upstream) -> None:
    with ann.up("connect", f"blog={web.port}") as up:
        up.wait_for("blog", "up")
        second = ann.run("connect", "hooks=99", f"blog={web.port}", code=5).stderr
        assert "blog@127.0.0.1" in second
        with ann.up("connect", "hooks=99") as other:
            other.wait_for("hooks", "up")
        assert "200 OK" in server.get("blog")


def test_a_gateway_that_is_restarted_has_its_services_back(ann: Tunneller, server: TunnelServer, web: Upstream) -> None:
    with ann.up("connect", f"blog={web.port}") as up:
        up.wait_for("blog", "up")
        server.stop()
        up.wait_for("blog", "waiting")
        server.start()
        restarted = time.monotonic()
        up.wait_for("blog", "up", reconnects=1)
        print(f"back {time.monotonic() - restarted:.2f} s after the gateway")
        assert "200 OK" in server.get("blog")


def test_in_the_background_it_is_seen_and_stopped_by_name(ann: Tunneller, server: TunnelServer, web: Upstream) -> None:
    try:
        told = ann.run("connect", f"blog={web.port}", "hooks=99", "--background").stdout
        assert "https://blog.gate.test" in told
        assert "200 OK" in server.get("blog")
        assert "https://hooks.gate.test" in ann.run("connect", "status").stdout
        ann.run("connect", "stop", "nothing", code=4)
    finally:
        ann.run("connect", "stop")
    server.wait_for_tunnels(0)
    assert ann.ask("connect", "status") == []


def test_what_is_installed_is_published_without_a_word_at_login(
    ann: Tunneller, server: TunnelServer, web: Upstream
) -> None:
    ann.run("connect", "install", f"blog={web.port}")
    unit = (ann.home / ".config/systemd/user/default.target.wants/portward-connect.service").read_text()
    assert f'ExecStart="{PROGRAM}" connect\n' in unit
    with ann.up("connect") as up:
        up.wait_for("blog", "up")
        assert "200 OK" in server.get("blog")
    ann.run("connect", "uninstall")
    assert not (ann.home / ".config/systemd/user/default.target.wants/portward-connect.service").is_symlink()
