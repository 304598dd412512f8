"""Portward on a machine of the benchmark's own network, as `portward up` starts it.

with gateway(place, host, settings) as subject:
    subject.ask("POST", "/bans", {"source": "91.64.0.1"})

`settings` is text of portward.toml beside the listeners. Limits are raised out of the way of one client.
"""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from pathlib import Path
from typing import Any

from tests.lives.network import Host

from bench.processes import Programs, running
from bench.products.portward import programs_of, wait_for_keeper
from portward.cli.client import keeper
from portward.host.paths import State
from portward.model import Ban
from portward.store import Store, migrate

DOMAIN = "portward.localhost"
PORT = 443
_AT_ONCE = 20_000
_PATIENCE = 30.0
PLENTY = """\
[limits]
connections = 1_000_000
new-connections = 10_000_000
requests = 10_000_000
session-requests = 10_000_000
max-connections = 8000
"""


@dataclass(frozen=True)
class Subject:
    """`ready` is how many seconds the start took."""

    state: State
    programs: Programs
    host: Host
    ready: float

    def get(self, path: str, **parameters: Any) -> Any:
        with keeper(self.state.directory) as asked:
            return asked.get(path, **parameters)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        with keeper(self.state.directory) as asked:
            return asked.post(path, dict(body or {}))

    def wait_for_log(self, log: Path) -> None:
        """Return when lines of this log are read. Of a log that is new to it, only those count that come then."""
        deadline = time.monotonic() + _PATIENCE
        with log.open("a") as out:
            while not self._lines_of(log):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{log} is not read")
                out.write("Jan  1 00:00:00 gate nobody: nothing\n")
                out.flush()
                time.sleep(0.05)

    def _lines_of(self, log: Path) -> int:
        logs = self.get("/defence")["logs"]
        return sum(int(one["lines"]) for one in logs if one["place"] == str(log))


@contextmanager
def gateway(place: Path, host: Host, settings: str, *, core: int) -> Iterator[Subject]:
    """Run it there. The state directory may have been filled before."""
    state, config = State(place / "state"), place / "portward.toml"
    config.write_text(f'domain = "{DOMAIN}"\n[listen]\nhttps = [":{PORT}"]\nhttp = [":80"]\n{PLENTY}{settings}')
    command = (
        *(*host.prefix, sys.executable, "-m", "portward.supervisor"),
        *("--config", str(config), "--state", str(state.directory)),
    )
    began = time.monotonic()
    with running(command, core=core, log=place / "output") as supervisor:
        wait_for_keeper(state, supervisor)
        yield Subject(state, programs_of(state, supervisor), host, time.monotonic() - began)


def fill(state: State, bans: int) -> None:
    """Put so many bans into the store, before the start."""
    asyncio.run(_fill(state, bans))


async def _fill(state: State, count: int) -> None:
    state.prepare()
    await migrate(state.database)
    now = datetime.now(UTC)
    async with Store.open(state.database) as store:
        made = (Ban(source, "benchmark", "import", now, now + timedelta(days=300)) for source in banned(count))
        while some := list(islice(made, _AT_ONCE)):
            await store.bans.save(some)


def banned(count: int) -> Iterator[str]:
    """Four IPv4 addresses and then an IPv6 /64, from all over, where no test client is."""
    for number in range(count):
        if number % 5 == 4:
            yield f"{IPv6Address('2a00::') + (number << 64)}/64"
        else:
            yield str(IPv4Address("101.0.0.0") + 59 * number)
