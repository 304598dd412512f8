"""`play` runs one scenario in a fresh world: `play(scenario)` where `async def scenario(world: World) -> None`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.unit.portal.world import World, world

Scenario = Callable[[World], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Scenario], None]:
    async def in_world(scenario: Scenario) -> None:
        async with world(tmp_path) as made:
            await scenario(made)

    return lambda scenario: asyncio.run(in_world(scenario))
