"""Pictures of the portal for the README and the documentation, taken from a real gateway: `scripts/screenshots`.

take(Path("docs/images"))        # login.png, login-dark.png, home.png, …
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import BELIEVED
from tests.lives.browser.person import Authenticator, Person
from tests.lives.conftest import short_directory
from tests.lives.gateway import Gateway

SERVICES: dict[str, dict[str, Any]] = {
    "photos": {"upstream": "demo", "access": "group:family"},
    "recipes": {"upstream": "demo"},
    "music": {"upstream": "demo"},
    "wiki": {"upstream": "demo"},
    "ledger": {"upstream": "demo", "access": "owners", "second-factor": True},
    "blog": {"upstream": "demo", "access": "public"},
}
_DESKTOP = {"viewport": {"width": 1120, "height": 760}}
_TALL = {"viewport": {"width": 1120, "height": 960}}
_PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
_IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) AppleWebKit/605.1 Version/26.0 Mobile Safari/604.1"
_ANDROID = "Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0"


class Studio:
    """Takes the pictures of one gateway."""

    def __init__(self, gateway: Gateway, chromium: Chromium, directory: Path) -> None:
        self._gateway, self._chromium, self._directory = gateway, chromium, directory
        gateway.cli("group", "add", "family")
        gateway.add_account("ann", display_name="Ann Harper", role="owner", groups=["family"])
        gateway.add_account("ben", display_name="Ben Harper")

    def take_all(self) -> None:
        self._login("light", "login")
        self._login("dark", "login-dark")
        app = self._totp()
        self._second_factor()
        self._home(app)
        self._phone()
        self._closed_door()
        self._demo()

    def _login(self, scheme: str, name: str) -> None:
        with self._visitor(color_scheme=scheme, **_DESKTOP) as visitor:
            visitor.open("recipes")
            visitor.page.get_by_label("Account").fill("ann")
            self._save(visitor, name)

    def _totp(self) -> Authenticator:
        with self._visitor(**_TALL) as ann:
            ann.log_in("ann")
            ann.click("Turn on the authenticator app")
            self._save(ann, "totp")
            app, _ = ann.turn_on_totp()
            ann.click("I have kept them")
            ann.click("Log out")
            ann.sees("You are logged out.")
            return app

    def _second_factor(self) -> None:
        with self._visitor(**_DESKTOP) as ann:
            ann.open("ledger")
            ann.fill_login("ann")
            ann.sees("One more step")
            self._save(ann, "second-factor")

    def _home(self, app: Authenticator) -> None:
        with self._visitor("198.51.100.24", user_agent=_ANDROID) as phone, self._visitor(**_TALL) as ann:
            phone.open("auth", "/login")
            phone.fill_login("ann")
            phone.enter_code(app.code())
            phone.sees("Your services")
            ann.open("auth", "/login")
            ann.fill_login("ann")
            ann.enter_code(app.code())
            ann.sees("Your services")
            self._save(ann, "home", full_page=True)

    def _phone(self) -> None:
        with self._visitor("198.51.100.24", color_scheme="dark", user_agent=_IPHONE, **_PHONE) as ben:
            ben.log_in("ben")
            self._save(ben, "home-phone")

    def _closed_door(self) -> None:
        with self._visitor(**_DESKTOP) as ben:
            ben.open("photos", "/2026/summer")
            ben.fill_login("ben")
            ben.sees("not open to you")
            self._save(ben, "forbidden")

    def _demo(self) -> None:
        with self._visitor(**_TALL) as ben:
            ben.open("wiki", "/?page=start")
            ben.fill_login("ben")
            ben.sees("Hello")
            self._save(ben, "demo")

    @contextmanager
    def _visitor(self, address: str = "203.0.113.42", **options: Any) -> Iterator[Person]:
        with self._chromium.person(address, reduced_motion="reduce", **options) as person:
            yield person

    def _save(self, person: Person, name: str, *, full_page: bool = False) -> None:
        path = self._directory / f"{name}.png"
        person.page.screenshot(path=path, caret="hide", animations="disabled", full_page=full_page)


def take(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with (
        short_directory() as place,
        short_directory() as home,
        Gateway(place, SERVICES, domain="example.com", proxies=BELIEVED) as gateway,
        sync_playwright() as playwright,
        Chromium(playwright, home, gateway) as chromium,
    ):
        Studio(gateway, chromium, directory).take_all()


if __name__ == "__main__":
    take(Path(sys.argv[1]))
