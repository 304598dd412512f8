"""A brute-forcer and a scanner with the tools that everybody has, at public addresses; others work meanwhile."""

import itertools
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.lives.attackers import attacking, guess_basic, guess_keys, guess_logins, scan_paths
from tests.lives.banning import banned, has_table, reaches, refused_packets
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.openssh import make_key
from tests.lives.places import short_directory
from tests.lives.raw import ask, request
from tests.lives.visitor import Visitor
from tests.lives.waiting import wait_for

OURS = ("45.90.0.1", "2a0e:b107::1")
PROXY = "31.3.3.3"
_SILENCE = 1.0
"""Seconds without a byte after which somebody counts as shut out; who is not gets an answer in some milliseconds."""
SERVICES = {
    "wiki": {"upstream": "demo"},
    "open": {"upstream": "demo", "access": "public"},
    "draft": {"tunnel": True},
}


@pytest.fixture(scope="module")
def gateway(network: Network) -> Iterator[Gateway]:
    """On a machine with public addresses; the kernel keeps banned sources out."""
    at = network.host(*OURS)
    hosts = ("auth", *SERVICES)
    network.know({f"{host}.gate.test": OURS[0] for host in hosts})
    with (
        short_directory() as directory,
        Gateway(
            directory,
            SERVICES,
            at=at,
            tunnels={},
            proxies={"forwarded-for": [PROXY]},
            defence={"detectors": {"login": {"tries": 6}, "token": {"tries": 6}, "ssh-key": {"tries": 6}}},
        ) as running,
    ):
        running.enrol_owner().close()
        running.add_account("ann")
        yield running


@pytest.fixture(scope="module")
def ann(gateway: Gateway, network: Network) -> Iterator[Visitor]:
    """A member at home, logged in before anything happens."""
    with gateway.log_in("ann", at=network.host("62.4.0.9")) as visitor:
        yield visitor


