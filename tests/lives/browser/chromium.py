"""Chromium without a window, in a home of its own that trusts the gateway's authority and reaches nobody else.

with sync_playwright() as playwright, Chromium(playwright, directory, gateway) as chromium:
    with chromium.person() as ann:
        ann.open("wiki")

Every person has an empty browser context, and an address of their own where the gateway believes X-Forwarded-For.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from playwright.sync_api import Browser, BrowserContext, Playwright
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway

_SWITCHES = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)
_LANGUAGE = "en-GB"
_POLICIES = Path("/etc/chromium/policies/managed")


class Chromium:
    def __init__(
        self, playwright: Playwright, directory: Path, gateway: Gateway, device: tuple[Path, str] | None = None
    ) -> None:
        """`device` is a .p12 file and its password, imported as somebody would before they start the browser."""
        self._playwright, self._directory, self._gateway, self._device = playwright, directory, gateway, device
        self._addresses = (f"198.51.100.{number}" for number in count(1))

    def __enter__(self) -> Self:
        database = _trust(self._directory, self._gateway.root)
        if self._device:
            file, password = self._device
            subprocess.run(["pk12util", "-d", database, "-i", file, "-W", password], check=True, capture_output=True)
        self._browser: Browser = self._playwright.chromium.launch(**self._options)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._browser.close()

    @contextmanager
    def person(self, address: str = "", **options: Any) -> Iterator[Person]:
        """Somebody with an empty browser; options as Playwright's `new_context` takes them."""
        headers = {"X-Forwarded-For": address or next(self._addresses)}
        context = self._browser.new_context(locale=_LANGUAGE, extra_http_headers=headers, **options)
        with _closing(context):
            yield Person(context, self._gateway)

    @contextmanager
    def person_without_cookies(self) -> Iterator[Person]:
        """Somebody whose browser keeps no cookie of anybody."""
        profile = self._directory / "no-cookies"
        (profile / "Default").mkdir(parents=True)
        blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
        (profile / "Default" / "Preferences").write_text(json.dumps(blocked))
        context = self._playwright.chromium.launch_persistent_context(profile, locale=_LANGUAGE, **self._options)
        with _closing(context):
            yield Person(context, self._gateway)

    @property
    def _options(self) -> dict[str, Any]:
        domain = self._gateway.host("*")
        rules = f"--host-resolver-rules=MAP {domain} 127.0.0.1, MAP * ~NOTFOUND"
        return {
            "executable_path": shutil.which("chromium"),
            "args": [*_SWITCHES, rules],
            "env": {**os.environ, "HOME": str(self._directory)},
        }


@contextmanager
def _closing(context: BrowserContext) -> Iterator[None]:
    context.set_default_timeout(20_000)
    try:
        yield
    finally:
        context.close()


@contextmanager
def certificates_chosen_by_themselves(domain: str) -> Iterator[None]:
    """Nobody is there to answer which certificate to show, so that Chromium takes the one that fits (its policy file).

    Needs root: such a file counts for every Chromium of the machine, and is taken away again.
    """
    file = _POLICIES / f"portward-tests-{os.getpid()}.json"
    if os.geteuid() != 0:
        raise PermissionError(f"the tests with certificates in the browser write {file}, and must run as root")
    _POLICIES.mkdir(parents=True, exist_ok=True)
    pattern = json.dumps({"pattern": f"https://[*.]{domain}", "filter": {}})
    file.write_text(json.dumps({"AutoSelectCertificateForUrls": [pattern]}))
    try:
        yield
    finally:
        file.unlink()


def _trust(home: Path, root: Path) -> str:
    """Make the authority one of this home's own (Chromium on Linux asks the home's NSS database). Returns its name."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    name = f"sql:{database}"
    subprocess.run(["certutil", "-d", name, "-N", "--empty-password"], check=True)
    subprocess.run(["certutil", "-d", name, "-A", "-t", "C,,", "-n", "portward", "-i", root], check=True)
    return name
