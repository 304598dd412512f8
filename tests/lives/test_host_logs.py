"""The machine's own SSH server and other programs: who fails there is known to the gateway, once for each attempt.

A real sshd writes its log, real clients fail at it from public addresses, and the log is rotated while they do.
"""

import os
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import paramiko
import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.openssh import Sshd
from tests.lives.places import short_directory
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

SOMEBODY_ELSE = "91.9.9.9"
STRANGER = paramiko.ECDSAKey.generate()


@pytest.fixture(scope="module")
def machine(network: Network) -> Host:
    return network.host("45.90.0.1", "2a0e:b107::1")


@pytest.fixture(scope="module")
def mallory(network: Network, machine: Host) -> Host:
    return network.host("91.7.7.7", "2a0e:7777::7")


@pytest.fixture(scope="module")
def sshd(machine: Host) -> Iterator[Sshd]:
    with short_directory() as directory, Sshd(directory, at=machine, file=directory / "sshd.log") as running:
        yield running


@pytest.fixture(scope="module")
def gate(machine: Host, sshd: Sshd, upstream: Upstream) -> Iterator[Gateway]:
    logs = [
        {"name": "ssh", "file": str(sshd.file), "pattern": "sshd", "header": False},
        {"name": "app", "file": str(sshd.directory / "app.log"), "pattern": "app"},
    ]
    own = {"app": {"lines": ["login of {name} failed from {address}"]}}
    defence = {"host-logs": False, "logs": logs, "patterns": own, "detectors": {"host-ssh": {"mode": "shadow"}}}
    services = {"wiki": {"upstream": upstream.url}}
    with short_directory() as directory, Gateway(directory, services, at=machine, defence=defence) as running:
        yield running


def try_to_log_in(sshd: Sshd, client: Host, user: str) -> None:
    """With a key that opens nothing. OpenSSH's own client would refuse to send some of these names."""
    with client.inside():
        connection = socket.create_connection((sshd.address, sshd.port), timeout=20)
    with closing(paramiko.Transport(connection)) as transport:
        transport.start_client(timeout=20)
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_publickey(user, STRANGER)


def failed_users(gate: Gateway) -> list[str]:
    return [event["user"] for event in gate.events(kind="HostLoginFailed")]


def wait_for_users(gate: Gateway, *users: str) -> None:
    wait_for(lambda: set(users) <= set(failed_users(gate)), f"failures of {users}")


def test_who_fails_at_the_machines_own_ssh_server_is_known(gate: Gateway, sshd: Sshd, mallory: Host) -> None:
    try_to_log_in(sshd, mallory, "anybody")
    (event,) = gate.wait_for_events(kind="HostLoginFailed", user="anybody")
    assert (event["address"], event["program"], event["log"]) == (mallory.address, "sshd", "ssh")


def test_a_user_name_that_speaks_of_somebody_else_blames_its_author(gate: Gateway, sshd: Sshd, mallory: Host) -> None:
    names = [
        f"x from {SOMEBODY_ELSE} port 22",
        f"x {SOMEBODY_ELSE} port 22 [preauth]",
        f"x from {SOMEBODY_ELSE} port 22 ssh2",
        f"x\nInvalid user y from {SOMEBODY_ELSE} port 22",
        f"x from {SOMEBODY_ELSE} not allowed because not listed in AllowUsers",
    ]
    before = len(failed_users(gate))
    for name in names:
        try_to_log_in(sshd, mallory, name)
    wait_for(lambda: len(failed_users(gate)) >= before + len(names), "the failures")
    assert {event["address"] for event in gate.events(kind="HostLoginFailed")} == {mallory.address}


def test_rotation_and_the_keepers_death_lose_and_repeat_no_attempt(gate: Gateway, sshd: Sshd, mallory: Host) -> None:
    """Copied and emptied, as logrotate's copytruncate does; renamed, with sshd started anew; and kill -9 amid it."""
    users = [f"user{number}" for number in range(40)]
    with ThreadPoolExecutor(2) as pool:
        attempts = pool.map(lambda user: try_to_log_in(sshd, mallory, user), users[:20])
        wait_for_users(gate, "user3")
        gate.kill_keeper()
        list(attempts)
    wait_for_users(gate, *users[:20])
    shutil.copyfile(sshd.file, f"{sshd.file}.1")
    os.truncate(sshd.file, 0)
    for user in users[20:25]:
        try_to_log_in(sshd, mallory, user)
    sshd.kill()
    sshd.file.rename(f"{sshd.file}.2")
    sshd.start()
    with ThreadPoolExecutor(2) as pool:
        attempts = pool.map(lambda user: try_to_log_in(sshd, mallory, user), users[25:])
        gate.kill_keeper()
        list(attempts)
    wait_for_users(gate, *users)
    counted = [user for user in failed_users(gate) if user in users]
    assert sorted(counted) == sorted(users)


def test_what_happened_while_nobody_looked_is_read_afterwards(gate: Gateway, sshd: Sshd, mallory: Host) -> None:
    gate.stop()
    try_to_log_in(sshd, mallory, "early")
    shutil.copyfile(sshd.file, sshd.file.with_suffix(".log.3"))
    os.truncate(sshd.file, 0)
    try_to_log_in(sshd, mallory, "late")
    gate.start()
    wait_for_users(gate, "early", "late")
    assert [user for user in failed_users(gate) if user in {"early", "late"}] == ["early", "late"]


def test_another_programs_log_is_judged_as_soon_as_it_is_there(gate: Gateway, sshd: Sshd) -> None:
    log = sshd.directory / "app.log"
    wait_for(lambda: any("no such file" in one["problem"] for one in gate.status()["defence"]["logs"]), "the problem")
    log.write_text("".join(f"login of ann failed from {SOMEBODY_ELSE}\n" for _ in range(6)))
    banned = gate.wait_for_events(kind="SourceBanned")
    assert [event["source"] for event in banned] == [SOMEBODY_ELSE]
    assert {event["user"] for event in gate.events(kind="LogMatched")} == {"ann"}


def test_a_pattern_is_tried_on_a_real_log(gate: Gateway, sshd: Sshd, mallory: Host) -> None:
    try_to_log_in(sshd, mallory, "trial")
    printed = gate.cli("defence", "test", "sshd", str(sshd.file), "--bare")
    assert mallory.address in printed
