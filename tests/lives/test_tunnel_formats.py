"""Exported tunnels, brought up by the programs that they are for, against a real OpenSSH server."""

import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.lives.echo import Echo, speak
from tests.lives.gateway import free_ports
from tests.lives.openssh import Sshd
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for

from portward.tunnels.profiles import openssh, plink, putty_files, registry, ssh_config
from portward.tunnels.profiles.profile import Forward, Jump, Profile, Tcp, Unix

NAME = "my 50 % tünnel"
WORDS = b"hello through the tunnel"


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def echo(place: Path) -> Iterator[Echo]:
    with Echo(place / "echo.sock") as echo:
        yield echo


@pytest.fixture(scope="module")
def sshd(place: Path) -> Iterator[Sshd]:
    (place / "sshd").mkdir()
    with Sshd(place / "sshd") as sshd:
        putty_key = place / "id.ppk"
        make = ["puttygen", "-t", "ed25519", "-C", "ann", "-o", str(putty_key), "--new-passphrase", "/dev/null"]
        subprocess.run(make, check=True)
        public = subprocess.run(["puttygen", "-L", str(putty_key)], check=True, capture_output=True, text=True).stdout
        with sshd.authorized.open("a") as authorized:
            authorized.write(public)
        known = sshd.known_host
        (place / "known_hosts").write_text(f"{known}\n{known.replace('127.0.0.1', 'localhost')}\n")
        (place / "ssh_config").write_text(f"UserKnownHostsFile {place}/known_hosts\nStrictHostKeyChecking yes\n")
        (place / "ssh").write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {place}/ssh_config "$@"\n')
        (place / "ssh").chmod(0o755)
        yield sshd


@pytest.fixture
def tunnel(place: Path, sshd: Sshd, echo: Echo) -> Profile:
    """A local, a remote and a dynamic forward, compressed."""
    local, remote, dynamic = free_ports(3)
    to = Tcp("127.0.0.1", echo.port)
    return Profile(
        NAME,
        "127.0.0.1",
        port=sshd.port,
        user="root",
        key_file=str(sshd.key),
        agent=False,
        compression=True,
        local=(Forward(Tcp("", local), to),),
        remote=(Forward(Tcp("", remote), to),),
        dynamic=(Tcp("", dynamic),),
    )


def for_putty(tunnel: Profile, place: Path) -> Profile:
    return replace(tunnel, key_file=str(place / "id.ppk"))


