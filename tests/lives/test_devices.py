"""Devices: whoever shows a good certificate comes in, and nobody else does; revoked ones are out within seconds."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from types import SimpleNamespace

import psutil
import pytest
from tests.lives.conftest import short_directory
from tests.lives.gateway import Gateway
from tests.lives.machines import EC, SERVER, Machine, Machines, curl, openssl
from tests.lives.sockets import Echo, is_alive, open_socket, wait_for_cut
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor
from tests.lives.waiting import wait_for

CUT_WITHIN = 5
HTML = ("-H", "Accept: text/html")


class Fleet(SimpleNamespace):
    """A gateway whose services ask for devices in every manner; ann and bob, and ann's phone."""

    gateway: Gateway
    upstream: Upstream
    machines: Machines
    phone: Machine

    def logged_in(self, account: str, device: Machine | None = None) -> Visitor:
        return self.gateway.log_in(account, device=device)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        upstream, echo = stack.enter_context(Upstream()), stack.enter_context(Echo())
        required = {"upstream": upstream.url, "device": "required"}
        services = {
            "wiki": {"upstream": upstream.url, "access": "public"},
            "vault": {**required, "routes": [{"path": "/open", "device": "ignored", "access": "public"}]},
            "lobby": {**required, "access": "public"},
            "mail": {"upstream": upstream.url, "second-factor": True, "device": "second-factor"},
            "shut": {**required, "access": "public", "device-refusal": "handshake"},
            "chat": {"upstream": echo.url, "device": "required"},
        }
        place = stack.enter_context(short_directory())
        gateway = stack.enter_context(Gateway(stack.enter_context(short_directory()), services))
        gateway.enrol_owner().close()
        for name in ("ann", "bob"):
            gateway.add_account(name)
        machines = Machines(gateway, place)
        yield Fleet(gateway=gateway, upstream=upstream, machines=machines, phone=machines.enrol("ann", "phone"))


def worker(gateway: Gateway) -> str:
    """HAProxy's current worker; another one after a reload."""
    return gateway.runtime("show info").split("\nPid: ")[1].split("\n")[0]


def test_curl_with_a_certificate_comes_in_and_the_service_learns_whose_it_is(fleet: Fleet) -> None:
    forged = ("-H", "X-Portward-Device: CN=boss", "-H", "X-Portward-Device-Fingerprint: 00")
    assert fleet.phone.curl("lobby", "/who-is-it", *forged).status == 200
    [received] = fleet.upstream.seen("/who-is-it")
    assert received.one("X-Portward-Device") == "CN=phone,UID=ann"
    assert received.one("X-Portward-Device-Fingerprint") == fleet.phone.fingerprint


def test_without_a_certificate_a_page_says_how_to_enrol(fleet: Fleet) -> None:
    hits = fleet.upstream.hits
    page = curl(fleet.gateway, "lobby", "/", *HTML)
    assert page.status == 403
    assert "Enrol this device" in page.body
    answer = curl(fleet.gateway, "lobby", "/")
    assert (answer.status, json.loads(answer.body)["error"]) == (403, "device_missing")
    [event] = fleet.gateway.wait_for_events(rule="device_missing", request_id=json.loads(answer.body)["request_id"])
    assert event["gate"] == "TLS"
    assert "Enrol this device first" in fleet.gateway.cli("explain", event["request_id"])
    assert fleet.upstream.hits == hits


def test_refusals_are_counted(fleet: Fleet) -> None:
    def count() -> int:
        return int(fleet.gateway.status()["devices"].get("device_missing", 0))

    before = count()
    for _ in range(3):
        curl(fleet.gateway, "lobby", "/")
    assert count() == before + 3
    assert "device_missing=" in fleet.gateway.cli("status")


def test_hosts_without_a_rule_ask_for_no_certificate(fleet: Fleet) -> None:
    asked = "Acceptable client certificate CA names"
    assert asked not in s_client(fleet.gateway, "wiki")
    assert asked not in s_client(fleet.gateway, "auth")
    assert asked in s_client(fleet.gateway, "vault")
    assert fleet.phone.curl("wiki", "/plain").status == 200
    [received] = fleet.upstream.seen("/plain")
    assert received.one("X-Portward-Device") is None


