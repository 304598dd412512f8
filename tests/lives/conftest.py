"""Gateways for the tests: one for all who only look, and as many as they like for those who break things.

`gateway`         shared by every test of the session; make accounts and visitors of your own, change nothing else
`busy`            a gateway under change: see busy.py
`upstream`        the service behind the shared gateway
`make_gateway`    `make_gateway({"wiki": {...}}, limits={"requests": 5})`: started, and stopped cleanly after the test
`make_upstream`   `make_upstream()`: running, and stopped after the test
`network`         machines with public addresses of the test file's own: see network.py
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tests.lives.busy import Busy, busy_gateway
from tests.lives.gateway import Gateway, free_ports
from tests.lives.network import Network
from tests.lives.places import short_directory
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor

MakeGateway = Callable[..., Gateway]


def services(upstream: Upstream, *, nobody: int) -> dict[str, object]:
    """The services of the shared gateway. Nothing listens on the port `nobody`."""
    url = upstream.url
    return {
        "wiki": {"upstream": url},
        "open": {"upstream": url, "access": "public"},
        "staff": {"upstream": url, "access": "group:staff"},
        "vault": {"upstream": url, "second-factor": True},
        "stepped": {"upstream": url, "routes": [{"path": "/deep/", "second-factor": True}]},
        "mixed": {"upstream": url, "routes": [{"path": "/public/", "access": "public"}]},
        "mostly": {"upstream": url, "access": "public", "routes": [{"path": "/admin/", "access": "members"}]},
        "apps": {
            "upstream": url,
            "path": "/app1/",
            "strip": True,
            "access": "public",
            "routes": [{"path": "/deep/app2/", "strip": True, "access": "members"}],
        },
        "narrow": {"upstream": url, "paths": ["/api/", "/echo/"]},
        "zipped": {"upstream": url, "access": "public", "compress": True},
        "hasty": {"upstream": url, "access": "public", "timeout": "1s"},
        "down": {"upstream": f"http://127.0.0.1:{nobody}"},
    }


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(scope="session")
def gateway(upstream: Upstream) -> Iterator[Gateway]:
    with short_directory() as directory, Gateway(directory, services(upstream, nobody=free_ports(1)[0])) as running:
        running.enrol_owner().close()
        yield running


@pytest.fixture(scope="session")
def ann(gateway: Gateway) -> Iterator[Visitor]:
    """A member of no group, logged in. Shared: she must stay so."""
    gateway.add_account("ann", display_name="Ann Example", email="ann@example.com")
    with gateway.log_in("ann") as visitor:
        yield visitor


@pytest.fixture
def stranger(gateway: Gateway) -> Iterator[Visitor]:
    """Somebody without a session."""
    with gateway.visitor() as visitor:
        yield visitor


@pytest.fixture(scope="session")
def busy() -> Iterator[Busy]:
    """Shared by tests that change it and put it back: the usual services, every program alive, ann logged in."""
    with busy_gateway() as running:
        yield running


@pytest.fixture
def make_gateway() -> Iterator[MakeGateway]:
    with ExitStack() as stack:
        yield lambda services, **tables: stack.enter_context(
            Gateway(stack.enter_context(short_directory()), services, **tables)
        )


@pytest.fixture
def make_upstream() -> Iterator[Callable[[], Upstream]]:
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Upstream())


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with Network() as made:
        yield made
