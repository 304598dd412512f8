"""What changes the network is felt in test_roaming.py of the lives; here is what no test can do: sleep."""

import asyncio

from portward.tunnels.client.network import Network


def test_waking_up_is_a_change() -> None:
    slept = 0.0

    async def wake_up() -> int:
        nonlocal slept
        async with Network(clock=lambda: slept) as network, asyncio.timeout(20):
            slept = 30.0
            await network.wait_for_change(0)
            return network.changes

    assert asyncio.run(wake_up()) >= 1


def test_whoever_listens_hears_of_it_as_long_as_they_do() -> None:
    slept = 0.0
    heard: list[str] = []

    async def wake_up() -> None:
        nonlocal slept
        async with Network(clock=lambda: slept) as network, asyncio.timeout(20):
            with network.calling(lambda: heard.append("a change")):
                slept = 30.0
                await network.wait_for_change(0)
                seen = network.changes
            slept = 60.0
            await network.wait_for_change(seen)

    asyncio.run(wake_up())
    assert heard == ["a change"]
