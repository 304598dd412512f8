"""One's own devices on the portal: who may enrol, what is shown once, and that nobody reaches another's."""

from datetime import UTC, datetime, timedelta

import pyotp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from tests.unit.portal.browser import Browser
from tests.unit.portal.world import AUTH, HELLO, SETTINGS, World

from portward.config import Settings
from portward.model import Device, Package, Role
from portward.portal.device_lines import device_lines
from portward.portal.parcels import Parcels

NOW = datetime(2026, 11, 20, 13, tzinfo=UTC)
JSON = {"Accept": "application/json"}
PACKAGE = Package(b"content", "phone.p12", "application/x-pkcs12", "secret")


def csr() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return asked.public_bytes(serialization.Encoding.PEM).decode()


def ask(world: World, *, approval: bool) -> None:
    """Let a service ask for devices."""
    vault = {"upstream": "demo", "device": "required"}
    tables = {"devices": {"approval": approval}, "services": {**SETTINGS["services"], "vault": vault}}  # type: ignore[dict-item]
    world.settings = Settings.model_validate({**SETTINGS, **tables})


async def enrolled(world: World, browser: Browser, name: str = "laptop") -> Device:
    answer = await browser.post(f"{AUTH}/devices", {"name": name, "csr": csr()}, headers=JSON)
    assert answer.status_code == 201, answer.text
    return (await world.portal.devices.list("ann"))[0]


