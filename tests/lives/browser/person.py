"""Somebody at a browser: types, clicks, and notes what the pages complain about and whom they ask.

ann.log_in("ann")
ann.open("wiki", "/page?x=1")
assert ann.complaints == []
"""

import re
import time
from typing import Any
from urllib.parse import urlsplit

import pyotp
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, expect
from tests.lives.gateway import Gateway
from tests.lives.visitor import COOKIE, PASSWORD

_ANSWERED = "Failed to load resource"
"""What Chromium says of every answer of 400 and above, which the pages of refusals are meant to have."""
_OPEN_SOCKET = """url => new Promise(resolve => {
  window.said = []
  window.cut = false
  window.socket = new WebSocket(url)
  window.socket.onmessage = message => { window.said.push(message.data); resolve(message.data) }
  window.socket.onclose = () => { window.cut = true; resolve("refused") }
})"""


class Authenticator:
    """The app on somebody's phone. Codes count once each, so it looks into the next half minute if need be."""

    def __init__(self, secret: str) -> None:
        self._totp, self._last = pyotp.TOTP(secret.replace(" ", "")), 0

    def code(self) -> str:
        step = max(int(time.time()) // 30 - 1, self._last + 1)
        self._last = step
        return self._totp.at(step * 30)


class Person:
    def __init__(self, context: BrowserContext, gateway: Gateway) -> None:
        self.context, self.gateway = context, gateway
        self.complaints: list[str] = []
        self.hosts: set[str] = set()
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname or ""))
        self.page = context.new_page()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and _ANSWERED not in message.text:
            self.complaints.append(message.text)

    # ---- going places ----------------------------------------------------------------------------------------------

    def open(self, host: str, path: str = "/") -> None:
        self.page.goto(self.gateway.url(host, path))

    def new_tab(self) -> Page:
        """Open another tab, and look at it from now on."""
        self.page = self.context.new_page()
        return self.page

    def sees(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.locator("body")).to_contain_text(text)

    def arrives(self, host: str, path: str = "/") -> None:
        """Fails unless the browser stands there, with query and fragment, or gets there in time."""
        expect(self.page).to_have_url(self.gateway.url(host, path))

    def stands_on(self, host: str, path: str) -> None:
        """The same, whatever the query."""
        expect(self.page).to_have_url(re.compile(rf"^{re.escape(self.gateway.url(host, path))}(\?.*)?$"))

    # ---- doing things ----------------------------------------------------------------------------------------------

    def fill_login(self, name: str, password: str = PASSWORD) -> None:
        self.page.get_by_label("Account").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.click("Log in")

    def log_in(self, name: str, password: str = PASSWORD) -> None:
        """At the portal, without a service in mind."""
        self.open("auth", "/login")
        self.fill_login(name, password)
        self.sees("Your sessions")

    def enrol(self, link: str, name: str = "", password: str = PASSWORD) -> None:
        """Follow a one-time link; an owner chooses a name."""
        self.page.goto(link)
        if name:
            self.page.get_by_label("Account").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.locator("button.first").click()

    def turn_on_totp(self) -> tuple[Authenticator, list[str]]:
        """On the page that offers it: returns the app that was set up, and the recovery codes."""
        app = Authenticator(self.page.locator("code.secret").inner_text())
        self.enter_code(app.code(), "Turn it on")
        self.sees("Your recovery codes")
        return app, self.page.locator(".codes code").all_inner_texts()

    def enter_code(self, code: str, button: str = "Continue") -> None:
        self.page.get_by_label("6-digit code").fill(code)
        self.click(button)

    def click(self, name: str) -> None:
        """A button or a link of exactly this name."""
        button = self.page.get_by_role("button", name=name, exact=True)
        button.or_(self.page.get_by_role("link", name=name, exact=True)).first.click()

    def socket(self, host: str, path: str = "/socket") -> Any:
        """Open a WebSocket from the page that is open: returns its first message, or 'refused'."""
        return self.page.evaluate(_OPEN_SOCKET, self.gateway.url(host, path).replace("https", "wss"))

    def says(self, message: str) -> None:
        """Send over the socket, and wait for the echo."""
        self.page.evaluate("message => window.socket.send(message)", message)
        self.page.wait_for_function("message => window.said.includes(message)", arg=message)

    def cookie(self, host: str) -> Any:
        """Portward's cookie for a host, as the browser keeps it. None when there is none."""
        found = self.context.cookies(self.gateway.url(host))
        return next((cookie for cookie in found if cookie["name"] == COOKIE), None)

    def saw_only_the_gateway(self) -> bool:
        return all(host.endswith(f".{self.gateway.domain}") for host in self.hosts if host)
