"""What the supervisor runs, and when it tries again.

recorder, keeper, tunnels, edge = all_programs(Path("portward.toml"), state)
pause_before_restart(1)                   # 0.0: the first time at once
"""

import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from portward.host.paths import State
from portward.host.processes import find_program

HEALTHY_AFTER = 10.0
"""Seconds of life after which earlier deaths of a program no longer count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program. They start in their order and stop in reverse.

    `reports`: speaks sd_notify to the supervisor, announces itself until it was ready once, gets SIGHUP (the keeper).
    `needs`: a file that the reporting program writes before it says X_EDGE=configured; an older one will do when
    that program can't (the edge).
    `listens`: sockets that the supervisor holds for it, so that they outlive it.
    `wish`: it runs only while the reporting program says so: `X_TUNNELS=wanted`, until `X_TUNNELS=unwanted`. Whether it
    can run is its own matter: its deaths never end a start. `wanted_by` is a file that is there as long as the wish is,
    for a start at which the reporting program does not come up.
    `filters`: it may change the kernel's packet filter, where the supervisor may.
    `shelf`: it may leave sockets with the supervisor, and gets them back at its next start.
    """

    name: str
    argv: tuple[str, ...]
    reports: bool = False
    needs: Path | None = None
    listens: tuple[Path, ...] = ()
    wish: str = ""
    wanted_by: Path | None = None
    shelf: bool = False
    filters: bool = False
    grace: float = 5.0
    death_signal: signal.Signals = signal.SIGKILL


def all_programs(config: Path, state: State) -> tuple[Program, ...]:
    """The programs of Portward. Raises `Environment` when HAProxy is not installed."""
    haproxy = find_program("haproxy")
    master = f"{state.master_socket},mode,600"
    python = (sys.executable, "-m")
    return (
        Program(
            name="recorder",
            argv=(*python, "portward.watch.recorder", str(state.directory)),
            listens=(state.access_socket,),
            death_signal=signal.SIGTERM,
        ),
        Program(
            name="keeper",
            argv=(*python, "portward.keeper", "--config", str(config.absolute()), "--state", str(state.directory)),
            reports=True,
            filters=True,
            listens=(state.portal_socket, state.events_socket),
        ),
        Program(
            name="tunnels",
            argv=(*python, "portward.tunnels.server", str(state.directory)),
            wish="X_TUNNELS",
            wanted_by=state.tunnel_rules,
            shelf=True,
        ),
        Program(
            name="edge",
            argv=(haproxy, "-W", "-q", "-S", master, "-f", str(state.haproxy_cfg)),
            needs=state.haproxy_cfg,
            grace=2.0,
        ),
    )


def pause_before_restart(deaths: int) -> float:
    """Seconds to wait after so many early deaths in a row: 0 at first, then growing to 5."""
    return 0.0 if deaths <= 1 else min(5.0, 0.25 * 2 ** (deaths - 1))