def test_home_speaks_of_devices_only_where_a_service_asks_for_them(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        assert "Your devices" not in (await browser.get(f"{AUTH}/")).text
        ask(world, approval=False)
        assert "Your devices" in (await browser.get(f"{AUTH}/")).text
        await enrolled(world, browser)
        page = (await browser.get(f"{AUTH}/")).text
        assert "laptop" in page
        assert "until 20 Nov 2027" in page

    play(scenario)


def test_only_the_page_that_makes_a_key_may_run_a_script_and_ask_the_gateway(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        policy = (await browser.get(f"{AUTH}/devices/new")).headers["Content-Security-Policy"]
        assert "script-src 'self'; connect-src 'self'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in (await browser.get(f"{AUTH}/")).headers["Content-Security-Policy"]

    play(scenario)


def test_a_script_gets_the_certificate_and_mistakes_as_json(play) -> None:
    async def scenario(world: World) -> None:
        ask(world, approval=False)
        await world.member()
        browser = await world.logged_in()
        answer = await browser.post(f"{AUTH}/devices", {"name": "Work laptop", "csr": csr()}, headers=JSON)
        assert answer.json()["file"] == "work-laptop"
        certificate = x509.load_pem_x509_certificate(answer.json()["certificate"].encode())
        assert certificate.subject.rfc4514_string() == "CN=Work laptop,UID=ann"
        again = await browser.post(f"{AUTH}/devices", {"name": "Work laptop", "csr": csr()}, headers=JSON)
        assert (again.status_code, "already" in again.json()["error"]) == (422, True)
        bad = await browser.post(f"{AUTH}/devices", {"name": "other", "csr": "nonsense"}, headers=JSON)
        assert (bad.status_code, "signing request" in bad.json()["error"]) == (422, True)

    play(scenario)


def test_whoever_has_an_authenticator_app_shows_a_fresh_code_first(play) -> None:
    async def scenario(world: World) -> None:
        ask(world, approval=False)
        totp = await world.member_with_totp()
        browser = await world.logged_in(totp=totp)
        assert "Enrol a device" in (await browser.get(f"{AUTH}/devices/new")).text
        world.later(minutes=11)
        page = await browser.get(f"{AUTH}/devices/new")
        assert "Confirm it is you" in page.text
        for headers in (JSON, {}):
            refused = await browser.post(f"{AUTH}/devices", {"name": "thief", "csr": csr()}, headers=headers)
            assert refused.status_code in (303, 403)
        assert await world.portal.devices.list() == []
        wrong = await browser.submit(page, code="000000")
        assert wrong.status_code == 422
        page = await browser.follow(await browser.submit(wrong, code=pyotp.TOTP(totp.secret).at(world.now)))
        assert "Enrol a device" in page.text
        await enrolled(world, browser)

    play(scenario)


def test_a_file_is_shown_once_to_the_session_that_asked_for_it(play) -> None:
    async def scenario(world: World) -> None:
        ask(world, approval=False)
        await world.member()
        browser, other = await world.logged_in(), await world.logged_in()
        page = await browser.post(f"{AUTH}/devices", {"name": "phone", "form": "p12"})
        assert "are shown only now" in page.text
        password = page.text.partition('<code class="secret">')[2].partition("<")[0]
        link = page.text.partition('href="/devices/file/')[2].partition('"')[0]
        assert (await other.get(f"{AUTH}/devices/file/{link}")).status_code == 410
        file = await browser.get(f"{AUTH}/devices/file/{link}")
        assert file.headers["Content-Type"] == "application/x-pkcs12"
        assert file.headers["Cache-Control"] == "no-store"
        pkcs12.load_key_and_certificates(file.content, password.encode())
        assert (await browser.get(f"{AUTH}/devices/file/{link}")).status_code == 410

    play(scenario)


def test_what_waits_for_approval_can_be_taken_after_it(play) -> None:
    async def scenario(world: World) -> None:
        ask(world, approval=True)
        await world.member()
        browser = await world.logged_in()
        page = await browser.follow(await browser.post(f"{AUTH}/devices", {"name": "phone", "form": "p12"}))
        assert "Waits for approval" in page.text
        [device] = await world.portal.devices.list("ann")
        assert (await browser.get(f"{AUTH}/devices/{device.id}/collect")).status_code == 404
        assert (await browser.post(f"{AUTH}/devices/{device.id}/collect", {"form": "p12"})).status_code == 404
        await world.portal.devices.approve(device.id, by="cli")
        assert "Make the file" in (await browser.get(f"{AUTH}/devices/{device.id}/collect")).text
        page = await browser.post(f"{AUTH}/devices/{device.id}/collect", {"form": "mobileconfig"})
        assert ".mobileconfig" in page.text

    play(scenario)


def test_nobody_reaches_the_devices_of_another_account(play) -> None:
    async def scenario(world: World) -> None:
        ask(world, approval=False)
        await world.member("ann", role=Role.OWNER)
        await world.member("bob")
        device = await enrolled(world, await world.logged_in("ann"))
        bob = await world.logged_in("bob")
        for path in ("revoke", "certificate", "collect"):
            assert (await bob.get(f"{AUTH}/devices/{device.id}/{path}")).status_code == 404
        for path in ("revoke", "renew", "collect"):
            assert (await bob.post(f"{AUTH}/devices/{device.id}/{path}", {"form": "p12"})).status_code == 404
        assert (await world.portal.devices.get(device.id)).state == "active"

    play(scenario)


def test_one_revokes_and_renews_ones_own(play) -> None:
    async def scenario(world: World) -> None:
        ask(world, approval=False)
        await world.member()
        browser = await world.logged_in()
        device = await enrolled(world, browser)
        world.later(days=340)
        browser = await world.logged_in()
        page = await browser.get(f"{AUTH}/")
        assert "Ends soon" in page.text
        page = await browser.follow(await browser.post(f"{AUTH}/devices/{device.id}/renew"))
        assert "new certificate" in page.text
        newest = (await world.portal.devices.list("ann"))[0]
        certificate = await browser.get(f"{AUTH}/devices/{newest.id}/certificate")
        assert certificate.text == newest.certificate
        page = await browser.submit(await browser.get(f"{AUTH}/devices/{newest.id}/revoke"))
        assert "The device is revoked." in (await browser.follow(page)).text
        assert {one.state for one in await world.portal.devices.list("ann")} == {"revoked"}

    play(scenario)


def test_everybody_may_fetch_the_revocation_list(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        der = await browser.get(f"{AUTH}/devices.crl")
        assert der.headers["Content-Type"] == "application/pkix-crl"
        assert x509.load_der_x509_crl(der.content) == x509.load_pem_x509_crl(
            (await browser.get(f"{AUTH}/devices.crl?form=pem")).content
        )

    play(scenario)


def test_a_service_host_leads_to_where_a_device_is_enrolled(play) -> None:
    async def scenario(world: World) -> None:
        answer = await world.browser().get(f"{HELLO}/.portward/devices")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{AUTH}/devices/new")

    play(scenario)


def test_a_login_on_the_way_to_a_service_that_takes_devices_asks_for_no_code_before(play) -> None:
    """The service's host sees the device, the portal does not; the edge asks for a code if there is none."""

    async def scenario(world: World) -> None:
        mail = {"upstream": "demo", "second-factor": True, "device": "second-factor"}
        world.settings = Settings.model_validate({**SETTINGS, "services": {"mail": mail}})
        await world.member()
        browser = await world.logged_in()
        page = await browser.follow(await browser.get("https://mail.example.com/.portward/start?to=%2Fin"))
        assert page.headers["Location"] == "https://mail.example.com/in"
        page = await browser.follow(await browser.get("https://mail.example.com/.portward/start?step=1&to=%2Fin"))
        assert "Add a second factor" in page.text

    play(scenario)


def test_a_parcel_is_taken_once_in_time_and_by_its_session() -> None:
    parcels = Parcels()
    ticket = parcels.keep(PACKAGE, "mine", NOW)
    assert parcels.take("guess", "mine", NOW) is None
    assert parcels.take(ticket, "yours", NOW) is None
    assert parcels.take(ticket, "mine", NOW) == PACKAGE
    assert parcels.take(ticket, "mine", NOW) is None
    late = parcels.keep(PACKAGE, "mine", NOW)
    assert parcels.take(late, "mine", NOW + timedelta(minutes=10)) is None


def test_there_are_only_so_many_parcels() -> None:
    parcels = Parcels()
    first = parcels.keep(PACKAGE, "mine", NOW)
    for _ in range(100):
        last = parcels.keep(PACKAGE, "mine", NOW)
    assert parcels.take(first, "mine", NOW) is None
    assert parcels.take(last, "mine", NOW) == PACKAGE


def test_home_shows_what_can_be_done_about_each_device() -> None:
    def device(name: str, **more: object) -> Device:
        return Device(name, "ann", name, NOW - timedelta(days=1), **more)  # type: ignore[arg-type]

    def held(name: str, days: int, **more: object) -> Device:
        return device(name, issued_at=NOW, expires_at=NOW + timedelta(days=days), **more)

    lines = device_lines(
        [
            device("asked"),
            device("ready", approved_at=NOW),
            held("fresh", 300, own_key=True, used_at=NOW),
            held("old", 10),
            held("over", -1),
            held("long over", -31),
            held("gone", 300, revoked_at=NOW),
        ],
        NOW,
        timedelta(days=30),
    )
    assert [(line.name, line.tag, line.collect, line.fetch, line.renew) for line in lines] == [
        ("asked", "Waits for approval", False, False, False),
        ("ready", "Ready", True, False, False),
        ("fresh", "", False, True, False),
        ("old", "Ends soon", False, False, True),
        ("over", "Expired", False, False, True),
    ]
    assert lines[2].detail.endswith("last used just now")
    assert lines[0].detail == "asked for 1 d ago"