@pytest.fixture(scope="module")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tools work through: words, keys, paths."""
    place = tmp_path_factory.mktemp("lists")
    (place / "words").write_text("".join(f"password{number}\n" for number in range(200)))
    keys = [make_key(place / f"key{number}") for number in range(10)]
    (place / "keys").write_text("".join(f"{key}\n" for key in keys))
    paths = (".env", ".git/config", "wp-login.php", "phpmyadmin/", "backup.sql", "actuator/health", "server-status")
    (place / "paths").write_text("".join(f"{path}\n" for path in (*paths, *(f"page{n}" for n in range(200)))))
    return place


def wait_for_ban(gateway: Gateway, mallory: Host, ann: Visitor) -> None:
    """Until the kernel drops what mallory sends; each request that ann makes meanwhile is answered."""

    def shut_out() -> bool:
        assert ann.arrive("wiki", "/page").status_code == 200
        return mallory.address in banned(gateway)

    wait_for(shut_out, f"the ban of {mallory.address}")
    before = refused_packets(gateway)
    assert not reaches(mallory, gateway)
    assert refused_packets(gateway) > before


def test_who_guesses_passwords_is_shut_out_by_the_kernel_while_a_member_works(
    gateway: Gateway, network: Network, ann: Visitor, lists: Path
) -> None:
    mallory = network.host("91.7.7.1")
    with attacking(mallory, *guess_logins(gateway, "owner", lists / "words")):
        wait_for_ban(gateway, mallory, ann)
        with gateway.log_in("ann", at=network.host("62.4.0.10")) as elsewhere:
            assert elsewhere.arrive("wiki").status_code == 200
    assert reason(gateway, mallory.address) == "login"


def test_who_guesses_basic_credentials_at_a_service_is_shut_out(
    gateway: Gateway, network: Network, ann: Visitor, lists: Path
) -> None:
    mallory = network.host("91.7.7.2")
    with attacking(mallory, *guess_basic(gateway, "wiki", "ann", lists / "words")):
        wait_for_ban(gateway, mallory, ann)
    assert reason(gateway, mallory.address) == "token"


def test_who_tries_ssh_keys_is_shut_out_of_every_port(
    gateway: Gateway, network: Network, ann: Visitor, lists: Path
) -> None:
    mallory = network.host("91.7.7.3")
    with attacking(mallory, *guess_keys(gateway, "ann", lists / "keys")):
        wait_for_ban(gateway, mallory, ann)
        assert not reaches(mallory, gateway, gateway.ssh_port)
    assert reason(gateway, mallory.address) == "ssh-key"


def test_who_scans_for_paths_is_shut_out(gateway: Gateway, network: Network, ann: Visitor, lists: Path) -> None:
    mallory = network.host("91.7.7.4")
    with attacking(mallory, *scan_paths(gateway, "wiki", lists / "paths")):
        wait_for_ban(gateway, mallory, ann)
    assert reason(gateway, mallory.address) == "probe"


def test_a_forger_is_shut_out_and_not_those_whom_he_names(gateway: Gateway, network: Network) -> None:
    victim, forger = network.host("62.4.0.20"), network.host("91.7.7.5")
    forged = tuple(
        f"{name}: {value}"
        for name in ("X-Forwarded-For", "X-Real-IP", "X-Client-IP", "CF-Connecting-IP", "True-Client-IP")
        for value in (victim.address, f"{victim.address}, {PROXY}")
    )
    forged += (f"Forwarded: for={victim.address}",)
    wait_for(lambda: not scan_once(gateway, forger, *forged) and forger.address in banned(gateway), "the forger's ban")
    assert reaches(victim, gateway)
    with gateway.visitor(at=victim) as visitor:
        assert visitor.visit("open").status_code == 200
    assert {victim.address, PROXY}.isdisjoint(banned(gateway))


def test_a_forged_proxy_header_names_nobody_but_its_writer(gateway: Gateway, network: Network) -> None:
    victim, forger = network.host("62.4.0.21"), network.host("91.7.7.6")
    before = f"PROXY TCP4 {victim.address} {OURS[0]} 40000 443\r\n".encode()
    for _ in range(25):
        with suppress(OSError):
            ask(gateway, "open", request("open.gate.test"), at=forger, before=before, seconds=_SILENCE)
    wait_for(lambda: forger.address in banned(gateway), "the forger's ban")
    assert reason(gateway, forger.address) == "tls"
    assert victim.address not in banned(gateway)
    assert reaches(victim, gateway)


def test_behind_a_trusted_proxy_the_client_is_shut_out_and_never_the_proxy(gateway: Gateway, network: Network) -> None:
    proxy, client, neighbour = network.host(PROXY), "91.7.8.1", "91.7.8.2"

    def passed_on(address: str, service: str, path: str = "/") -> int:
        asked = request(gateway.host(service), path, f"X-Forwarded-For: {address}")
        with suppress(OSError):
            return ask(gateway, service, asked, at=proxy, seconds=_SILENCE).status
        return 0

    assert passed_on(client, "open") == 200
    for path in PROBES:
        passed_on(client, "wiki", path)
    wait_for(lambda: passed_on(client, "open") == 0, "the client's ban at the edge")
    assert passed_on(neighbour, "open") == 200
    assert reaches(proxy, gateway)
    assert PROXY not in banned(gateway)


def test_neighbours_in_one_64_share_their_ban_and_the_next_64_does_not(gateway: Gateway, network: Network) -> None:
    first, second, other = (network.host(f"2a0e:1:2:{net}::{own}") for net, own in (("3", "7"), ("3", "8"), ("4", "7")))
    assert reaches(second, gateway)
    for path in PROBES:
        scan_once(gateway, first, path=path)
    wait_for(lambda: "2a0e:1:2:3::/64" in banned(gateway), "the ban of the /64")
    assert not reaches(first, gateway)
    assert not reaches(second, gateway)
    assert reaches(other, gateway)
    with gateway.visitor(at=other) as visitor:
        assert visitor.visit("open").status_code == 200


def test_a_ban_ends_on_time(gateway: Gateway, network: Network) -> None:
    mallory = network.host("91.7.7.9")
    gateway.cli("ban", "add", mallory.address, "--for", "3s", "--reason", "a short one")
    began = time.monotonic()
    assert not reaches(mallory, gateway)
    wait_for(lambda: reaches(mallory, gateway), "the end of the ban")
    assert time.monotonic() - began > 2
    gateway.wait_for_events(kind="BanLifted", source=mallory.address)
    assert mallory.address not in banned(gateway)
    with gateway.visitor(at=mallory) as visitor:
        assert visitor.visit("open").status_code == 200


def test_no_restart_forgets_a_ban(gateway: Gateway, network: Network) -> None:
    mallory = network.host("91.7.7.10")
    gateway.cli("ban", "add", mallory.address, "--for", "1h")
    assert not reaches(mallory, gateway)
    gateway.kill_keeper()
    assert not reaches(mallory, gateway)
    master = gateway.pids.master
    os.kill(master, signal.SIGKILL)
    wait_for(lambda: gateway.pids.master != master and gateway.status(), "the next edge")
    assert not reaches(mallory, gateway)
    assert mallory.address in gateway.map("bans")
    gateway.stop()
    assert not has_table(gateway), "the kernel's table outlives the gateway"
    gateway.start()
    wait_for(lambda: mallory.address in banned(gateway), "the ban in the kernel")
    assert not reaches(mallory, gateway)
    assert mallory.address in gateway.map("bans")
    gateway.cli("ban", "remove", mallory.address)
    assert reaches(mallory, gateway)


PROBES = ("/.env", "/.git/config", "/.aws/credentials", "/backup.sql", "/shell.php")


def scan_once(gateway: Gateway, host: Host, *headers: str, path: str | None = None) -> bool:
    """Ask for what only scanners want; False where that does not come through any more."""
    asked = request("wiki.gate.test", path or next(_probes), *headers)
    with suppress(OSError):
        return ask(gateway, "wiki", asked, at=host, seconds=_SILENCE).status > 0
    return False


_probes = itertools.cycle(PROBES)


def reason(gateway: Gateway, source: str) -> str:
    """Of the current ban, as the operator sees it."""
    found = json.loads(gateway.cli("ban", "list", "--json"))
    return next(str(ban["reason"]) for ban in found if ban["source"] == source)
