"""One gateway and one Chromium for all tests with a browser; a person for each test.

`harbour`        the gateway, with services of every kind of access
`chromium`       the browser
`person`         somebody with an empty browser; at the end of the test nothing may have complained
`account`        makes an account with a name of its own

These live as long as the package, no longer: Playwright holds an event loop, which would be in the way of others.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Playwright, sync_playwright
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.person import Person
from tests.lives.browser.site import Site
from tests.lives.conftest import short_directory
from tests.lives.gateway import Gateway

BELIEVED = {"forwarded-for": ["127.0.0.0/8"]}
"""So that one person's wrong passwords make no other wait."""


class MakeAccount:
    """Makes an account with a name of its own, which can log in with the tests' password; returns the name."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.made: list[str] = []

    def __call__(self, **details: Any) -> str:
        self.made.append(f"ann{len(self.made)}")
        self._gateway.add_account(self.made[-1], **details)
        return self.made[-1]


@pytest.fixture(scope="package")
def harbour() -> Iterator[Gateway]:
    with Site() as site, short_directory() as directory:
        url = site.url
        services = {
            "wiki": {"upstream": url, "routes": [{"path": "/desk/", "access": "group:staff"}]},
            "notes": {"upstream": url},
            "staff": {"upstream": url, "access": "group:staff"},
            "vault": {"upstream": url, "second-factor": True},
            "open": {"upstream": url, "access": "public"},
        }
        with Gateway(directory, services, proxies=BELIEVED, tunnels={"approve-unknown-keys": True}) as running:
            running.enrol_owner().close()
            running.cli("group", "add", "staff")
            yield running


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="package")
def chromium(playwright: Playwright, harbour: Gateway) -> Iterator[Chromium]:
    with short_directory() as directory, Chromium(playwright, directory, harbour) as running:
        yield running


@pytest.fixture
def person(chromium: Chromium) -> Iterator[Person]:
    with chromium.person() as somebody:
        yield somebody
        assert somebody.complaints == []
        assert somebody.saw_only_the_gateway(), somebody.hosts


@pytest.fixture(scope="package")
def account(harbour: Gateway) -> MakeAccount:
    return MakeAccount(harbour)
