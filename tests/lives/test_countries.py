"""From where one may come: real connections from public addresses, on a network of the test's own. As root.

The data are a few lines: the network of `home` is German, that of `far` Chinese, that of `lost` in no country at all.
"""

import json
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.prefixes import given, v1, v2
from tests.lives.raw import ask, plain_connection, request
from tests.lives.waiting import PATIENCE, wait_for
from tests.unit.defense.geo.data import atlas

from portward.errors import Invalid

COUNTRIES = "91.7.0.0/16,DE\n101.6.0.0/16,CN\n45.90.0.0/16,DE\n2a0e:b107::/32,DE\n240e::/20,CN\n103.1.0.0/16,AU\n"
NETWORKS = "91.7.0.0/16,64496,Home\n101.6.0.0/16,64497,Far\n"
PROXY = "103.1.1.1"


class World:
    """A gateway with data about countries, and hosts at home, far away, and where nobody knows."""

    def __init__(self, network: Network, directory: Path) -> None:
        self.here = network.host("45.90.0.1", "2a0e:b107::1")
        self.home, self.far, self.lost = network.host("91.7.7.7"), network.host("101.6.6.6"), network.host("5.5.5.5")
        self.far6, self.office = network.host("240e::1"), network.host("101.6.6.99")
        self.lan, self.proxy = network.host("192.168.7.7"), network.host(PROXY)
        self.gateway = Gateway(
            directory,
            {
                "open": {"upstream": "demo", "access": "public"},
                "wiki": {"upstream": "demo", "access": "public", "countries": {"allow": ["DE"]}},
                "vault": {"upstream": "demo", "countries": {"deny": ["CN"], "except": ["office"]}},
            },
            at=self.here,
            networks={"office": ["101.6.6.99"]},
            proxies={"proxy-protocol": [PROXY]},
        )
        (self.gateway.state / "geo").mkdir(parents=True, mode=0o700)
        atlas(self.gateway.state / "geo" / "countries.geo", COUNTRIES)
        atlas(self.gateway.state / "geo" / "networks.geo", NETWORKS, "networks")

    def rule(self, **countries: object) -> None:
        """Put this into [defence.countries]; nothing takes the table away."""
        table = {name.replace("_", "-").rstrip("-"): value for name, value in countries.items()}
        self.gateway.change(defence={"countries": table} if table else {"countries": {"deny": ["AQ"]}})

    def shows_certificate(self, at: Host, *, sni: str = "open.gate.test") -> bool:
        """Whether a handshake from there gets anything at all."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                plain_connection(self.gateway, 443, at=at, seconds=1.5) as plain,
                context.wrap_socket(plain, server_hostname=sni) as secured,
            ):
                return bool(secured.getpeercert(binary_form=True))
        except OSError:
            return False

    @property
    def walls(self) -> dict[str, Any]:
        return dict(json.loads(self.gateway.cli("defence", "status", "--json"))["walls"])

    @property
    def held_by_kernel(self) -> bool:
        return bool(self.walls["on"])

    def status(self, at: Host, host: str = "open") -> int:
        with self.gateway.visitor(at=at) as somebody:
            return somebody.fetch(host).status_code


@pytest.fixture(scope="module")
def world(network: Network) -> Iterator[World]:
    with short_directory() as directory:
        made = World(network, directory)
        with made.gateway:
            made.gateway.enrol_owner(at=made.home).close()
            yield made


@pytest.fixture(autouse=True)
def _no_rule(world: World) -> Iterator[None]:
    yield
    world.rule()


@pytest.mark.parametrize("kernel", [True, False])
def test_who_comes_from_a_denied_country_never_sees_a_certificate(world: World, *, kernel: bool) -> None:
    world.gateway.change(defence={"kernel": kernel})
    assert world.shows_certificate(world.far)
    world.rule(deny=["CN"])
    assert world.held_by_kernel is kernel
    assert not world.shows_certificate(world.far)
    assert not world.shows_certificate(world.far6)
    assert not world.shows_certificate(world.far, sni="auth.gate.test")
    assert world.status(world.home) == 200
    assert world.status(world.lost) == 200
    if kernel:
        assert world.walls["dropped"]["abroad"] >= 3
        assert "portward-walls" in world.here.run("nft", "list", "tables")
        return
    (event, *_) = world.gateway.wait_for_events(rule="abroad", address="101.6.6.6")
    assert event["count"] >= 1
    world.gateway.change(defence={"kernel": True})


def test_where_only_one_country_may_come_strangers_and_the_unknown_stay_outside(world: World) -> None:
    world.rule(allow=["DE"])
    assert world.status(world.home) == 200
    assert not world.shows_certificate(world.far)
    assert not world.shows_certificate(world.lost)
    assert world.status(world.lan) == 200, "private addresses belong to no country"
    world.rule(allow=["DE"], unknown="pass")
    assert world.status(world.lost) == 200


def test_named_networks_and_the_allowlist_come_first(world: World) -> None:
    world.rule(deny=["CN"], except_=["office"])
    assert world.status(world.office) == 200
    assert not world.shows_certificate(world.far)
    world.gateway.change(defence={"allow": ["101.6.6.6"], "countries": {"deny": ["CN"]}})
    assert world.status(world.far) == 200
    world.gateway.change(defence={"allow": []})


def test_networks_are_shut_out_by_their_number(world: World) -> None:
    world.rule(as_deny=["AS64497"])
    assert not world.shows_certificate(world.far)
    assert world.shows_certificate(world.far6)
    assert world.status(world.home) == 200


def test_to_be_allowed_is_not_to_be_logged_in(world: World) -> None:
    world.rule(allow=["DE"])
    assert world.status(world.home, "vault") == 401


def test_a_service_has_a_rule_of_its_own_and_says_why(world: World) -> None:
    assert world.status(world.home, "wiki") == 200
    assert world.status(world.lan, "wiki") == 200
    assert world.status(world.far) == 200
    with world.gateway.visitor(at=world.far) as somebody:
        refused = somebody.fetch("wiki")
    assert (refused.status_code, refused.json()["error"]) == (403, "country")
    world.gateway.wait_for_events(request_id=refused.json()["request_id"])
    said = world.gateway.cli("explain", refused.json()["request_id"])
    assert "CN" in said
    assert "wiki: CN is not in `allow`" in said


def test_an_exception_of_a_service_holds_there(world: World) -> None:
    assert world.status(world.far, "vault") == 403
    assert world.status(world.office, "vault") == 401
    assert world.status(world.office, "wiki") == 403


@pytest.mark.parametrize("header", [v1, v2])
def test_behind_a_proxy_the_true_address_counts_and_sees_no_certificate_where_it_is_refused(
    world: World, header: Callable[[str, str], bytes]
) -> None:
    def answered(source: str) -> bool:
        before = header(source, "45.90.0.1")
        return ask(world.gateway, "open", request("open.gate.test"), at=world.proxy, before=before).status == 200

    def shut_out(source: str, destination: str = "45.90.0.1") -> bool:
        return given(world.gateway, header(source, destination), at=world.proxy) == b""

    assert answered("101.6.6.6")
    assert not shut_out("101.6.6.6")
    world.rule(deny=["CN", "AU"])
    assert answered("91.7.7.7")
    assert shut_out("101.6.6.6")
    assert shut_out("103.1.2.3")
    assert shut_out("240e::7", "2a0e:b107::1")
    world.gateway.wait_for_events(rule="abroad", address="101.6.6.6")
    world.rule(allow=["DE"])
    assert answered("91.7.7.7")
    assert shut_out("5.5.5.5")


def test_forwarded_headers_count_from_a_listed_proxy_alone(world: World) -> None:
    world.gateway.configure_table("proxies", {"forwarded-for": [PROXY]})
    world.rule(deny=["CN", "AU"])
    try:
        for at, forwarded, expected in (
            (world.proxy, "91.7.7.7", 200),
            (world.proxy, "103.1.2.3", 0),
            (world.proxy, "101.6.6.6", 0),
            (world.home, "101.6.6.6", 200),
        ):
            assert forwarded_status(world, at, forwarded) == expected, (at.address, forwarded)
        assert forwarded_status(world, world.proxy, "103.1.2.3", "wiki") == 0
        world.rule()
        assert forwarded_status(world, world.proxy, "101.6.6.6", "wiki") == 403
        assert forwarded_status(world, world.proxy, "91.7.7.7", "wiki") == 200
    finally:
        world.gateway.configure_table("proxies", {"proxy-protocol": [PROXY]})
        world.rule()


def forwarded_status(world: World, at: Host, forwarded: str, host: str = "open") -> int:
    """0 where there is no answer."""
    where = ("--resolve", f"{host}.gate.test:443:45.90.0.1", f"https://{host}.gate.test/")
    words = ("-sk", "-m", "2", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"X-Forwarded-For: {forwarded}")
    done = subprocess.run([*at.prefix, "curl", *words, *where], capture_output=True, text=True, timeout=20, check=False)
    return int(done.stdout or 0)


def test_a_rule_does_not_shut_out_the_owner_who_is_logged_in(world: World) -> None:
    world.gateway.log_in("owner", at=world.far).close()
    world.rule(allow=["AQ"])
    assert world.status(world.far) == 200, "from where the owner is logged in"
    assert not world.shows_certificate(world.office), "the same country, another address"
    assert not world.shows_certificate(world.lost)
    (event,) = world.gateway.wait_for_events(kind="OwnerAbroad", address="101.6.6.6")
    assert event["account"] == "owner"
    said = world.gateway.cli("check")
    assert "owner" in said
    assert "101.6.6.6" in said
    for session in world.gateway.sessions("owner"):
        if session["address"] == "101.6.6.6":
            world.gateway.cli("session", "revoke", session["id"], "--yes")
    world.gateway.change()  # what is in force is compared again
    assert not world.shows_certificate(world.far), "the exception ends with the session"


def test_an_owner_who_logs_in_is_an_exception_in_edge_and_kernel_at_once(world: World) -> None:
    world.rule(deny=["CN"], except_=["office"])
    assert world.held_by_kernel
    world.gateway.log_in("owner", at=world.office).close()
    wait_for(lambda: "101.6.6.99/32" in world.gateway.map("owners"), "the edge", PATIENCE / 2)
    wall = ("nft", "list", "set", "inet", "portward-walls", "owners4")
    wait_for(lambda: "101.6.6.99" in world.here.run(*wall), "the kernel", PATIENCE / 2)


def test_new_data_are_taken_over_under_load_without_a_lost_request(world: World, tmp_path: Path) -> None:
    world.rule(deny=["CN"])
    stop, answers = threading.Event(), list[int]()
    asking = threading.Thread(target=lambda: keep_asking(world, stop, answers))
    asking.start()
    try:
        wait_for(lambda: len(answers) > 20, "requests")
        assert not world.shows_certificate(world.far)
        newer = tmp_path / "newer.csv"
        newer.write_text(COUNTRIES.replace("101.6.0.0/16,CN", "101.6.0.0/16,AT"))
        assert "6 ranges about countries" in world.gateway.cli("geo", "update", "--file", str(newer))
        assert world.shows_certificate(world.far), "Austrian from now on"
        before = len(answers)
        wait_for(lambda: len(answers) > before + 20, "requests afterwards")
    finally:
        stop.set()
        asking.join()
    assert set(answers) == {200}
    (event, *_) = world.gateway.wait_for_events(kind="CountriesUpdated")
    assert (event["source"], event["ranges"]) == ("newer.csv", 6)
    newer.write_text(COUNTRIES)
    world.gateway.cli("geo", "update", "--file", str(newer))


def keep_asking(world: World, stop: threading.Event, answers: list[int]) -> None:
    """One request after the other, each over a connection of its own."""
    while not stop.is_set():
        try:
            answers.append(world.status(world.home))
        except Exception:  # whatever goes wrong is a lost request
            answers.append(0)


def test_bad_data_change_nothing(world: World, tmp_path: Path) -> None:
    world.rule(deny=["CN"])
    bad = tmp_path / "bad.csv"
    for text in ("", "no address,DE\n", "101.6.0.0/16,DE\n", "<html>please log in</html>\n"):
        bad.write_text(text)
        world.gateway.cli("geo", "update", "--file", str(bad), expect=6)
    world.gateway.cli("geo", "update", "--url", "http://example.com/x.csv", expect=6)
    world.gateway.cli("geo", "update", "--networks", expect=6)
    assert not world.shows_certificate(world.far)
    assert world.gateway.wait_for_events(4, kind="CountriesFailed")
    where = json.loads(world.gateway.cli("geo", "show", "101.6.6.6", "10.0.0.1", "--json"))
    assert [one["country"] for one in where] == ["CN", ""]
    assert where[0]["refused"] == {
        "gateway": "CN is in `deny`",
        "wiki": "CN is not in `allow`",
        "vault": "CN is in `deny`",
    }


def test_a_rule_without_data_is_refused_and_the_one_before_holds(world: World) -> None:
    world.rule(deny=["CN"])
    data = world.gateway.state / "geo" / "networks.geo"
    away = data.rename(data.with_suffix(".away"))
    try:
        with pytest.raises(Invalid, match="no data about networks"):
            world.rule(as_deny=["AS64497"])
        world.gateway.cli("check", expect=6)
        assert not world.shows_certificate(world.far)
    finally:
        away.rename(data)
