"""`make_server(keys, services, **policy)`: started, and stopped cleanly after the test. `web`: where tunnels lead."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from tests.lives.places import short_directory
from tests.lives.sshd.server import TunnelServer
from tests.lives.upstream import Upstream

from portward.tunnels.rules import ServiceRule

MakeServer = Callable[..., TunnelServer]


@pytest.fixture
def make_server() -> Iterator[MakeServer]:
    with ExitStack() as stack:

        def make(
            keys: Mapping[str, Mapping[str, Any]], services: tuple[ServiceRule, ...] = (), **policy: Any
        ) -> TunnelServer:
            directory = stack.enter_context(short_directory())
            return stack.enter_context(TunnelServer(directory, keys, services, **policy))

        yield make


@pytest.fixture(scope="session")
def web() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running
