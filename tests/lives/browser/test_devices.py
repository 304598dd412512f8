"""The life of a device in a browser: enrolled, used, revoked and refused, while another goes on."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, expect
from tests.lives.browser.chromium import Chromium, certificates_chosen_by_themselves
from tests.lives.browser.person import Person
from tests.lives.browser.site import SOCKET, Site
from tests.lives.conftest import short_directory
from tests.lives.gateway import Gateway
from tests.lives.machines import curl, openssl

BELIEVED = {"forwarded-for": ["127.0.0.0/8"]}


@pytest.fixture(scope="module")
def pier() -> Iterator[Gateway]:
    """A gateway with a service that demands a device, and one that takes it for a second factor."""
    with ExitStack() as stack:
        url = stack.enter_context(Site()).url
        services = {
            "vault": {"upstream": url, "device": "required"},
            "mail": {"upstream": url, "second-factor": True, "device": "second-factor"},
            "lobby": {"upstream": url, "access": "public", "device": "required"},
        }
        place = stack.enter_context(short_directory())
        gateway = stack.enter_context(Gateway(place, services, proxies=BELIEVED, devices={"approval": False}))
        gateway.enrol_owner().close()
        for name in ("ann", "bea"):
            gateway.add_account(name)
        stack.enter_context(certificates_chosen_by_themselves(gateway.domain))
        yield gateway


@pytest.fixture(scope="module")
def browser(playwright: Playwright, pier: Gateway) -> Iterator[Chromium]:
    with short_directory() as directory, Chromium(playwright, directory, pier) as running:
        yield running


def make_key_here(person: Person, name: str, directory: Path) -> tuple[Path, Path, str]:
    """Enrol with a key made in the browser. Returns the .p12, the .pem and the password."""
    person.open("auth", "/devices/new")
    person.page.locator("#own-name").fill(name)
    person.click("Make a key and enrol")
    expect(person.page.locator("[data-done]")).to_be_visible()
    files = []
    for link in ("Save it for browsers (.p12)", "Save it for curl (.pem)"):
        with person.page.expect_download() as download:
            person.click(link)
        files.append(directory / download.value.suggested_filename)
        download.value.save_as(files[-1])
    return files[0], files[1], person.page.locator("[data-done] code.secret").inner_text()


def test_the_life_of_a_device_in_a_browser(
    pier: Gateway, playwright: Playwright, browser: Chromium, tmp_path: Path
) -> None:
    with browser.person() as ann:
        ann.log_in("ann")
        ann.open("vault")
        ann.sees("Enrol this device first")
        ann.click("Enrol this device")
        ann.arrives("auth", "/devices/new")
        packed, pem, password = make_key_here(ann, "Work laptop", tmp_path)
        assert ann.complaints == []
        assert ann.saw_only_the_gateway()
        opened = openssl("pkcs12", "-in", packed, "-passin", f"pass:{password}", "-nodes")
        assert "BEGIN PRIVATE KEY" in opened
        assert "CN = Work laptop" in opened
    assert curl(pier, "lobby", "/", "--cert", str(pem)).status == 200
    with (
        short_directory() as home,
        Chromium(playwright, home, pier, (packed, password)) as enrolled,
        enrolled.person() as ann,
    ):
        ann.log_in("ann")
        ann.sees("Work laptop")
        ann.open("vault")
        ann.sees("Harbour")
        ann.open("mail")
        ann.sees("Harbour")
        ann.open("vault")
        assert ann.socket("vault", SOCKET) == "hello ann"
        with browser.person() as elsewhere:
            elsewhere.log_in("ann")
            elsewhere.page.get_by_role("link", name="Revoke Work laptop").click()
            elsewhere.click("Revoke it")
            elsewhere.sees("The device is revoked.")
        ann.page.wait_for_function("window.cut", timeout=5000)
        ann.page.reload()
        ann.sees("This device is let in no more")
    assert curl(pier, "lobby", "/", "--cert", str(pem)).status == 403
    pier.wait_for_events(kind="DeviceChanged", name="Work laptop", change="revoked", by="ann")


def test_a_file_that_the_gateway_made_can_be_saved_once_and_used(
    pier: Gateway, playwright: Playwright, browser: Chromium, tmp_path: Path
) -> None:
    with browser.person() as bea:
        bea.log_in("bea")
        bea.open("auth", "/devices/new")
        bea.page.get_by_text("A phone, a tablet or another computer").click()
        bea.page.locator("#file-name").fill("Desk")
        bea.page.get_by_label(re.compile("Android, Windows 10")).check()
        bea.click("Make the file")
        bea.sees("are shown only now")
        password, link = bea.page.locator("code.secret").inner_text(), bea.page.locator("a[download]")
        path = link.get_attribute("href")
        assert path
        with bea.page.expect_download() as download:
            link.click()
        download.value.save_as(tmp_path / "desk.p12")
        bea.open("auth", path)
        bea.sees("That file is gone")
    packed = tmp_path / "desk.p12"
    assert curl(pier, "lobby", "/", "--cert-type", "P12", "--cert", f"{packed}:{password}").status == 200
    with (
        short_directory() as home,
        Chromium(playwright, home, pier, (packed, password)) as desk,
        desk.person() as bea,
    ):
        bea.open("lobby")
        bea.sees("Harbour")


def test_a_device_that_needs_approval_is_taken_home_after_it(pier: Gateway, browser: Chromium, tmp_path: Path) -> None:
    pier.change(devices={"approval": True})
    pier.add_account("cleo")
    with browser.person() as cleo:
        cleo.log_in("cleo")
        cleo.open("auth", "/devices/new")
        cleo.page.get_by_text("A phone, a tablet or another computer").click()
        cleo.page.locator("#file-name").fill("Phone")
        cleo.page.get_by_label(re.compile("iPhone")).check()
        cleo.click("Ask for it")
        cleo.sees("Waits for approval")
        with pier.admin() as admin:
            [waiting] = admin.get("/devices", account="cleo")["devices"]
        pier.cli("device", "approve", waiting["id"][:8])
        cleo.open("auth", "/")
        cleo.page.get_by_role("link", name="Take it").click()
        cleo.page.get_by_label(re.compile("iPhone")).check()
        cleo.click("Make the file")
        with cleo.page.expect_download() as download:
            cleo.page.locator("a[download]").click()
        download.value.save_as(tmp_path / "phone.mobileconfig")
        assert cleo.complaints == []
    assert b"com.apple.security.pkcs12" in (tmp_path / "phone.mobileconfig").read_bytes()
    pier.change(devices={"approval": False})
