"""`play` runs one scenario in a fresh world: `play(scenario)` where `async def scenario(world: World) -> None`."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.portal.world import World, world

from portward.store.migrate import migrate

Scenario = Callable[[World], Awaitable[None]]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without content, made once."""
    path = tmp_path_factory.mktemp("store") / "portward.db"
    asyncio.run(migrate(path))
    return path


@pytest.fixture
def play(tmp_path: Path, empty_store: Path) -> Callable[[Scenario], None]:
    async def in_world(scenario: Scenario) -> None:
        async with world(Path(shutil.copy(empty_store, tmp_path))) as made:
            await scenario(made)

    return lambda scenario: asyncio.run(in_world(scenario))
