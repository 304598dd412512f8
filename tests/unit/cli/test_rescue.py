"""recover and migrate: on the host itself, over a real store, without a keeper."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from portward.config import Settings
from portward.host.paths import State
from portward.model import Account, Role
from portward.store import Store
from portward.store import migrate as migrated

Portward = Callable[..., Result]


@pytest.fixture
def store(state: Path) -> Path:
    """A store with one owner, who has a second factor."""
    path = State(state).database

    async def fill() -> None:
        await migrated(path)
        async with Store.open(path) as opened:
            await opened.accounts.add(Account("ann", role=Role.OWNER))
            await opened.credentials.offer_totp("ann", b"sealed")
            assert await opened.credentials.set_totp("ann", b"sealed", 1, ["hash"])

    asyncio.run(fill())
    return path


def kinds(path: Path) -> list[str]:
    async def read() -> list[str]:
        async with Store.open(path) as opened:
            return [event.kind for event in await opened.events.list()]

    return asyncio.run(read())


def has_totp(path: Path) -> bool:
    async def read() -> bool:
        async with Store.open(path) as opened:
            return await opened.credentials.totp("ann") is not None

    return asyncio.run(read())


def test_recover_prints_a_link_for_an_owner(portward: Portward, store: Path) -> None:
    result = portward("recover")
    assert result.exit_code == 0, result.stderr
    portal = Settings().url(Settings().portal_host)
    assert re.search(rf"\n  {re.escape(portal)}/enrol\?token=[\w-]{{20,}}\n", result.stdout)


def test_recover_works_in_spite_of_mistakes_in_the_configuration(portward: Portward, store: Path) -> None:
    Path("portward.toml").write_text("domain = 5")
    result = portward("recover")
    assert result.exit_code == 0, result.stderr
    assert "https://auth.DOMAIN/enrol?token=" in result.stdout


def test_recover_takes_the_host_from_the_last_good_configuration(portward: Portward, store: Path) -> None:
    Path("portward.toml").write_text("domain = 5")
    State(store.parent).last_good.write_text('domain = "example.com"')
    assert "https://auth.example.com:8443/enrol?token=" in portward("recover").stdout


def test_recover_drops_a_lost_second_factor(portward: Portward, store: Path) -> None:
    result = portward("recover", "--drop-second-factor", "ann")
    assert result.exit_code == 0, result.stderr
    assert not has_totp(store)
    assert kinds(store) == ["AccountChanged"]
    assert "ann has no second factor" in portward("recover", "--drop-second-factor", "ann").stdout


def test_recover_knows_who_is_not_there(portward: Portward, store: Path) -> None:
    assert portward("recover", "--drop-second-factor", "ben").exit_code == 4


@pytest.mark.parametrize("verb", ["recover", "migrate"])
def test_a_state_directory_without_a_store_is_not_made(portward: Portward, state: Path, verb: str) -> None:
    result = portward(verb)
    assert result.exit_code == 7
    assert "there is no store" in result.stderr
    assert not State(state).database.exists()


def test_migrate_says_when_there_is_nothing_to_do(portward: Portward, store: Path) -> None:
    result = portward("migrate")
    assert result.exit_code == 0, result.stderr
    assert "up to date already" in result.stdout
