"""Each detector, met by what it is there for: one that enforces bans, one in shadow mode only tells, and truly.

Everybody comes from a network of their own. Needs root, for those.
"""

import json
import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.lives.banning import banned
from tests.lives.gateway import Gateway
from tests.lives.hellos import AES, EXPORT, NULL, OTHER_PROTOCOLS, RC4, SSL2_HELLO, SSL3, TLS1, TLS12, hello
from tests.lives.network import Host, Network
from tests.lives.openssh import make_key
from tests.lives.places import short_directory
from tests.lives.raw import connection, plain_connection, read_to_end
from tests.lives.second_factor import turn_on
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, PASSWORD, Visitor
from tests.lives.waiting import wait_for

HELLOS = [
    SSL2_HELLO,
    *OTHER_PROTOCOLS,
    hello(SSL3, [RC4], name=None),
    hello(TLS1, [RC4, AES], name="share.gate.test"),
    hello(TLS12, [NULL, EXPORT, RC4], name="share.gate.test"),
    hello(TLS12, [AES], name=None),
]
DETECTORS: dict[str, dict[str, Any]] = {
    "unknown-host": {},
    "login": {"tries": 3},
    "second-factor": {"tries": 3},
    "account": {"tries": 4},
    "token": {"tries": 3, "scope": "address"},
    "ssh-key": {"tries": 3},
    "probe": {"tries": 3, "scope": "network"},
    "errors": {"tries": 6},
    "rate": {"tries": 5},
    "tls": {"tries": len(HELLOS)},
    "slow": {"tries": 2},
}
REQUESTS = 60
"""What a source may ask for in 10 s."""


@dataclass(frozen=True)
class Place:
    gateway: Gateway
    network: Network
    mode: str
    keys: Path

    def host(self, *addresses: str) -> Host:
        return self.network.host(*(addresses or (f"91.{len(self.network.hosts)}.7.7",)))

    def visitor(self, host: Host) -> Visitor:
        return self.gateway.visitor(at=host)

    def verdicts(self, source: str) -> list[tuple[str, str]]:
        """What became of a source: bans and shadows, and by which detector."""
        told = [("enforce", event["reason"]) for event in self._of(source, "SourceBanned")]
        return told + [("shadow", event["detector"]) for event in self._of(source, "ShadowBan")]

    def require(self, detector: str, source: str) -> None:
        """Wait for its verdict, the only one. In shadow mode nobody is shut out for it."""
        wait_for(lambda: self.verdicts(source), f"a verdict of {detector} on {source}")
        assert self.verdicts(source) == [(self.mode, detector)]
        assert (source in banned(self.gateway)) == (self.mode == "enforce")

    def _of(self, source: str, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.gateway.events(kind=kind) if event["source"] == source]


