"""A whole portal for one test: real store, real identity, no edge, and a clock that stands still until it is moved."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
from argon2 import PasswordHasher
from starlette.types import ASGIApp
from tests.unit.identity.world import weigh
from tests.unit.pki.public import PublicAuthority
from tests.unit.portal.browser import Browser

from portward.config import Settings
from portward.defense.enforcement import NullEnforcer
from portward.defense.exempt import Exemptions
from portward.defense.ledger import Ledger
from portward.defense.release import Release
from portward.errors import EdgeError
from portward.facts import Fact
from portward.host.mail import Mailer
from portward.identity.devices import Devices, NullGuard
from portward.identity.gatekeeper import NullGatekeeper
from portward.identity.identity import Identity
from portward.identity.passwords import Passwords
from portward.model import EdgeSession, Role
from portward.pki.enroller import Enroller
from portward.pki.minting import spell
from portward.portal.app import create_app
from portward.portal.portal import Portal
from portward.store import Store
from portward.tunnels.control import Control

ROOT = spell(PublicAuthority(datetime.now(UTC)).root)
PASSWORD = "lantern rope tide quarry"
AUTH = "https://auth.example.com"
HELLO = "https://hello.example.com"
SETTINGS = {
    "domain": "example.com",
    "listen": {"https": [":443"]},
    "services": {
        "hello": {"upstream": "demo"},
        "blog": {"upstream": "http://127.0.0.1:1", "access": "public"},
        "vault": {"upstream": "http://127.0.0.1:2", "second-factor": True},
        "family": {"upstream": "http://127.0.0.1:3", "access": "group:family"},
    },
}


class Gatekeeper(NullGatekeeper):
    """Can be told to be out of reach."""

    away = False

    async def admit(self, sessions: Sequence[EdgeSession]) -> None:
        if self.away:
            raise EdgeError("the edge does not answer")


@dataclass
class World:
    store: Store
    identity: Identity
    gatekeeper: Gatekeeper
    settings: Settings
    portal: Portal
    ledger: Ledger
    app: ASGIApp = None  # type: ignore[assignment]
    now: datetime = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
    facts: list[Fact] = field(default_factory=list)

    def clock(self) -> datetime:
        return self.now

    def configure(self, **tables: Any) -> None:
        self.settings = Settings.model_validate({**SETTINGS, **tables})

    def browser(self, address: str = "203.0.113.7") -> Browser:
        return Browser(self.app, address)

    def later(self, **time: int) -> None:
        self.now += timedelta(**time)

    async def member(self, name: str = "ann", *, role: Role = Role.MEMBER) -> None:
        await self.identity.accounts.add_with_password(name, PASSWORD, by="test", role=role)

    async def member_with_totp(self, name: str = "ann") -> pyotp.TOTP:
        """An account with an authenticator app; the app's newest code is unused."""
        await self.member(name)
        totp = pyotp.TOTP((await self.identity.credentials.begin_totp(name)).secret)
        assert await self.identity.credentials.confirm_totp(name, totp.at(self.now))
        self.later(minutes=2)
        return totp

    async def logged_in(self, name: str = "ann", totp: pyotp.TOTP | None = None) -> Browser:
        """A browser in which somebody has logged in."""
        browser = self.browser()
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username=name, password=PASSWORD)
        if totp:
            page = await browser.submit(page, code=totp.at(self.now))
        assert (await browser.follow(page)).status_code == 200
        return browser


@asynccontextmanager
async def world(database: Path) -> AsyncIterator[World]:
    """`database` is an up-to-date store without content."""
    settings, gatekeeper = Settings.model_validate(SETTINGS), Gatekeeper()
    async with Store.open(database) as store:
        made: World

        async def record(fact: Fact) -> None:
            made.facts.append(fact)

        async def record_all(facts: Sequence[Fact]) -> None:
            made.facts.extend(facts)

        async def pause(seconds: float) -> None:
            """Nobody waits in these tests."""

        identity = Identity(
            store,
            database.with_name("secret.key"),
            lambda: made.settings,
            gatekeeper,
            record,
            lambda: made.now,
            pause,
            Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), weigh),
        )
        control = Control(database.with_name("tunnels.sock"))
        devices = Devices(
            store,
            Enroller(database.with_name("devices"), lambda: made.now),
            NullGuard(),
            lambda: made.settings,
            record,
            lambda: made.now,
        )
        ledger = Ledger(store.bans, NullEnforcer(), Exemptions, record_all, lambda: made.now)
        release = Release(store.releases, ledger, lambda: made.settings.defence.release, record, lambda: made.now)
        portal = Portal(
            *(identity, store, lambda: made.settings, record, lambda: made.now, control, devices, ROOT),
            *(release, Mailer(lambda: made.settings.mail)),
        )
        made = World(store, identity, gatekeeper, settings, portal, ledger)
        made.app = create_app(made.portal)
        yield made