def test_a_part_that_asks_for_no_device_is_open_and_leads_no_further(fleet: Fleet) -> None:
    assert curl(fleet.gateway, "vault", "/open/x").status == 200
    for path in ("/open/../x", "/open/%2e%2e/x", "/open//../x", "/opener"):
        assert curl(fleet.gateway, "vault", path, "--path-as-is").status in (400, 403)


def test_a_device_alone_is_no_login(fleet: Fleet) -> None:
    assert fleet.phone.curl("vault", "/").status == 401
    with fleet.logged_in("ann", fleet.phone) as ann:
        assert ann.arrive("vault", "/in").status_code == 200
        assert ann.cookie("vault")
        assert curl(fleet.gateway, "vault", "/in", "-b", f"{COOKIE}={ann.cookie('vault')}").status == 403


def test_a_device_of_one_account_never_helps_another(fleet: Fleet) -> None:
    with fleet.logged_in("bob", fleet.phone) as bob:
        page = bob.arrive("vault")
        assert page.status_code == 403
        assert "somebody else" in page.text
        fleet.gateway.wait_for_events(rule="device_foreign", account="bob")
        assert "code" in bob.arrive("mail").text.lower()
        assert bob.fetch("mail").status_code == 401


def test_an_own_device_stands_for_the_second_factor(fleet: Fleet) -> None:
    with fleet.logged_in("ann", fleet.phone) as ann:
        assert ann.arrive("mail", "/letters").status_code == 200
        [received] = fleet.upstream.seen("/letters")
        assert received.one("X-Portward-Device-Fingerprint") == fleet.phone.fingerprint
        cookie = ann.cookie("mail")
    assert curl(fleet.gateway, "mail", "/", "-b", f"{COOKIE}={cookie}").status == 401
    with fleet.logged_in("ann") as bare:
        assert "second factor" in bare.arrive("mail").text.lower()


@pytest.mark.parametrize(
    ("rule", "forgery"),
    [
        ("device_expired", {"ended": timedelta(days=1)}),
        ("device_purpose", {"use": SERVER}),
        ("device_unknown", {"by_us": False}),
        ("device_revoked", {}),
    ],
    ids=["expired", "for servers", "of strangers", "signed with our key but never enrolled"],
)
def test_a_bad_certificate_is_refused_with_its_reason(fleet: Fleet, rule: str, forgery: dict[str, object]) -> None:
    bad, hits = fleet.machines.forged(**forgery), fleet.upstream.hits
    answer = bad.curl("lobby")
    assert (answer.status, json.loads(answer.body)["error"]) == (403, rule)
    [event] = fleet.gateway.wait_for_events(rule=rule, request_id=json.loads(answer.body)["request_id"])
    assert bad.fingerprint in event["detail"]
    assert bad.curl("shut").status == 0
    fleet.gateway.wait_for_events(rule=rule, host=fleet.gateway.host("shut"))
    assert fleet.upstream.hits == hits
    with fleet.logged_in("ann") as ann:
        ann.arrive("mail")
        assert bad.curl("mail", "/", "-b", f"{COOKIE}={ann.cookie('mail')}").status == 401


def test_a_handshake_is_refused_where_the_service_wants_that(fleet: Fleet) -> None:
    hits = fleet.upstream.hits
    for version in ("--tls-max=1.2", "--tlsv1.3"):
        refused = curl(fleet.gateway, "shut", "/", version.replace("=", " ").split()[0], *version.split("=")[1:])
        assert (refused.status, refused.body) == (0, "")
        assert refused.code != 0
    events = fleet.gateway.wait_for_events(2, rule="device_missing", sni=fleet.gateway.host("shut"))
    assert {event["gate"] for event in events} == {"TLS"}
    assert fleet.upstream.hits == hits
    assert fleet.phone.curl("shut").status == 200


