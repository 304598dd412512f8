"""No secret of a person reaches a log, an event or a program's output."""

import re
from pathlib import Path

from playwright.sync_api import Playwright
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.person import Person
from tests.lives.conftest import MakeGateway, short_directory
from tests.lives.gateway import Gateway
from tests.lives.visitor import PASSWORD

WRONG = "a password of another place"
NEW = "basalt violin under seven clouds"


def test_no_secret_is_written_down(playwright: Playwright, make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"hello": {"upstream": "demo"}, "vault": {"upstream": "demo", "second-factor": True}})
    owner_link = gateway.out.wait_for_line(r"https://auth\S+/enrol\S+")[0]
    with short_directory() as home, Chromium(playwright, home, gateway) as chromium, chromium.person() as person:
        secrets = live_a_day(gateway, person, owner_link)
    requests = gateway.access_log
    assert {"/enrol", "/login", "/.portward/enter", "/account/password"} <= {request["path"] for request in requests}
    assert len(secrets) > 20
    assert all(len(secret) > 10 for secret in secrets)
    for place, text in written(gateway, owner_link).items():
        found = [secret for secret in secrets if secret in text]
        assert not found, f"{found} in {place}"


def live_a_day(gateway: Gateway, person: Person, owner_link: str) -> set[str]:
    """Do what a person does with secrets, and return the secrets."""
    secrets = {PASSWORD, WRONG, NEW, token_in(owner_link)}
    person.context.on("request", lambda request: secrets.update(re.findall(r"[?&](?:code|nonce)=([^&]+)", request.url)))
    person.enrol(owner_link, "grace")
    secrets.add(person.page.locator("code.secret").inner_text().replace(" ", ""))
    _, codes = person.turn_on_totp()
    secrets.update(codes)
    remember_cookies(person, secrets)
    person.click("I have kept them")
    person.page.goto(owner_link)
    person.sees("This link is used up")
    person.open("vault", "/gold")
    person.arrives("vault", "/gold")
    remember_cookies(person, secrets)
    person.open("auth", "/account/password")
    person.page.get_by_label("Current password").fill(PASSWORD)
    person.page.get_by_label("New password").fill(NEW)
    person.click("Change it")
    person.sees("Your password is changed")
    person.click("Log out")
    person.open("hello")
    remember_cookies(person, secrets)
    person.fill_login("grace", WRONG)
    person.sees("do not match")
    person.fill_login(WRONG, "and the name beside it")
    person.sees("do not match")
    person.fill_login("grace", NEW)
    person.page.get_by_text("Use a recovery code instead").click()
    person.page.get_by_label("Recovery code").fill(codes[0])
    person.click("Continue with this code")
    person.sees("Hello, grace")
    remember_cookies(person, secrets)
    secrets.update(token_in(line) for line in gateway.cli("account", "add", "bob").splitlines() if "/enrol" in line)
    return secrets


def token_in(link: str) -> str:
    return link.rpartition("token=")[2].strip()


def remember_cookies(person: Person, secrets: set[str]) -> None:
    secrets.update(cookie["value"].removeprefix("start.").partition(".")[0] for cookie in person.context.cookies())


def written(gateway: Gateway, owner_link: str) -> dict[str, str]:
    """Everything that is written for people to read, and everything of the state but what must be secret to work."""
    gateway.stop()
    files = {str(path): read(path) for path in gateway.state.rglob("*") if path.is_file()}
    return {**files, "stdout": gateway.out.text.replace(owner_link, ""), "stderr": gateway.err.text}


def read(path: Path) -> str:
    return path.read_bytes().decode("latin-1")
