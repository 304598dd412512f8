"""What a banned source reaches where `defence.release` is on: one page, and nothing else; and silence when it is final.

Machines with public addresses of their own connect to the edge directly, so that gate 2 sees them.
"""

import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from html import unescape

import httpx
import pytest
from tests.lives.gateway import Gateway
from tests.lives.network import Host, Network
from tests.lives.places import short_directory
from tests.lives.raw import connection
from tests.lives.visitor import PASSWORD, Visitor
from tests.unit.identity.authenticator import SecurityKey

PLACE = "/.portward/release"


@dataclass
class Quay:
    gateway: Gateway
    network: Network
    number: int = 0

    def stranger(self) -> Host:
        """A machine that nobody knows yet."""
        self.number += 1
        return self.network.host(f"91.7.7.{self.number}")

    def banned(self) -> Host:
        """One that has knocked at a host which is not there; once is enough."""
        host = self.stranger()
        self.knock(host)
        return host

    def knock(self, host: Host) -> None:
        with pytest.raises((ssl.SSLError, OSError)), connection(self.gateway, "nowhere", at=host):
            pass
        self.gateway.wait_for_events(kind="SourceBanned", source=host.address, by="detector")


@pytest.fixture(scope="module")
def quay(network: Network) -> Iterator[Quay]:
    services = {"hello": {"upstream": "demo"}, "open": {"upstream": "demo", "access": "public"}}
    at = network.host("45.90.0.1")
    defence = {"release": ["passkey"]}
    with short_directory() as directory, Gateway(directory, services, at=at, defence=defence) as gateway:
        yield Quay(gateway, network)


def origin_of(gateway: Gateway) -> str:
    """As browsers say it: without the port that everybody knows."""
    return f"https://{gateway.host('auth')}"


def is_silent(quay: Quay, host: Host) -> bool:
    """No TLS handshake, whatever the name."""
    try:
        with connection(quay.gateway, "auth", at=host):
            return False
    except (ssl.SSLError, OSError):
        return True


def try_passkey(visitor: Visitor, gateway: Gateway, answer: str) -> int:
    headers = {"Origin": origin_of(gateway)}
    posted = visitor.http.post(gateway.url("auth", f"{PLACE}/passkey"), data={"passkey": answer}, headers=headers)
    return posted.status_code


def test_a_banned_source_reaches_the_way_out_and_nothing_else(quay: Quay) -> None:
    host, way_out = quay.banned(), f"{origin_of(quay.gateway)}{PLACE}"
    with quay.gateway.visitor(at=host) as visitor:
        page = visitor.visit("auth", PLACE)
        assert (page.status_code, "You are shut out" in page.text) == (200, True)
        assert visitor.fetch("auth", "/static/portal.css").status_code == 200
        for place, path in (("open", "/"), ("hello", "/"), ("auth", "/login"), ("auth", "/"), ("open", PLACE)):
            answer = visitor.visit(place, path)
            assert answer.status_code in (302, 403), (place, path)
            assert "Hello" not in answer.text
            assert answer.headers.get("location", way_out) == way_out
        origin = {"Origin": origin_of(quay.gateway)}
        login = {"username": "owner", "password": PASSWORD}
        refused = visitor.http.post(quay.gateway.url("auth", "/login"), data=login, headers=origin)
        assert refused.status_code == 403
        assert "set-cookie" not in refused.headers
        assert visitor.fetch("auth", f"{PLACE}/../../login").status_code in (400, 403)
        assert visitor.fetch("auth", f"{PLACE}/%2e%2e/%2e%2e/login").status_code in (400, 403)


def test_a_passkey_frees_it_at_once(quay: Quay) -> None:
    host = quay.stranger()
    gateway = quay.gateway
    gateway.add_account("ann")
    key = SecurityKey(origin_of(gateway))
    with gateway.log_in("ann", at=host) as ann:
        page = ann.submit(ann.visit("auth", "/account/passkeys/new"), password=PASSWORD)
        offer = json.loads(unescape(page.text.partition('data-passkey="')[2].partition('"')[0]))
        ann.submit(page, name="phone", passkey=key.make(offer))
    with gateway.admin() as admin:
        assert admin.get("/accounts/ann")["account"]["passkeys"] == 1
    victim = quay.banned()
    with gateway.visitor(at=victim) as visitor:
        origin = {"Origin": origin_of(gateway)}
        asked = visitor.http.post(gateway.url("auth", f"{PLACE}/ask"), data={"way": "passkey"}, headers=origin)
        assert try_passkey(visitor, gateway, key.show(asked.json())) == 200
        assert visitor.visit("open").status_code == 200
    gateway.wait_for_events(kind="SourceReleased", source=victim.address, account="ann", way="passkey")
    gateway.wait_for_events(kind="BanLifted", source=victim.address, by="ann")


def test_after_too_many_tries_there_is_silence(quay: Quay) -> None:
    host = quay.banned()
    with quay.gateway.visitor(at=host) as visitor:
        tried = [try_passkey(visitor, quay.gateway, "{}") for _ in range(5)]
        assert set(tried) <= {422, 429}
        with suppress(httpx.RemoteProtocolError):  # cut at once, with what it holds open
            try_passkey(visitor, quay.gateway, "{}")
    assert is_silent(quay, host)
    quay.gateway.wait_for_events(kind="SourceBanned", source=host.address, by="release")


def test_what_an_operator_banned_meets_silence(quay: Quay) -> None:
    host = quay.stranger()
    quay.gateway.cli("ban", "add", host.address, "--for", "1h", "--reason", "annoying")
    assert is_silent(quay, host)


def test_where_the_banned_get_a_page_the_final_ones_get_it_too(quay: Quay) -> None:
    host, other = quay.banned(), quay.stranger()
    quay.gateway.cli("ban", "add", other.address, "--for", "1h", "--reason", "annoying")
    quay.gateway.change(defence={"release": ["passkey"], "answer": "page"})
    try:
        with quay.gateway.visitor(at=host) as held, quay.gateway.visitor(at=other) as out:
            assert held.visit("auth", PLACE).status_code == 200
            assert held.visit("open").headers["location"] == f"{origin_of(quay.gateway)}{PLACE}"
            for place in ("auth", "open"):
                page = out.visit(place, PLACE)
                assert (page.status_code, "annoying" in page.text) == (403, True)
    finally:
        quay.gateway.change(defence={"answer": "silence"})


def test_whoever_hammers_at_the_way_out_is_refused(quay: Quay) -> None:
    host = quay.banned()
    with quay.gateway.visitor(at=host) as visitor:
        answers = [visitor.fetch("auth", PLACE).status_code for _ in range(60)]
    assert answers[0] == 200
    assert answers[-1] == 403