@pytest.fixture(scope="module", params=["enforce", "shadow"])
def place(
    request: pytest.FixtureRequest, network: Network, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    mode, keys = request.param, tmp_path_factory.mktemp("keys")
    number = 1 + (mode == "shadow")
    at = network.host(f"45.90.0.{number}", f"2a0e:b107::{number}")
    with at.inside():
        upstream = Upstream()
    services = {
        "photos": {"upstream": upstream.url},
        "share": {"upstream": upstream.url, "access": "public"},
    }
    options: dict[str, Any] = {
        "defence": {"detectors": {name: {"mode": mode, **own} for name, own in DETECTORS.items()}},
        "limits": {"requests": REQUESTS},
        "timeouts": {"headers": "1s"},
        "tunnels": {},
    }
    for name in range(3):
        make_key(keys / str(name))
    with upstream, short_directory() as directory, Gateway(directory, services, at=at, **options) as gateway:
        for account in ("ann", "bob", "dora"):
            gateway.add_account(account)
        with gateway.log_in("dora") as dora:
            turn_on(dora)
        yield Place(gateway, network, mode, keys)


def knock(place: Place, host: Host) -> None:
    with plain_connection(place.gateway, 443, at=host) as plain, pytest.raises(ssl.SSLError):
        place.gateway.tls().wrap_socket(plain, server_hostname="shop.gate.test")


def guess_passwords(place: Place, host: Host) -> None:
    with place.visitor(host) as visitor:
        page = visitor.visit("auth", "/login")
        for number in range(3):
            visitor.submit(page, username=f"nobody{number}", password="guess")


def guess_codes(place: Place, host: Host) -> None:
    """By somebody who knows the password."""
    with place.visitor(host) as visitor:
        page = visitor.submit(visitor.visit("auth", "/login"), username="dora", password=PASSWORD)
        for code in ("000000", "000001", "000002"):
            assert "code" in page.text
            page = visitor.submit(page, code=code)


def guess_tokens(place: Place, host: Host) -> None:
    with place.visitor(host) as visitor:
        for number in range(3):
            visitor.fetch("photos", "/api", headers={"Authorization": f"Bearer guess{number}"})


def offer_keys(place: Place, host: Host) -> None:
    options = ("IdentitiesOnly=yes", "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null")
    for name in range(3):
        words = [word for option in options for word in ("-o", option)]
        host.run("ssh", *words, "-i", str(place.keys / str(name)), "ann@" + place.gateway.address(host), check=False)


def look_for_leftovers(place: Place, host: Host) -> None:
    with place.visitor(host) as visitor:
        for path in ("/.env", "/.git/config", "/phpinfo.php"):
            visitor.fetch("photos", path)


def try_names(place: Place, host: Host) -> None:
    with place.visitor(host) as visitor:
        for number in range(6):
            visitor.fetch("share", f"/absent/{number}")


def flood(place: Place, host: Host) -> None:
    with place.visitor(host) as visitor:
        statuses = [visitor.fetch("share", "/page").status_code for _ in range(REQUESTS + 5)]
    assert statuses[-5:] == [429] * 5


def say_hello(place: Place, host: Host) -> None:
    for sent in HELLOS:
        with plain_connection(place.gateway, 443, at=host) as plain:
            plain.sendall(sent)
            assert b"CERTIFICATE" not in read_to_end(plain)


def dawdle(place: Place, host: Host) -> None:
    for _ in range(2):
        with connection(place.gateway, "share", at=host) as secured:
            secured.sendall(b"GET / HTTP/1.1\r\nHost")
            assert b"408" in read_to_end(secured)


ACTS: dict[str, Callable[[Place, Host], None]] = {
    "unknown-host": knock,
    "login": guess_passwords,
    "second-factor": guess_codes,
    "token": guess_tokens,
    "ssh-key": offer_keys,
    "errors": try_names,
    "rate": flood,
    "tls": say_hello,
    "slow": dawdle,
}


@pytest.mark.parametrize("detector", ACTS)
def test_each_detector_finds_what_it_is_there_for(place: Place, detector: str) -> None:
    mallory = place.host()
    with suppress(httpx.TransportError):
        ACTS[detector](place, mallory)
    place.require(detector, mallory.address)


def test_a_crowd_at_one_account_is_found_and_the_account_stays_open(place: Place) -> None:
    """One try from each address. Whoever is known at the account there has only mistyped."""
    home, crowd = place.host(), [place.host() for _ in range(3)]
    with place.gateway.log_in("ann", at=home) as ann:
        for host in (home, *crowd):
            with suppress(httpx.TransportError), place.visitor(host) as visitor:
                visitor.submit(visitor.visit("auth", "/login"), username="ann", password="guess")
        for host in crowd:
            place.require("account", host.address)
        assert place.verdicts(home.address) == []
        assert ann.arrive("photos").status_code == 200
        with place.gateway.log_in("ann", at=place.host()) as elsewhere:
            assert elsewhere.arrive("photos").status_code == 200


def test_of_two_neighbours_in_one_64_the_scope_address_bans_the_one(place: Place) -> None:
    net = f"2a02:{len(place.network.hosts)}:1:2"
    mallory, neighbour = place.host(f"{net}::5"), place.host(f"{net}::6")
    guess_tokens(place, mallory)
    place.require("token", f"{net}::5")
    with place.visitor(neighbour) as visitor:
        assert visitor.visit("share").status_code == 200


def test_scanners_who_share_the_work_in_one_network_are_one_source_by_the_scope_network(place: Place) -> None:
    number = len(place.network.hosts)
    several = [place.host(f"92.{number}.7.{own}") for own in (1, 2, 3)]
    for host, path in zip(several, ("/.env", "/.git/config", "/phpinfo.php"), strict=True):
        with place.visitor(host) as visitor, suppress(httpx.TransportError):
            visitor.fetch("photos", path)
    place.require("probe", f"92.{number}.7.0/24")


# ---- what `portward defence report` says, held against what was sent ------------------------------------------------


class Counting:
    """A visitor whose requests are counted as they are sent: all, those of an account, those that were refused.

    The portal looks at its sessions itself, so that the edge knows of no account there.
    """

    def __init__(self, place: Place, host: Host) -> None:
        self.sent = self.of_account = self.refused = 0
        self.visitor = place.visitor(host)
        self.visitor.http.event_hooks["response"].append(self._note)

    def _note(self, answer: httpx.Response) -> None:
        self.sent += 1
        session = _SESSION.search(answer.request.headers.get("Cookie", ""))
        self.of_account += bool(session) and not answer.url.host.startswith("auth.")
        self.refused += answer.status_code == 401 or "/.portward/start" in answer.headers.get("Location", "")


_SESSION = re.compile(COOKIE + r"=[A-Za-z0-9_-]{43}(;|$)")


def told(place: Place, detector: str) -> Counter[str]:
    report = json.loads(place.gateway.cli("defence", "report", "--json"))
    (toll,) = (one for one in report["detectors"] if one["detector"] == detector)
    return Counter(requests=toll["requests"], accounts=toll["of_accounts"], anyway=toll["anyway"])


def test_the_report_counts_what_was_sent_and_no_more(place: Place) -> None:
    if place.mode == "enforce":
        assert json.loads(place.gateway.cli("defence", "report", "--json"))["detectors"] == []
        assert "would have refused anybody" in place.gateway.cli("defence", "report")
        return
    home = place.host()
    guess_passwords(place, home)
    place.require("login", home.address)
    before = told(place, "login")
    counting = Counting(place, home)
    with counting.visitor as visitor, place.visitor(place.host()) as somebody_else:
        for path in ("/", "/a", "/absent/b"):
            visitor.fetch("share", path)
            somebody_else.fetch("share", path)
        assert visitor.fetch("photos", "/").status_code == 401
        visitor.visit("photos", "/")
        visitor.log_in("bob")
        visitor.arrive("photos")
        for path in ("/1", "/2", "/absent/3"):
            visitor.fetch("photos", path)
        visitor.fetch("share", "/last")
    wait_for(lambda: any(line.get("path") == "/last" for line in place.gateway.access_log), "the last line of the log")
    expected = Counter(requests=counting.sent, accounts=counting.of_account, anyway=counting.refused)
    assert min(expected.values()) > 1
    assert told(place, "login") - before == expected
    everything = told(place, "login")
    said = place.gateway.cli("defence", "report")
    assert (
        f"login would have refused {everything['requests']} requests, {everything['accounts']} of them from accounts "
        "of yours" in said
    )
