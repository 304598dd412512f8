"""A tunnel towards a port where nobody answers. How it carries anything is shown in the lives."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from portward.errors import Environment, Unreachable
from portward.tunnels.client.knownhosts import KnownHosts
from portward.tunnels.client.link import Door
from portward.tunnels.client.network import Network
from portward.tunnels.client.status import Status
from portward.tunnels.client.tunnel import Tunnel
from portward.tunnels.profiles.profile import Profile, Tcp

Make = Callable[..., Tunnel]


@pytest.fixture
def nobody(tmp_path: Path) -> Make:
    """`nobody(network, tell=…)`: bound, and so taken, but not listening."""

    def make(network: Network, dynamic: tuple[Tcp, ...] = (), **options: object) -> Tunnel:
        holder = socket.socket()
        holder.bind(("127.0.0.1", 0))
        profile = Profile("nobody", host="127.0.0.1", port=holder.getsockname()[1], dynamic=dynamic)
        holder.close()
        return Tunnel(profile, Door(KnownHosts(tmp_path / "known", []), {}), network, **options)  # type: ignore[arg-type]

    return make


def test_it_gives_up_after_as_many_failures_as_it_is_told(nobody: Make) -> None:
    states: list[Status] = []

    async def run() -> None:
        async with Network() as network:
            await nobody(network, retries=1, tell=states.append).run()

    with pytest.raises(Unreachable, match="Connection refused"):
        asyncio.run(run())
    assert [status.state for status in states] == ["connecting", "waiting", "connecting", "failed"]
    assert "Connection refused" in states[-1].problem


def test_a_change_of_the_network_ends_a_long_wait(nobody: Make) -> None:
    slept = 0.0
    tries = 0

    def tell(status: Status) -> None:
        nonlocal slept, tries
        tries += status.state == "connecting"
        # Wake up whenever it has settled down to wait.
        slept += 30 * (status.state == "waiting")

    async def run() -> None:
        async with Network(clock=lambda: slept) as network:
            await nobody(network, tell=tell).run()

    async def for_a_while() -> None:
        loop = asyncio.get_running_loop()
        running = asyncio.ensure_future(run())
        begun = loop.time()
        while tries < 8:
            await asyncio.sleep(0.05)
            # Seven waits, each of which a change ends within little more than a second. Without one they last 15 s.
            assert loop.time() - begun < 14
        running.cancel()
        await asyncio.wait((running,))

    asyncio.run(for_a_while())


def test_a_place_that_is_taken_is_no_matter_of_trying_again(nobody: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        async def run() -> None:
            async with Network() as network:
                await nobody(network, dynamic=(Tcp("", port),)).run()

        with pytest.raises(Environment, match=f"{port} is taken"):
            asyncio.run(run())
