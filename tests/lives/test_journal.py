"""The machine's journal, kept by a real journald: what the machine's own SSH server and other units tell in it.

What counts is whatever the daemon itself says of who wrote a line. Needs root, for that daemon's namespaces.
"""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.lives.gateway import Gateway
from tests.lives.journald import Journal
from tests.lives.openssh import Sshd, make_key
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for

SOMEBODY_ELSE = "91.9.9.9"
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    with Journal() as running:
        yield running


@pytest.fixture(scope="module")
def sshd(journal: Journal) -> Iterator[Sshd]:
    with short_directory() as directory, Sshd(directory, prefix=journal.within("ssh.service")) as running:
        make_key(directory / "stranger")
        yield running


@pytest.fixture(scope="module")
def gateway(journal: Journal) -> Iterator[Gateway]:
    logs = [{"name": "app", "unit": "app.service", "pattern": "app"}]
    own = {"app": {"lines": ["login of {name} failed from {address}"]}}
    defence = {"logs": logs, "patterns": own, "detectors": {"host-ssh": {"tries": 6}, "log": {"mode": "shadow"}}}
    services = {"wiki": {"upstream": "demo"}}
    with (
        short_directory() as directory,
        Gateway(directory, services, before=journal.prefix, defence=defence) as running,
    ):
        yield running


def fail_at(sshd: Sshd, user: str) -> None:
    """Try one key that opens nothing. sshd's only words about an existing user are its last ones."""
    options = ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
    command = ["ssh", "-p", str(sshd.port), "-i", sshd.directory / "stranger", *(f"-o{option}" for option in options)]
    done = subprocess.run([*command, f"{user}@{sshd.address}", "true"], capture_output=True, timeout=20)
    assert b"Permission denied" in done.stderr


def say(place: Sequence[str], *lines: str) -> None:
    """A program there prints these lines, and lives until journald has seen whose they are."""
    program = ("sh", "-c", 'for line; do echo "$line"; done; sleep 0.2', "-")
    subprocess.run([*place, "systemd-cat", *program, *lines], check=True, timeout=20)


def log(place: Sequence[str], line: str, *logger: str) -> None:
    subprocess.run([*place, *(logger or ("logger",)), line], check=True, timeout=20)


def failures(gateway: Gateway, kind: str = "HostLoginFailed", **fields: str) -> list[dict[str, Any]]:
    return [event for event in gateway.events(kind=kind) if fields.items() <= event.items()]


def test_the_journal_is_what_is_read(gateway: Gateway) -> None:
    logs = {one["log"]: one for one in gateway.status()["defence"]["logs"]}
    assert {(log["place"], log["problem"]) for log in logs.values()} == {("journal", "")}
    assert set(logs) == {"host", "app"}


def test_each_failed_login_at_the_machines_own_ssh_server_is_known_once(gateway: Gateway, sshd: Sshd) -> None:
    """Also where sshd was gone before journald looked who had written its last words."""
    with ThreadPoolExecutor(4) as several:
        list(several.map(lambda _: fail_at(sshd, "root"), range(24)))
        list(several.map(lambda number: fail_at(sshd, f"user{number}"), range(4)))
    wait_for(lambda: failures(gateway, user="user3"), "the last failure")
    wait_for(lambda: len(failures(gateway, user="root")) >= 24, "every failure of root")
    assert len(failures(gateway, user="root")) == 24
    assert len(failures(gateway)) == 28
    assert {(event["address"], event["program"], event["log"]) for event in failures(gateway)} == {
        (sshd.address, "sshd", "host")
    }


def test_a_wrong_password_for_sudo_is_known(gateway: Gateway, journal: Journal) -> None:
    subprocess.run(
        [*journal.prefix, *NOBODY, "sudo", "--stdin", "true"], input=b"wrong\n", capture_output=True, timeout=20
    )
    (event,) = wait_for(lambda: failures(gateway, program="sudo"), "sudo's failure")
    assert (event["user"], event.get("address", "")) == ("nobody", "")