def test_a_revoked_device_is_out_within_seconds_and_the_others_go_on(fleet: Fleet) -> None:
    lost, kept, before = fleet.machines.enrol("ann", "lost"), fleet.machines.enrol("ann", "kept"), worker(fleet.gateway)
    with fleet.logged_in("ann", lost) as thief, fleet.logged_in("ann", kept) as ann:
        for visitor in (thief, ann):
            assert visitor.arrive("vault").status_code == 200
            assert visitor.arrive("chat").status_code in (200, 426)
        with (
            open_socket(fleet.gateway, thief, "chat", device=lost) as goes,
            open_socket(fleet.gateway, ann, "chat", device=kept) as stays,
        ):
            assert is_alive(goes)
            started = time.monotonic()
            fleet.gateway.cli("device", "revoke", lost.id, "--yes")
            assert thief.fetch("vault").status_code == 403, "over the connection that was open before"
            wait_for_cut(goes, CUT_WITHIN)
            assert time.monotonic() - started < CUT_WITHIN
            assert is_alive(stays)
        answer = lost.curl("lobby")
        assert (answer.status, json.loads(answer.body)["error"]) == (403, "device_revoked")
        assert lost.curl("shut").status == 0
        assert ann.fetch("vault").status_code == 200
        assert kept.curl("lobby").status == 200
    assert worker(fleet.gateway) == before, "nothing of this may need a reload"
    fleet.gateway.wait_for_events(kind="DeviceChanged", name="lost", change="revoked", by="cli")


def test_the_revocation_list_is_published_and_in_force(fleet: Fleet) -> None:
    machine = fleet.machines.enrol("bob", "stolen")
    fleet.machines.revoke(machine)
    serial = openssl("x509", "-in", machine.certificate, "-noout", "-serial").partition("=")[2].strip()
    with fleet.gateway.visitor() as anybody:
        lists = [anybody.visit("auth", f"/devices.crl{kind}").content for kind in ("", "?form=pem")]
    authority = fleet.gateway.state / "devices" / "device.crt"
    file = machine.certificate.with_suffix(".crl")
    for content, form in zip(lists, ("DER", "PEM"), strict=True):
        file.write_bytes(content)
        shown = openssl("crl", "-in", file, "-inform", form, "-noout", "-text", "-CAfile", authority)
        assert serial in shown
    url = fleet.gateway.url("auth", "/devices.crl")
    assert url in openssl("x509", "-in", machine.certificate, "-noout", "-ext", "crlDistributionPoints")
    in_memory = fleet.gateway.runtime(f"show ssl crl-file {fleet.gateway.state}/edge/devices.crl:1")
    assert serial in in_memory


def test_a_disabled_account_loses_its_devices_and_gets_them_back(fleet: Fleet) -> None:
    fleet.gateway.add_account("cleo")
    machine = fleet.machines.enrol("cleo", "tablet")
    assert machine.curl("lobby").status == 200
    with fleet.gateway.admin() as admin:
        admin.patch("/accounts/cleo", {"disabled": True})
        assert machine.curl("lobby").status == 403
        admin.patch("/accounts/cleo", {"disabled": False})
        assert machine.curl("lobby").status == 200
        admin.delete("/accounts/cleo")
    assert machine.curl("lobby").status == 403


def test_a_device_that_expires_is_refused_over_an_open_connection(fleet: Fleet) -> None:
    fleet.gateway.change(devices={"lifetime": "2s"})
    short = fleet.machines.enrol("bob", "short")
    fleet.gateway.change(devices={"lifetime": "365d"})
    with fleet.gateway.visitor(device=short) as program:
        assert program.fetch("lobby").status_code == 200
        answer = wait_for(
            lambda: found if (found := program.fetch("lobby")).status_code == 403 else None, "the device to expire"
        )
        assert answer.json()["error"] in {"device_expired", "device_revoked"}
    assert json.loads(short.curl("lobby").body)["error"] == "device_expired"


def test_a_device_is_renewed_with_its_own_key(fleet: Fleet) -> None:
    machine = fleet.machines.enrol("bob", "server")
    out = machine.certificate.with_suffix(".new")
    fleet.gateway.cli("device", "renew", machine.id[:8], "--out", str(out))
    fresh = Machine(fleet.gateway, out, machine.key)
    assert fresh.fingerprint != machine.fingerprint
    assert fresh.curl("lobby").status == machine.curl("lobby").status == 200
    fleet.machines.revoke(machine)
    assert fresh.curl("lobby").status == machine.curl("lobby").status == 403


