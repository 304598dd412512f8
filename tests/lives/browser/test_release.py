"""Somebody whom a detector banned by mistake gets free in Chromium; a real mail server and a virtual authenticator."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Playwright
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.person import Person
from tests.lives.browser.test_passkeys import SecurityKey, add_passkey
from tests.lives.gateway import Gateway
from tests.lives.places import short_directory
from tests.unit.host.mail_server import MailServer

BELIEVED = {"forwarded-for": ["127.0.0.0/8"]}
OFFICE, HOME, CAFE = "91.7.7.7", "91.7.7.8", "91.7.7.9"
"""Public addresses: private ones and those of documentation are banned by nobody."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MailServer]:
    with MailServer(tmp_path_factory.mktemp("mail")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(server: MailServer) -> Iterator[Gateway]:
    """Three wrong passwords are enough for a year here."""
    defence = {
        "release": ["passkey", "mail"],
        "detectors": {"login": {"tries": 3, "within": "1h", "ban": "365d"}},
    }
    with short_directory() as directory, ExitStack() as stack:
        services = {"hello": {"upstream": "demo"}, "open": {"upstream": "demo", "access": "public"}}
        running = stack.enter_context(
            Gateway(directory, services, proxies=BELIEVED, defence=defence, mail=server.table)
        )
        running.enrol_owner().close()
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, gateway: Gateway) -> Iterator[Chromium]:
    with short_directory() as directory, Chromium(playwright, directory, gateway) as running:
        yield running


def get_banned(gateway: Gateway, address: str) -> None:
    with gateway.visitor() as visitor:
        visitor.http.headers["X-Forwarded-For"] = address
        for _ in range(3):
            visitor.submit(visitor.visit("auth", "/login"), username="nobody", password="not this one, sorry")
    gateway.wait_for_events(kind="SourceBanned", source=address, by="detector")


def is_free(person: Person) -> None:
    person.click("Log in")
    person.sees("Account")
    person.stands_on("auth", "/login")


def test_a_passkey_lets_somebody_in_again_and_nothing_else_opens_before(gateway: Gateway, browser: Chromium) -> None:
    gateway.add_account("ann")
    with browser.person(OFFICE) as ann:
        ann.log_in("ann")
        SecurityKey(ann)
        add_passkey(ann, "phone")
        get_banned(gateway, OFFICE)
        ann.open("hello")
        ann.stands_on("auth", "/.portward/release")
        ann.sees(f"Something at {OFFICE}, your address, looked like an attack")
        ann.open("auth", "/login")
        ann.stands_on("auth", "/.portward/release")
        ann.click("Let me in with a passkey")
        ann.sees("free again")
        gateway.wait_for_events(kind="SourceReleased", source=OFFICE, account="ann", way="passkey")
        ann.open("hello")
        ann.sees("Hello, ann")
        assert ann.complaints == []


def test_a_mailed_link_lets_somebody_in_again(gateway: Gateway, browser: Chromium, server: MailServer) -> None:
    gateway.add_account("bea", email="bea@example.com")
    get_banned(gateway, HOME)
    with browser.person(HOME) as bea, browser.person(CAFE) as eve:
        bea.open("open")
        bea.stands_on("auth", "/.portward/release")
        bea.page.get_by_label("Account").fill("bea")
        bea.click("Mail me a link")
        bea.sees("If that account has a mail address")
        mail = server.wait_for(1)
        assert mail["To"] == "bea@example.com"
        link = re.search(r"https://\S+", mail.get_content())
        assert link
        eve.page.goto(link[0])
        eve.sees("Nothing to free here")
        bea.page.goto(link[0])
        bea.sees(f"opens the gate for {HOME} again")
        bea.click("Let this address in again")
        bea.sees("free again")
        is_free(bea)
        get_banned(gateway, HOME)
        bea.page.goto(link[0])
        bea.click("Let this address in again")
        bea.sees("That link is used up")
    written = [path.read_bytes() for path in Path(gateway.state).rglob("*") if path.is_file()]
    token = link[0].rpartition("token=")[2].encode()
    assert not any(token in content for content in written)
