"""What many bans cost the keeper: to take them over from a list, and to bring them into force at a start.

taken = importing(place, network, 100_000)          # seconds of `portward ban import`
started = starting(place, network, 1_000_000)       # Started(first=…, again=…, memory={'edge': …})
"""

import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.lives.network import Network

from bench.defence.subject import banned, fill, gateway
from bench.processes import resident_mb
from portward.host.paths import State

_CORE = 0


@dataclass(frozen=True)
class Started:
    """Seconds until the gateway serves, at first and after a stop; resident MB of each program then."""

    bans: int
    first: float
    again: float
    memory: Mapping[str, float]


def importing(place: Path, network: Network, count: int) -> float:
    """Into a gateway without a ban."""
    place.mkdir()
    names = place / "list.txt"
    names.write_text("".join(f"{source}\n" for source in banned(count)))
    command = (Path(sys.executable).with_name("portward"), "ban", "import", "--for", "30d", str(names))
    with gateway(place, network.host("45.90.2.1"), "", core=_CORE) as subject:
        began = time.monotonic()
        subprocess.run(
            [*command, "--state", str(subject.state.directory), "--config", str(place / "portward.toml")],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        took = time.monotonic() - began
        total = subject.get("/bans", limit=0)["total"]
    if total != count:
        raise RuntimeError(f"{total} of {count} bans were taken over")
    return took


def starting(place: Path, network: Network, count: int) -> Started:
    """With so many bans in the store, twice."""
    place.mkdir()
    fill(State(place / "state"), count)
    host = network.host(f"45.90.2.{len(network.hosts) + 2}")
    with gateway(place, host, "", core=_CORE) as first:
        pass
    with gateway(place, host, "", core=_CORE) as again:
        return Started(count, first.ready, again.ready, resident_mb(again.programs))
