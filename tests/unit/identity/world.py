"""A small world for identity: a real store in a directory of its own, a clock that stands still, an edge that listens.

@lived
async def test_something(world: World) -> None:
    await world.person("ann")
"""

import asyncio
import functools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyotp
from argon2 import PasswordHasher

from portward.config import Settings
from portward.errors import EdgeError
from portward.facts import Fact
from portward.identity.answers import Started
from portward.identity.gatekeeper import KeysChanged, no_ssh_server
from portward.identity.guessing import Guess, guess
from portward.identity.identity import Identity
from portward.identity.passwords import Passwords
from portward.model import Account, EdgeSession, Role, Session
from portward.store import Store
from portward.store.migrate import migrate_with, upgrade

GOOD = "velvet anchor ninety crickets"
BETTER = "quartz umbrella seven lanterns"
HOME = "198.51.100.4"
NONCE = "a nonce of the browser"

SETTINGS = Settings.model_validate(
    {
        "domain": "example.com",
        "services": {
            "hello": {"upstream": "demo", "access": "members"},
            "photos": {"upstream": "demo", "access": "group:family"},
            "vault": {"upstream": "demo", "access": "members", "second-factor": True},
        },
    }
)


async def weigh(password: str, words: Sequence[str]) -> Guess:
    """In this process: a test makes many accounts."""
    return guess(password, words)


class ListeningEdge:
    """Keeps what it is told. With `away` it can't be reached."""

    def __init__(self) -> None:
        self.sessions: dict[str, EdgeSession] = {}
        self.accounts: dict[str, Account] = {}
        self.cut: list[str] = []
        self.renewed: list[str] = []
        self.away = False
        self.on_admit: Callable[[], Awaitable[object]] | None = None

    async def admit(self, sessions: Sequence[EdgeSession]) -> None:
        self._listen()
        if self.on_admit:
            await self.on_admit()
        self.sessions.update({session.key: session for session in sessions})

    async def renew(self, sessions: Sequence[EdgeSession]) -> None:
        self._listen()
        self.renewed += [session.key for session in sessions]
        self.sessions.update({session.key: session for session in sessions})

    async def expel(self, keys: Sequence[str], session_ids: Sequence[str]) -> None:
        self._listen()
        self.cut += session_ids
        for key in keys:
            self.sessions.pop(key, None)

    async def know(self, accounts: Sequence[Account], forgotten: Sequence[str] = ()) -> None:
        self._listen()
        self.accounts.update({account.name: account for account in accounts})
        for name in forgotten:
            self.accounts.pop(name, None)

    def _listen(self) -> None:
        if self.away:
            raise EdgeError("the edge does not answer")


class World:
    def __init__(self, store: Store, directory: Path) -> None:
        self.store, self.edge = store, ListeningEdge()
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        self.facts: list[Fact] = []
        self.pauses: list[float] = []
        self.settings = SETTINGS
        self.passwords = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1), weigh)
        self._secret = directory / "secret.key"
        self.identity = self.identity_with(no_ssh_server)

    def identity_with(self, keys_changed: KeysChanged) -> Identity:
        return Identity(
            self.store,
            self._secret,
            lambda: self.settings,
            self.edge,
            self.record,
            lambda: self.now,
            self._pause,
            self.passwords,
            keys_changed,
        )

    async def record(self, fact: Fact) -> None:
        self.facts.append(fact)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def later(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts]

    async def person(self, name: str, *, role: Role = Role.MEMBER, groups: Sequence[str] = ()) -> Account:
        """Someone who can log in with `GOOD`."""
        for group in groups:
            if await self.store.groups.get(group) is None:
                await self.identity.groups.add(group, by="cli")
        return await self.identity.accounts.add_with_password(name, GOOD, by="cli", role=role, groups=groups)

    async def totp(self, name: str) -> tuple[str, list[str]]:
        """Turn TOTP on, and let that code's time pass. Returns the secret and the recovery codes."""
        offer = await self.identity.credentials.begin_totp(name)
        codes = await self.identity.credentials.confirm_totp(name, self.code(offer.secret))
        assert codes is not None
        self.later(minutes=2)
        return offer.secret, list(codes)

    def code(self, secret: str) -> str:
        return pyotp.TOTP(secret).at(self.now)

    async def login(self, name: str) -> tuple[str, Session]:
        answer = await self.identity.logins.password(name, GOOD, address=HOME, user_agent="Firefox")
        assert isinstance(answer, Started)
        return answer.token, answer.session

    async def visit(self, session: Session, host: str) -> str:
        """Go into a host. Returns its token."""
        code = await self.identity.sessions.hand_over(session, host, "/", NONCE)
        assert code is not None
        entered = await self.identity.sessions.enter(code, host, NONCE)
        assert entered is not None
        return entered.token


@asynccontextmanager
async def opened(directory: Path) -> AsyncIterator[World]:
    path = directory / "portward.db"
    path.write_bytes(_fresh_store())
    async with Store.open(path) as store:
        yield World(store, directory)


def lived(story: Callable[[World], Awaitable[None]]) -> Callable[[Path], None]:
    """Make a test of a story that happens in a world of its own."""

    async def live(directory: Path) -> None:
        async with opened(directory) as world:
            await story(world)

    def test(tmp_path: Path) -> None:
        asyncio.run(live(tmp_path))

    test.__name__, test.__doc__ = story.__name__, story.__doc__
    return test


@functools.cache
def _fresh_store() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "portward.db"
        migrate_with(path, upgrade)
        return path.read_bytes()
