"""Certificates from a real ACME authority (Pebble, strict, most nonces refused, two chains), through the gateway."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from cryptography.x509.oid import NameOID
from tests.lives.certified import LONG, Watch, certified, handshake, is_public, row, shown, wait_for_public
from tests.lives.gateway import Gateway
from tests.lives.pebble import Pebble
from tests.lives.waiting import wait_for

OPEN = {"upstream": "demo", "access": "public"}
SERVICES = {"wiki": OPEN, "blog": OPEN, "mute": OPEN, "away": OPEN}
GOOD = ("wiki", "blog", "auth")
Pair = tuple[Gateway, Pebble]


def table(pebble: Pebble, gateway: Gateway) -> dict[str, object]:
    """The second of two chains, and a staging environment for rehearsals: here the authority itself."""
    pebble.names.silent.add("mute.gate.test")
    pebble.names.say("away.gate.test", "A", "127.0.0.99")
    (name,) = pebble.root(1).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    authority = {"directory": pebble.directory, "staging": pebble.directory, "ca-file": str(pebble.ca_file)}
    return {"authorities": [authority], "chain": name.value}


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """All but `mute` (DNS fails) and `away` (leads to a port where nobody listens) are as they should be."""
    environment = {"PEBBLE_WFE_NONCEREJECT": "70", "PEBBLE_ALTERNATE_ROOTS": "1", "PEBBLE_CHAIN_LENGTH": "2"}
    with certified(SERVICES, table, **environment) as (gateway, pebble), gateway:
        wait_for_public(gateway, *GOOD)
        yield gateway, pebble


def test_every_good_name_gets_a_certificate_whatever_becomes_of_the_others(pair: Pair) -> None:
    gateway, _ = pair
    assert [is_public(gateway, name) for name in (*GOOD, "mute", "away")] == [True, True, True, False, False]
    assert row(gateway, "wiki")["serial"] == f"{shown(gateway, 'wiki').serial_number:x}"


def test_most_nonces_refused_lead_to_one_account_and_one_order_a_name(pair: Pair) -> None:
    _, pebble = pair
    once = ("POST /order-plz", "POST /chalZ/", "POST /finalize-order/", "POST /certZ/")
    assert sum(map(pebble.said, once)) > len(once) * pebble.orders
    assert (pebble.accounts, pebble.orders) == (1, len(GOOD))


def test_the_chain_ends_at_the_root_that_was_asked_for(pair: Pair) -> None:
    gateway, pebble = pair
    assert handshake(gateway, "wiki", pebble.trust(1)) == shown(gateway, "wiki")


def test_port_80_serves_challenges_and_redirects_and_nothing_else(pair: Pair) -> None:
    gateway, _ = pair
    for path in ("/", "/.well-known/acme-challenge/unknown", "/.well-known/acme-challenge/"):
        answer = httpx.get(
            gateway.url("wiki", path, scheme="http").replace(gateway.host("wiki"), "127.0.0.1"),
            headers={"Host": gateway.host("wiki")},
            trust_env=False,
        )
        assert answer.status_code == 301
        assert answer.headers["Location"] == gateway.url("wiki", path)


def test_a_mistake_is_named_with_what_was_found_and_expected_and_burns_no_attempt(pair: Pair) -> None:
    gateway, pebble = pair
    before = pebble.orders
    said = gateway.cli("certificate", "check", "away.gate.test", expect=1)
    assert f"away.gate.test at 127.0.0.99 port {gateway.http_port} can't be reached: Connection refused" in said
    assert "expected: this gateway" in said
    assert "DNS does not answer for mute.gate.test" in gateway.cli("certificate", "check", "mute.gate.test", expect=1)
    assert "wiki.gate.test: fine" in gateway.cli("certificate", "check", "wiki.gate.test")
    assert pebble.orders == before


@contextmanager
def other_machine(address: str, port: int) -> Iterator[None]:
    """A web server that knows nothing of any challenge."""
    with http.server.HTTPServer((address, port), NotHere) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield
        server.shutdown()
        thread.join()


class NotHere(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


def test_another_machine_that_answers_is_told_from_this_gateway(pair: Pair) -> None:
    """Here it is a web server at another address, on the gateway's own port."""
    gateway, pebble = pair
    with other_machine("127.0.0.98", gateway.http_port):
        pebble.names.say("away.gate.test", "A", "127.0.0.98")
        said = gateway.cli("certificate", "check", "away.gate.test", expect=1)
        pebble.names.say("away.gate.test", "A", "127.0.0.99")
    assert "is not this gateway: status 404" in said


