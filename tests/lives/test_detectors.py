"""What gets a source banned, and what never does. Visitors come from public addresses of the test's own network.

Each test has visitors of its own, since bans outlive it. Needs root, for that network.
"""

import base64
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any

import httpx
import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.raw import plain_connection
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor
from tests.lives.waiting import wait_for
from tests.unit.defense.clients import CLIENTS

MakeHost = Callable[[], Host]

TRIES = 10
"""What `login`, `token` and others ship with."""
PROBES = ("/.env", "/.git/config", "/phpinfo.php")
DEFENCE = {
    "detectors": {"slow": {"tries": 2}, "errors": {"tries": 30}, "tls": {"mode": "shadow", "tries": 3}},
}


@pytest.fixture(scope="module")
def gate(network: Network) -> Host:
    return network.host("45.90.0.1", "2a0e:b107::1")


@pytest.fixture(scope="module")
def gateway(gate: Host) -> Iterator[Gateway]:
    with gate.inside():
        upstream = Upstream()
    with upstream, short_directory() as directory:
        services: dict[str, Any] = {
            "photos": {"upstream": upstream.url},
            "share": {"upstream": upstream.url, "access": "public"},
            "old": {"upstream": upstream.url},
        }
        with Gateway(directory, services, at=gate, timeouts={"headers": "1s"}, defence=DEFENCE) as running:
            running.add_account("ann")
            running.apply({name: service for name, service in services.items() if name != "old"})
            yield running


@pytest.fixture(scope="module")
def make_host(network: Network) -> MakeHost:
    numbers = count(7)
    return lambda: network.host(f"91.7.7.{next(numbers)}")


@pytest.fixture
def mallory(make_host: MakeHost) -> Host:
    return make_host()


@pytest.fixture
def phone(make_host: MakeHost) -> Host:
    return make_host()


def bans(gateway: Gateway, source: str) -> list[dict[str, Any]]:
    return [event for event in gateway.events(kind="SourceBanned") if event["source"] == source]


def reason(gateway: Gateway, source: str) -> str:
    """Why a source is banned; waits until it is."""
    return str(wait_for(lambda: bans(gateway, source), f"a ban of {source}")[0]["reason"])


def seen(gateway: Gateway, detector: str) -> int:
    (tally,) = (one for one in gateway.status()["defence"]["detectors"] if one["detector"] == detector)
    return int(tally["seen"])


def knock(gateway: Gateway, sni: str, at: Host) -> None:
    with plain_connection(gateway, gateway.https_port, at=at) as plain, pytest.raises(ssl.SSLError):
        gateway.tls().wrap_socket(plain, server_hostname=sni)


@contextmanager
def attacker(gateway: Gateway, at: Host) -> Iterator[Visitor]:
    """A visitor whose last request may be cut off by the ban that it leads to."""
    with gateway.visitor(at=at) as visitor, suppress(httpx.TransportError):
        yield visitor


def guess(gateway: Gateway, at: Host, times: int) -> None:
    with attacker(gateway, at) as visitor:
        page = visitor.visit("auth", "/login")
        for number in range(times):
            visitor.submit(page, username=f"nobody{number}", password="guess")


def test_one_knock_at_an_unknown_name_is_enough(gateway: Gateway, mallory: Host) -> None:
    knock(gateway, "shop.gate.test", mallory)
    assert reason(gateway, mallory.address) == "unknown-host"
    (refused,) = gateway.wait_for_events(rule="tls_unknown_name", address=mallory.address)
    assert (refused["sni"], refused["status"]) == ("shop.gate.test", 0)


def test_a_neighbour_in_the_same_ipv6_network_is_the_same_source(gateway: Gateway, network: Network) -> None:
    knock(gateway, "shop.gate.test", network.host("2a02:26f7:1:2::5"))
    assert reason(gateway, "2a02:26f7:1:2::/64") == "unknown-host"


def test_who_asks_for_the_bare_domain_or_for_what_was_here_is_not_taken_for_a_scanner(
    gateway: Gateway, mallory: Host, phone: Host
) -> None:
    for name in ("gate.test", "www.gate.test", "old.gate.test"):
        knock(gateway, name, phone)
    knock(gateway, "older.gate.test", mallory)
    assert reason(gateway, mallory.address) == "unknown-host"
    assert bans(gateway, phone.address) == []