def test_a_local_user_can_blame_nobody(gateway: Gateway, journal: Journal, tmp_path: Path) -> None:
    """By syslog, by a stream, in journald's own protocol with fields of one's own, by a program that is called so."""
    line = f"Failed password for root from {SOMEBODY_ELSE} port 22 ssh2"
    sudo = "pam_unix(sudo:auth): authentication failure; logname= uid=0 euid=0 tty= ruser=ann rhost=  user=ann"
    told = "SYSLOG_IDENTIFIER=sshd", "_COMM=sshd", "_UID=0", "_EXE=/usr/bin/sudo", "_SYSTEMD_UNIT=app.service"
    send = "import socket, sys; socket.socket(1, 2).sendto(sys.argv[1].encode(), '/run/systemd/journal/socket')"
    user = (*journal.prefix, *NOBODY)
    with short_directory() as directory:
        directory.chmod(0o755)
        for name in ("sshd", "sudo"):
            shutil.copy("/usr/bin/logger", directory / name)
        log(user, line, "logger", "-t", "sshd")
        log(user, line, "systemd-cat", "-t", "sshd", "echo")
        log(user, line, str(directory / "sshd"), "-t", "sshd")
        log(user, sudo, str(directory / "sudo"), "-t", "sudo")
        log(user, "\n".join((*told, f"MESSAGE={line}\n")), "/usr/bin/python3", "-c", send)
        log(
            user,
            "\n".join((*told, f"MESSAGE=login of ann failed from {SOMEBODY_ELSE}\n")),
            "/usr/bin/python3",
            "-c",
            send,
        )
    say(journal.within("other.service"), f"login of ann failed from {SOMEBODY_ELSE}")
    say(journal.within("app.service"), "login of bob failed from 91.7.7.1")
    wait_for(lambda: failures(gateway, "LogMatched", user="bob"), "the line of the unit")
    assert [event["address"] for event in failures(gateway, "LogMatched")] == ["91.7.7.1"]
    assert failures(gateway, address=SOMEBODY_ELSE) == []
    assert failures(gateway, user="ann") == []
    written = journal.ctl("--grep", SOMEBODY_ELSE, "--output=cat") or ""
    assert (written.count(line), written.count("login of ann")) == (4, 2)


def test_rotation_a_restart_and_the_keepers_death_lose_and_repeat_no_line(gateway: Gateway, journal: Journal) -> None:
    """Nor does it when the file is gone that held the last line that was read."""
    app = journal.within("app.service")

    def users() -> list[str]:
        return [event["user"] for event in failures(gateway, "LogMatched") if event["user"].startswith("guest")]

    def fail(*numbers: int) -> None:
        say(app, *(f"login of guest{number:02} failed from 91.7.7.2" for number in numbers))

    fail(*range(5))
    journal.ctl("--rotate")
    fail(*range(5, 10))
    wait_for(lambda: len(users()) >= 10, "lines before and after a rotation")
    journal.restart()
    fail(*range(10, 15))
    gateway.kill_keeper()
    fail(*range(15, 20))
    journal.ctl("--rotate")
    fail(*range(20, 25))
    wait_for(lambda: len(users()) >= 25, "lines of the time without a keeper")
    gateway.stop()
    say(journal.within("other.service"), "something else")
    journal.ctl("--rotate")
    journal.ctl("--vacuum-files=1")
    fail(*range(25, 30))
    journal.restart()
    journal.ctl("--rotate")
    fail(*range(30, 60))
    gateway.start()
    wait_for(lambda: len(users()) >= 60, "lines of the time without a gateway")
    assert users() == [f"guest{number:02}" for number in range(60)]


def test_a_source_that_fails_at_the_machines_own_ssh_server_is_banned(gateway: Gateway, journal: Journal) -> None:
    with short_directory() as directory:
        shutil.copy("/usr/bin/logger", directory / "sshd")
        for port in range(6):
            log(
                journal.prefix,
                f"Failed password for root from 91.7.7.3 port {port} ssh2",
                str(directory / "sshd"),
                "-t",
                "sshd",
            )
    (ban,) = gateway.wait_for_events(kind="SourceBanned", source="91.7.7.3")
    assert ban["reason"] == "host-ssh"
