"""Lock-out drills: the owner stands outside, and how he gets in again."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from tests.lives.banning import banned, reaches
from tests.lives.gateway import OWNER, Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.raw import ask, request
from tests.lives.second_factor import turn_on
from tests.lives.visitor import PASSWORD
from tests.lives.waiting import wait_for

from portward.errors import Invalid

OURS = ("45.90.0.1", "2a0e:b107::1")
PROXY, OFFICE = "31.3.3.3", "62.4.9.9"
_FAILURES = 100
_FORM = "application/x-www-form-urlencoded"
_LONGEST_WAIT = 30.0


@pytest.fixture(scope="module")
def gateway(network: Network) -> Iterator[Gateway]:
    at = network.host(*OURS)
    with (
        short_directory() as directory,
        Gateway(
            directory,
            {"wiki": {"upstream": "demo"}},
            at=at,
            proxies={"forwarded-for": [PROXY]},
            defence={"allow": [OFFICE]},
        ) as running,
    ):
        running.enrol_owner().close()
        yield running


def test_nobody_bans_what_the_gateway_lives_by(gateway: Gateway) -> None:
    protected = {
        OURS[0]: "an address of this machine",
        OURS[1]: "an address of this machine",
        "45.90.0.0/16": "which is an address of this machine",
        PROXY: "a trusted proxy",
        OFFICE: "on the allowlist",
        "127.0.0.1": "this machine itself",
        "0.0.0.0/0": "a large part of the internet",
    }
    for source, why in protected.items():
        with gateway.admin() as admin, pytest.raises(Invalid, match=why):
            admin.post("/bans", {"source": source, "reason": "a drill"})
    done = gateway.try_cli("ban", "add", OURS[0])
    assert done.returncode == 6
    assert "an address of this machine" in done.stderr
    assert json.loads(gateway.cli("ban", "list", "--json")) == []


def test_an_owner_who_bans_his_own_address_is_told_and_let_in_again_on_the_host(
    gateway: Gateway, network: Network
) -> None:
    home = network.host("62.4.0.32")
    with gateway.log_in(OWNER, at=home) as owner:
        assert owner.arrive("wiki").status_code == 200
        said = gateway.cli("ban", "add", home.address)
        assert f"logged in from there: {OWNER}" in said
        assert not reaches(home, gateway)
        assert f"portward ban remove {home.address}" in said
        gateway.cli("ban", "remove", home.address)
        assert owner.arrive("wiki").status_code == 200


def test_an_owner_who_bans_the_network_around_him_comes_free_by_the_allowlist(
    gateway: Gateway, network: Network
) -> None:
    home, neighbour = network.host("62.5.0.32"), network.host("62.5.0.33")
    with gateway.log_in(OWNER, at=home) as owner:
        gateway.cli("ban", "add", "62.5.0.0/16")
        assert not reaches(home, gateway)
        gateway.cli("allow", "add", home.address)
        assert owner.arrive("wiki").status_code == 200
        assert not reaches(neighbour, gateway)
        gateway.cli("allow", "remove", home.address)
        assert not reaches(home, gateway)
        gateway.cli("ban", "flush", "--yes")
        assert reaches(home, gateway)


def test_an_allowlisted_address_is_let_in_after_a_hundred_failures(gateway: Gateway, network: Network) -> None:
    office = network.host(OFFICE)
    body = urlencode({"username": "somebody", "password": "wrong horse battery"}).encode()
    lines = ("Origin: https://auth.gate.test", f"Content-Length: {len(body)}", f"Content-Type: {_FORM}")
    wrong = request("auth.gate.test", "/login", *lines, method="POST", body=body)

    def fail(_: int) -> int:
        return ask(gateway, "auth", wrong, at=office).status

    with ThreadPoolExecutor(8) as several:
        answers = Counter(several.map(fail, range(_FAILURES)))
    assert answers.total() == _FAILURES
    assert set(answers) <= {422, 429}
    assert office.address not in banned(gateway)
    with gateway.visitor(at=office) as owner:
        page = owner.submit(owner.visit("auth", "/login"), username=OWNER, password=PASSWORD)
        while page.status_code == 429:
            time.sleep(min(float(page.headers["Retry-After"]), _LONGEST_WAIT))
            page = owner.submit(page, username=OWNER, password=PASSWORD)
        assert owner.follow(page).status_code == 200
        assert owner.arrive("wiki").status_code == 200


def test_a_country_rule_leaves_the_owner_in_who_is_there_and_another_comes_in_by_the_allowlist(
    gateway: Gateway, network: Network, tmp_path: Path
) -> None:
    data = tmp_path / "countries.csv"
    data.write_text("62.6.0.0/16,NO\n62.4.0.0/16,SE\n62.5.0.0/16,SE\n")
    gateway.cli("geo", "update", "--file", str(data), "--anyway")
    home, hotel = network.host("62.6.0.32"), network.host("62.6.0.33")
    with gateway.log_in(OWNER, at=home) as owner:
        gateway.change(defence={"countries": {"deny": ["NO"]}})
        wait_for(lambda: not is_answered(gateway, hotel), "the country to be shut out")
        assert owner.arrive("wiki").status_code == 200
        (shown,) = json.loads(gateway.cli("geo", "show", hotel.address, "--json"))
        assert (shown["country"], bool(shown["refused"])) == ("NO", True)
    gateway.cli("allow", "add", hotel.address)
    with gateway.log_in(OWNER, at=hotel) as owner:
        assert owner.arrive("wiki").status_code == 200
    gateway.cli("allow", "remove", hotel.address)
    gateway.change(defence={"countries": {"deny": ["AQ"]}})
    stranger = network.host("62.6.0.34")
    wait_for(lambda: is_answered(gateway, stranger), "the end of the rule")


def is_answered(gateway: Gateway, host: Host) -> bool:
    """Whether a visitor from there gets a page."""
    with gateway.visitor(at=host, seconds=2) as visitor, suppress(httpx.TransportError):
        return visitor.visit("auth", "/login").status_code == 200
    return False


def test_when_every_owner_has_lost_the_second_factor_the_host_lets_them_in_again(
    gateway: Gateway, network: Network
) -> None:
    home = network.host("62.4.0.30")
    with gateway.log_in(OWNER, at=home) as owner:
        turn_on(owner)
    with gateway.visitor(at=home) as owner:
        page = owner.submit(owner.visit("auth", "/login"), username=OWNER, password=PASSWORD)
        assert "6-digit code" in page.text
        assert owner.cookie("auth") is None
    assert "without a second factor" in gateway.cli("recover", "--drop-second-factor", OWNER)
    with gateway.log_in(OWNER, at=home) as owner:
        assert owner.arrive("wiki").status_code == 200


def test_when_no_owner_is_left_who_can_log_in_the_host_makes_another_one(gateway: Gateway, network: Network) -> None:
    home = network.host("62.4.0.31")
    link = re.search(r"https://\S+/enrol\S+", gateway.cli("recover"))
    assert link
    with gateway.visitor(at=home) as heir:
        page = heir.follow(heir.submit(heir.visit(link[0]), username="heir", new_password=PASSWORD))
        assert page.status_code == 200, page.text
        assert heir.arrive("wiki").status_code == 200
    with gateway.admin() as admin:
        accounts = admin.get("/accounts")["accounts"]
    assert {one["name"]: one["role"] for one in accounts}["heir"] == "owner"