def test_ten_wrong_passwords_are_too_many_and_nine_are_not(gateway: Gateway, mallory: Host, phone: Host) -> None:
    guess(gateway, phone, TRIES - 1)
    guess(gateway, mallory, TRIES)
    assert reason(gateway, mallory.address) == "login"
    assert bans(gateway, phone.address) == []


def test_different_passwords_in_a_header_are_guesses_and_one_again_and_again_is_not(
    gateway: Gateway, mallory: Host, phone: Host
) -> None:
    with gateway.visitor(at=phone) as program:
        for _ in range(5 * TRIES):
            assert program.fetch("photos", "/api", auth=("ann", "expired")).status_code == 401
    with attacker(gateway, mallory) as tool:
        for number in range(TRIES):
            tool.fetch("photos", "/api", auth=("ann", f"guess {number}"))
    assert reason(gateway, mallory.address) == "token"
    assert bans(gateway, phone.address) == []


def test_a_service_of_its_own_login_has_its_passwords_guarded_too(gateway: Gateway, mallory: Host) -> None:
    with attacker(gateway, mallory) as tool:
        for number in range(TRIES):
            tool.fetch("share", "/answer?status=401", auth=("admin", f"guess {number}"))
    assert reason(gateway, mallory.address) == "token"


def test_guessed_cookies_count(gateway: Gateway, mallory: Host) -> None:
    with attacker(gateway, mallory) as tool:
        for number in range(TRIES):
            token = base64.urlsafe_b64encode(number.to_bytes(32)).decode().rstrip("=")
            tool.fetch("photos", "/", headers={"Cookie": f"__Host-portward={token}"})
    assert reason(gateway, mallory.address) == "token"


@pytest.mark.parametrize(("host", "prefix"), [("photos", ""), ("share", "/absent"), ("auth", "")])
def test_three_paths_that_only_scanners_ask_for_are_enough(
    gateway: Gateway, mallory: Host, host: str, prefix: str
) -> None:
    with attacker(gateway, mallory) as scanner:
        for path in PROBES:
            scanner.fetch(host, f"{prefix}{path}")
    assert reason(gateway, mallory.address) == "probe"


def test_many_errors_of_a_public_service_give_a_scanner_away(gateway: Gateway, mallory: Host) -> None:
    with attacker(gateway, mallory) as scanner:
        for number in range(30):
            scanner.fetch("share", f"/absent/{number}")
    assert reason(gateway, mallory.address) == "errors"


def test_who_looks_at_a_share_with_missing_pictures_is_no_scanner(gateway: Gateway, phone: Host) -> None:
    with gateway.visitor(at=phone) as visitor:
        for number in range(40):
            assert visitor.fetch("share", f"/absent/{number}/thumbnail").status_code == 404
            for size in ("page", "small"):
                assert visitor.fetch("share", f"/{number}/{size}").status_code == 200
        assert bans(gateway, phone.address) == []


def test_the_programs_of_honest_people_may_ask_a_public_service_for_what_is_not_there(
    gateway: Gateway, phone: Host
) -> None:
    """As browsers do by themselves, and file managers and shells in a share that is mounted."""
    with gateway.visitor(at=phone) as visitor:
        for program in ("browsers", "Finder of macOS", "shells in a mounted share"):
            for method, path in (wanted.split(" ", 1) for wanted in CLIENTS[program]):
                visitor.fetch("share", f"/absent{path}", method)
        for number in range(40):
            visitor.fetch("share", f"/absent/photos/._{number}.jpg", "PROPFIND")
        assert visitor.fetch("share", "/page").status_code == 200
    assert bans(gateway, phone.address) == []


def test_an_app_with_a_login_of_its_own_may_miss_much_where_somebody_is_known(gateway: Gateway, phone: Host) -> None:
    gateway.log_in("ann", at=phone).close()
    with gateway.visitor(at=phone) as app:
        for path in IMMICH:
            app.fetch("share", f"/absent{path}")
        assert app.fetch("share", "/page").status_code == 200
    assert bans(gateway, phone.address) == []


def test_two_requests_that_come_too_slowly_are_told_from_connections_that_are_idle(
    gateway: Gateway, mallory: Host, phone: Host
) -> None:
    for at, begun in ((phone, b""), (mallory, b"GET / HTTP/1.1\r\nHost")):
        for _ in range(2):
            with plain_connection(gateway, gateway.https_port, at=at) as plain:
                secured = gateway.tls("http/1.1").wrap_socket(plain, server_hostname="photos.gate.test")
                secured.sendall(begun)
                assert b"408" in secured.recv(100)
                secured.close()
    assert reason(gateway, mallory.address) == "slow"
    assert bans(gateway, phone.address) == []