def test_a_file_for_a_device_opens_with_its_password_in_both_spellings(fleet: Fleet) -> None:
    for number, old in enumerate(([], ["--old"])):
        file = fleet.phone.key.with_suffix(f".{number}.p12")
        printed = fleet.gateway.cli("device", "enrol", f"pc {number}", "--account", "bob", "--p12", str(file), *old)
        password = next(line.strip() for line in printed.splitlines() if line.startswith("  "))
        opened = file.with_suffix(".both.pem")
        legacy = ["-legacy"] if old else []
        words = ["-passin", f"pass:{password}", "-nodes"]
        openssl("pkcs12", "-in", file, "-out", opened, *words, *legacy)
        assert curl(fleet.gateway, "lobby", "/", "--cert", str(opened)).status == 200
        assert oct(file.stat().st_mode)[-3:] == "600"


def test_certificates_survive_a_restart_of_the_edge(fleet: Fleet) -> None:
    gone = fleet.machines.enrol("bob", "gone")
    fleet.machines.revoke(gone)
    before = fleet.gateway.pids.master
    psutil.Process(before).kill()
    wait_for(lambda: fleet.gateway.pids.master != before and fleet.phone.curl("lobby").status == 200, "the next edge")
    assert gone.curl("lobby").status == 403
    assert gone.curl("shut").status == 0


def test_a_rule_that_is_new_holds_at_once_and_cuts_what_is_open_without_a_device(fleet: Fleet) -> None:
    services = fleet.gateway._services
    open_to_all = {**services, "chat": {**services["chat"], "device": "ignored"}}
    fleet.gateway.apply(open_to_all)
    with fleet.logged_in("ann") as ann:
        assert ann.arrive("chat").status_code in (200, 426)
        with open_socket(fleet.gateway, ann, "chat") as goes:
            assert is_alive(goes)
            fleet.gateway.apply(services)
            wait_for_cut(goes, CUT_WITHIN)
        assert curl(fleet.gateway, "chat", "/", "-b", f"{COOKIE}={ann.cookie('chat')}").status == 403
    assert fleet.phone.curl("lobby").status == 200


def test_a_new_certificate_of_the_host_goes_on_to_ask_for_the_device(fleet: Fleet) -> None:
    """HAProxy makes the host's TLS settings anew when its certificate is swapped."""
    file = fleet.gateway.state / "certificates" / f"{fleet.gateway.host('lobby')}.pem"
    pem = "\n".join(line for line in file.read_text().splitlines() if line)
    assert "ransaction" in fleet.gateway.runtime(f"set ssl cert {file} <<\n{pem}\n")
    assert "Success" in fleet.gateway.runtime(f"commit ssl cert {file}")
    assert curl(fleet.gateway, "lobby", "/").status == 403
    assert fleet.phone.curl("lobby").status == 200
    assert fleet.machines.forged(by_us=False).curl("lobby").status == 403


def test_a_request_with_a_weak_or_foreign_key_is_refused(fleet: Fleet) -> None:
    small, proofless = fleet.phone.key.with_suffix(".small"), fleet.phone.key.with_suffix(".bad")
    openssl("req", "-new", "-newkey", "rsa:1024", "-nodes", "-keyout", small, "-out", proofless, "-subj", "/CN=x")
    fleet.gateway.cli("device", "enrol", "weak", "--account", "bob", "--csr", str(proofless), expect=6)
    openssl("req", "-new", *EC, "-nodes", "-keyout", small, "-out", proofless, "-subj", "/CN=x")
    lines = proofless.read_text().splitlines()
    spoilt = lines[-2][:-8] + ("AAAA" if lines[-2][-8:-4] != "AAAA" else "BBBB") + lines[-2][-4:]
    proofless.write_text("\n".join([*lines[:-2], spoilt, lines[-1]]) + "\n")
    fleet.gateway.cli("device", "enrol", "weak", "--account", "bob", "--csr", str(proofless), expect=6)


def s_client(gateway: Gateway, host: str) -> str:
    place = ("-connect", f"127.0.0.1:{gateway.https_port}", "-servername", gateway.host(host))
    return openssl("s_client", *place, "-CAfile", gateway.root)
