"""Portward itself, started as `portward up` starts it, with every gate on and full maps."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.processes import has_ended, running
from bench.products.command import version_of
from bench.products.product import Product, Running
from bench.seed import banned_addresses, foreign_networks, seed
from bench.stage import COOKIE_NAME, Stage, fetch, free_port, wait_for_answer
from portward.host.paths import State

SESSIONS, ADDRESSES, NETWORKS = 100_000, 100_000, 500_000
LOADING = 120.0
"""Seconds that the start may take with all of these."""


@contextmanager
def start(stage: Stage) -> Iterator[Running]:
    place = stage.place("portward")
    state = State(place / "state")
    cookie = f"{COOKIE_NAME}={asyncio.run(seed(state, SESSIONS))}"
    port = free_port()
    config = place / "portward.toml"
    config.write_text(_config(stage, port))
    (place / "bans.txt").write_text("\n".join(map(str, banned_addresses(ADDRESSES))))
    (place / "countries.txt").write_text("\n".join(map(str, foreign_networks(NETWORKS))))
    command = [sys.executable, "-m", "portward.supervisor", "--config", str(config), "--state", str(state.directory)]
    with running(command, core=stage.cores.product, log=place / "output") as supervisor:
        authority = state.authority / "root.crt"
        wait_for_answer(supervisor, port, authority, cookie, timeout=LOADING)
        wait_for_keeper(state, supervisor)
        _refuse_strangers(port, authority)
        yield Running(port, programs_of(state, supervisor), authority, cookie, state.haproxy_cfg)


def _config(stage: Stage, port: int) -> str:
    # Limits are counted and compared as ever, and only set so high that the load generator does not reach them.
    return f"""\
domain = "portward.localhost"
[listen]
https = ["127.0.0.1:{port}"]
http = ["127.0.0.1:{free_port()}"]
[tls]
minimum = "1.3"
[limits]
connections = 10_000_000
new-connections = 10_000_000
requests = 10_000_000
session-requests = 10_000_000
[services.bench]
upstream = "http://127.0.0.1:{stage.upstream_port}"
access = "members"
[defence]
deny-files = ["bans.txt", "countries.txt"]
"""


def _refuse_strangers(port: int, authority: Path) -> None:
    """Raises AssertionError when a request without a session is let in: then nothing that follows counts."""
    status, _ = fetch(port, authority, "theme=dark")
    if status != 401:
        raise AssertionError(f"a request without a session got {status}, not 401")


def wait_for_keeper(state: State, supervisor: int) -> None:
    """The edge serves before the keeper has done all that a start takes; the admin socket comes last."""
    deadline = time.monotonic() + LOADING
    while time.monotonic() < deadline and not has_ended(supervisor):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(str(state.admin_socket)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the keeper did not become ready")


def programs_of(state: State, supervisor: int) -> dict[str, int]:
    """The supervisor notes which process is which in its run directory."""
    names = ("edge", "keeper", "recorder")
    return {name: int(state.pid_file(name).read_text().split()[0]) for name in names} | {"supervisor": supervisor}


WHOLE = Product(
    name="portward",
    title="Portward",
    guarded=True,
    start=start,
    version=partial(version_of, sys.executable, "-c", "import importlib.metadata as m; print(m.version('portward'))"),
)