@contextmanager
def running(words: list[str], **environ: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program, and what it started, ended at the end."""
    with subprocess.Popen(
        words, env={**os.environ, **environ}, stdin=subprocess.DEVNULL, start_new_session=True
    ) as one:
        try:
            yield one
        finally:
            os.killpg(one.pid, 15)
            one.wait(20)


def carries(tunnel: Profile) -> None:
    """Wait until every forward of the tunnel carries words there and back."""
    (local,), (remote,), (dynamic,) = tunnel.local, tunnel.remote, tunnel.dynamic
    for listen in (local.listen, remote.listen):
        assert isinstance(listen, Tcp)
        wait_for(lambda port=listen.port: answers(port), f"the forward at {listen.port}")
    assert isinstance(local.to, Tcp)
    to = local.to
    wait_for(lambda: by_socks(dynamic.port, to), "the SOCKS proxy")


def answers(port: int) -> bool:
    try:
        return speak(("127.0.0.1", port), WORDS) == WORDS
    except OSError:
        return False


def by_socks(port: int, to: Tcp) -> bool:
    """A connection through SOCKS 5 without authentication (RFC 1928)."""
    with socket.create_connection(("127.0.0.1", port), 20) as connection:
        connection.sendall(b"\x05\x01\x00")
        assert connection.recv(2) == b"\x05\x00"
        connection.sendall(b"\x05\x01\x00\x01" + socket.inet_aton(to.host) + to.port.to_bytes(2, "big"))
        assert connection.recv(10)[:2] == b"\x05\x00"
        connection.sendall(WORDS)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(4096), b"")) == WORDS


def load_by_plink(profile: Profile, place: Path, sshd: Sshd, directory: str = "putty") -> list[str]:
    """Save the session where PuTTY looks for it, and the words that load it."""
    sessions = place / directory / "sessions"
    sessions.mkdir(parents=True, exist_ok=True)
    (sessions / putty_files.filename(profile.name)).write_text(putty_files.write(profile).text)
    return ["plink", "-batch", "-hostkey", sshd.fingerprint, "-load", profile.name]


def test_plink_brings_an_exported_session_up(place: Path, sshd: Sshd, tunnel: Profile) -> None:
    profile = for_putty(tunnel, place)
    with running(load_by_plink(profile, place, sshd), PUTTYDIR=str(place / "putty")):
        carries(profile)


def test_plink_goes_over_the_jump_host_of_a_session(place: Path, sshd: Sshd, tunnel: Profile) -> None:
    """At the jump host PuTTY knows nobody but who its Default Settings name."""
    defaults = place / "jumping" / "sessions" / putty_files.filename("Default Settings")
    defaults.parent.mkdir(parents=True)
    defaults.write_text(f"PublicKeyFile={place}/id.ppk\nSSHManualHostKeys={sshd.fingerprint}\n")
    # PuTTY never asks a proxy for an address that it takes for this machine's own; this one only the server reads.
    far = replace(for_putty(tunnel, place), host="0x7f000001")
    profile = replace(far, jumps=(Jump("127.0.0.1", sshd.port, "root"),))
    before = sshd.log.text.count("Accepted publickey")
    with running(load_by_plink(profile, place, sshd, "jumping"), PUTTYDIR=str(place / "jumping")):
        carries(profile)
    assert sshd.log.text.count("Accepted publickey") - before == 2


def test_plink_takes_the_exported_command(place: Path, sshd: Sshd, tunnel: Profile) -> None:
    profile = for_putty(tunnel, place)
    line = plink.command(profile).text.replace("plink ", f"exec plink -batch -hostkey {sshd.fingerprint} ", 1)
    with running(["sh", "-c", line]):
        carries(profile)


@pytest.mark.parametrize("jumps", [0, 1])
def test_openssh_takes_the_exported_config(place: Path, sshd: Sshd, tunnel: Profile, jumps: int) -> None:
    # Under another name: ssh takes a jump host of the same one for a loop.
    profile = replace(tunnel, jumps=(Jump("localhost", sshd.port, "root"),) * jumps)
    file = place / f"exported-{jumps}"
    everybody = f"Host *\n  IdentityFile {sshd.key}\n{(place / 'ssh_config').read_text()}"
    file.write_text(openssh.config(profile).text + everybody)
    with running(["ssh", "-F", str(file), openssh.alias_of(profile.name)]):
        carries(profile)


def test_openssh_takes_the_exported_command(place: Path, tunnel: Profile) -> None:
    with running(["sh", "-c", f"exec {openssh.command(tunnel).text}"], PATH=f"{place}:{os.environ['PATH']}"):
        carries(tunnel)


def test_openssh_forwards_sockets_with_difficult_paths(place: Path, echo: Echo, tunnel: Profile) -> None:
    here, there = place / 'a b:c%d "e"', place / "x'y"
    to = Unix(str(echo.path))
    sockets = replace(
        tunnel, local=(Forward(Unix(str(here)), to),), remote=(Forward(Unix(str(there)), to),), dynamic=()
    )
    with running(["sh", "-c", f"exec {openssh.command(sockets).text}"], PATH=f"{place}:{os.environ['PATH']}"):
        for path in (here, there):
            wait_for(lambda path=path: path.exists() and speak(str(path), WORDS) == WORDS, f"the socket {path}")


def test_autossh_keeps_the_exported_command_up(place: Path, tunnel: Profile) -> None:
    line = openssh.autossh(tunnel).text.replace(" autossh ", " exec autossh ", 1)
    with running(["sh", "-c", line], AUTOSSH_PATH=str(place / "ssh"), AUTOSSH_POLL="1") as autossh:
        carries(tunnel)
        (child,) = subprocess.run(["pgrep", "-P", str(autossh.pid)], capture_output=True, text=True).stdout.split()
        os.kill(int(child), 9)
        carries(tunnel)


def test_a_tunnel_goes_through_every_format_and_still_comes_up(place: Path, sshd: Sshd, tunnel: Profile) -> None:
    profile = for_putty(tunnel, place)
    exported = registry.write(profile)
    (profile,) = registry.read(exported.text.encode(exported.encoding), "one.reg").profiles
    (profile,) = putty_files.read(putty_files.write(profile).text.encode(), NAME, "two").profiles
    config = place / "three"
    config.write_text(openssh.config(profile).text)
    (profile,) = ssh_config.read(config, user="root").profiles
    with running(load_by_plink(profile, place, sshd), PUTTYDIR=str(place / "putty")):
        carries(profile)


def test_an_imported_key_logs_in(place: Path, sshd: Sshd, tunnel: Profile) -> None:
    """`portward tunnel import`, with a passphrase that no argument and no variable holds."""
    (place / "passphrase").write_text("open sesame\n")
    sealed, key = place / "sealed.ppk", place / "sealed"
    reseal = ["puttygen", "-P", place / "id.ppk", "-o", sealed, "--new-passphrase", place / "passphrase"]
    subprocess.run(reseal, check=True)
    portward = [Path(sys.executable).with_name("portward"), "tunnel", "import", sealed, "--passphrase-fd", "0"]
    with (place / "passphrase").open() as passphrase:
        subprocess.run(portward, stdin=passphrase, check=True, capture_output=True)
    assert key.stat().st_mode & 0o777 == 0o600
    subprocess.run(["ssh-keygen", "-p", "-P", "open sesame", "-N", "", "-f", key], check=True, capture_output=True)
    profile = replace(tunnel, key_file=str(key))
    with running(shlex.split(openssh.command(profile).text), PATH=f"{place}:{os.environ['PATH']}"):
        carries(profile)