def test_the_first_failure_is_an_event_and_the_back_off_survives_a_restart(pair: Pair) -> None:
    gateway, _ = pair
    (event,) = gateway.wait_for_events(kind="CertificateRenewalFailed", host="away.gate.test")
    assert "can't be reached" in event["reason"]
    before = row(gateway, "away")
    gateway.kill_keeper()
    after = row(gateway, "away")
    assert before["failures"] >= 1
    assert after["failures"] >= before["failures"]
    assert after["next_attempt"] >= before["next_attempt"]


def test_a_validation_that_fails_is_told_in_the_authoritys_words_and_the_old_certificate_stays(pair: Pair) -> None:
    gateway, _ = pair
    before = shown(gateway, "away")
    said = gateway.cli("certificate", "issue", "away.gate.test", "wiki.gate.test", "--skip-checks", expect=1)
    assert "wiki.gate.test: issued" in said
    assert "away.gate.test: connection" in said
    assert shown(gateway, "away") == before
    assert row(gateway, "away")["outcome"] == "refused"


def test_a_renewal_is_never_felt(pair: Pair) -> None:
    gateway, _ = pair
    old = shown(gateway, "blog").serial_number
    with Watch(gateway, "blog") as watch:
        gateway.cli("certificate", "renew", "blog.gate.test")
        new = shown(gateway, "blog").serial_number
    assert watch.errors == []
    assert old != new
    assert set(watch.serials) <= {old, new}


def test_a_rehearsal_goes_all_the_way_and_changes_nothing(pair: Pair) -> None:
    gateway, pebble = pair
    before, orders = shown(gateway, "wiki"), pebble.orders
    assert "wiki.gate.test: fine" in gateway.cli("certificate", "issue", "wiki.gate.test", "--dry-run")
    assert shown(gateway, "wiki") == before
    assert pebble.orders == orders + 1


def test_the_accounts_key_is_rotated_and_the_account_stays(pair: Pair) -> None:
    gateway, pebble = pair
    (key,) = (gateway.state / "acme" / "accounts").glob("*/key.pem")
    before = key.read_bytes()
    gateway.cli("certificate", "account", "rotate")
    assert key.read_bytes() != before
    assert key.stat().st_mode & 0o777 == 0o600
    gateway.cli("certificate", "renew", "wiki.gate.test")
    assert pebble.accounts == 1


def test_a_revoked_certificate_is_replaced_by_one_with_another_key(pair: Pair) -> None:
    gateway, pebble = pair
    old = shown(gateway, "wiki")
    gateway.cli("certificate", "revoke", "wiki.gate.test", "--reason", "key-compromise", "--yes")
    assert pebble.revoked(old.serial_number)
    wait_for(lambda: shown(gateway, "wiki") != old, "another certificate", LONG)
    assert shown(gateway, "wiki").public_key() != old.public_key()


def test_everything_that_is_kept_is_readable_by_its_owner_alone(pair: Pair) -> None:
    gateway, _ = pair
    kept = list((gateway.state / "acme").rglob("*"))
    assert kept
    assert {oct(path.stat().st_mode & 0o077) for path in kept} == {"0o0"}


def test_a_new_host_gets_its_certificate_without_being_asked_for(pair: Pair) -> None:
    gateway, _ = pair
    gateway.apply({**SERVICES, "late": OPEN})
    wait_for_public(gateway, "late")
    gateway.apply(SERVICES)


def test_nothing_of_an_order_is_left_behind(pair: Pair) -> None:
    gateway, _ = pair
    left = list((gateway.state / "acme" / "pending").rglob("*.pem"))
    assert [path.parent.name for path in left if path.parent.name != "away.gate.test"] == []
    assert gateway.map("challenges") == {}