def test_a_shadow_refuses_nobody_and_is_told_of(gateway: Gateway, mallory: Host) -> None:
    nameless = ssl.create_default_context()
    nameless.check_hostname = False
    for _ in range(4):
        with plain_connection(gateway, gateway.https_port, at=mallory) as plain, pytest.raises(ssl.SSLError):
            nameless.wrap_socket(plain)
    (told,) = gateway.wait_for_events(kind="ShadowBan", source=mallory.address)
    assert told["detector"] == "tls"
    with gateway.log_in("ann", at=mallory) as ann:
        ann.arrive("photos")
        ann.fetch("share", "/page")
    assert bans(gateway, mallory.address) == []
    wait_for(lambda: any(line.get("path") == "/page" for line in gateway.access_log), "the last request in the log")
    requests = [line for line in gateway.access_log if line["ip"] == mallory.address and "id" in line]
    of_ann = [line for line in requests if line["account"] == "ann"]
    report = json.loads(gateway.cli("defence", "report", "--json"))
    (tls,) = report["detectors"]
    assert (tls["detector"], tls["requests"], tls["accounts"]) == ("tls", len(requests), {"ann": len(of_ann)})
    said = gateway.cli("defence", "report")
    assert f"tls would have refused {len(requests)} requests, {len(of_ann)} of them from accounts of yours" in said


# As the apps ask, at first start on a phone: what is not there yet, or not any more, is asked for all the same.
IMMICH = [
    *(f"/api/assets/{number:08x}-1111-4222-8333-444455556666/thumbnail?size=preview" for number in range(120)),
    *(f"/api/people/{number}/thumbnail" for number in range(40)),
    *("/.well-known/immich", "/favicon.ico", "/custom.css", "/manifest.json", "/apple-touch-icon-precomposed.png"),
]
NEXTCLOUD = [
    *(f"/remote.php/dav/files/ann/Photos/2024/{number}.jpg" for number in range(60)),
    *(f"/index.php/core/preview?fileId={number}&x=256&y=256" for number in range(60)),
    *("/.well-known/caldav", "/remote.php/dav/uploads/ann/1", "/ocs/v2.php/apps/notifications/api/v2/notifications"),
    *("/.env", "/.git/config", "/wp-login.php", "/backup.sql", "/phpinfo.php"),  # files of hers that are called so
]


def test_the_apps_of_somebody_who_is_logged_in_may_miss_what_they_like(gateway: Gateway, phone: Host) -> None:
    before = {detector: seen(gateway, detector) for detector in ("probe", "errors", "rate")}
    with gateway.log_in("ann", at=phone) as ann:
        assert ann.arrive("photos").status_code == 200
        for path in [*IMMICH, *NEXTCLOUD]:
            assert ann.fetch("photos", f"/absent{path}").status_code == 404
    assert {detector: seen(gateway, detector) for detector in before} == before
    assert bans(gateway, phone.address) == []


def test_a_browser_whose_session_has_ended_is_no_guesser(gateway: Gateway, phone: Host) -> None:
    with gateway.log_in("ann", at=phone) as ann:
        ann.arrive("photos")
        gateway.cli("session", "revoke", "--account", "ann", "--yes")
        statuses = {ann.fetch("photos", path).status_code for path in IMMICH}
    assert statuses == {401}
    assert bans(gateway, phone.address) == []


def test_who_has_logged_in_from_there_may_mistype_a_host(gateway: Gateway, mallory: Host, phone: Host) -> None:
    gateway.log_in("ann", at=phone).close()
    for at in (phone, mallory):
        knock(gateway, "fotos.gate.test", at)
    assert reason(gateway, mallory.address) == "unknown-host"
    assert bans(gateway, phone.address) == []


def test_a_restart_of_the_keeper_forgets_no_failure(gateway: Gateway, mallory: Host) -> None:
    guess(gateway, mallory, TRIES - 4)
    gateway.kill_keeper()
    guess(gateway, mallory, 3)
    assert bans(gateway, mallory.address) == []
    guess(gateway, mallory, 1)
    assert reason(gateway, mallory.address) == "login"
