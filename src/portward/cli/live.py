"""How tunnels are shown while they are kept up: a table that stays current, lines where nobody looks, JSON lines.

shown = display(json=False)
failures = asyncio.run(shown.follow(Keeping("tunnel", wanted, tell=shown.tell)))
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from portward.cli.output import json_line, printable, table

if TYPE_CHECKING:
    from portward.errors import PortwardError
    from portward.tunnels.client.keeping import Keeping
    from portward.tunnels.client.status import Status

_REFRESH = 0.5
_COLORS = {"up": "green", "partial": "yellow", "failed": "red", "stopped": "dim"}
_COLUMNS = {
    "tunnel": "name",
    "state": "state",
    "uptime": "uptime",
    "reconnects": "reconnects",
    "sent": "sent",
    "received": "received",
    "round trip": "round_trip",
    "": "problem",
}


class Display(Protocol):
    """`say` prints what a server says, `tell` hears of changes, `follow` runs until all tunnels have ended."""

    def say(self, text: str) -> None: ...
    def tell(self, status: "Status") -> None: ...
    async def follow(self, keeping: "Keeping") -> "list[PortwardError]": ...


def display(*, json: bool) -> Display:
    """The one that fits: JSON when asked for, the table at a terminal, lines elsewhere."""
    if json or not sys.stdout.isatty():
        return _Lines(json=json)
    return _Board()


def print_statuses(statuses: "Sequence[Status]", *, empty: str) -> None:
    """The same table, once."""
    table([as_row(status) for status in statuses], _COLUMNS, empty=empty)


def as_row(status: "Status") -> dict[str, Any]:
    """The figures of a tunnel as people read them, now."""
    return {
        "name": status.name,
        "state": status.state,
        "uptime": spell_span((datetime.now(UTC) - status.since).total_seconds()) if status.since else "",
        "reconnects": status.reconnects,
        "sent": spell_bytes(status.bytes_sent),
        "received": spell_bytes(status.bytes_received),
        "round_trip": f"{status.round_trip * 1000:.0f} ms" if status.round_trip is not None else "",
        "problem": status.problem,
    }


def spell_span(seconds: float) -> str:
    """`42s`, `3m 05s`, `2h 07m`, `5d 03h`."""
    whole = max(0, int(seconds))
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // smaller:02}{part}"
    return f"{whole}s"


def spell_bytes(count: int) -> str:
    """`999 B`, `1.2 MB`: powers of 1000."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class _Lines:
    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._last: dict[str, tuple[object, ...]] = {}

    def say(self, text: str) -> None:
        """Beside JSON it goes to standard error."""
        for line in text.splitlines():
            print(printable(line), file=sys.stderr if self._json else sys.stdout, flush=True)

    def tell(self, status: "Status") -> None:
        """Each change once: a server that stays away for a week is two lines, not a hundred thousand."""
        state = "waiting" if status.state == "connecting" and status.problem else status.state
        news = (state, status.problem, status.addresses)
        if self._last.get(status.name) == news:
            return
        self._last[status.name] = news
        now = datetime.now(UTC)
        if self._json:
            print(json_line({"time": now.isoformat(), **status.as_dict()}), flush=True)
        else:
            problem = f": {status.problem}" if status.problem else ""
            print(printable(f"{now.astimezone():%Y-%m-%d %H:%M:%S} {status.name}: {state}{problem}"), flush=True)

    async def follow(self, keeping: "Keeping") -> "list[PortwardError]":
        return await keeping.run()


class _Board:
    def __init__(self) -> None:
        from rich.console import Console

        self._console = Console(highlight=False)

    def say(self, text: str) -> None:
        for line in text.splitlines():
            self._console.print(printable(line), markup=False)

    def tell(self, status: "Status") -> None:
        """The table shows it within a moment."""

    async def follow(self, keeping: "Keeping") -> "list[PortwardError]":
        from rich.live import Live

        with Live(console=self._console, auto_refresh=False) as live:
            async with asyncio.TaskGroup() as tasks:
                drawing = tasks.create_task(self._draw(live, keeping))
                failures = await keeping.run()
                drawing.cancel()
            live.update(_drawn(keeping.statuses()), refresh=True)
        return failures

    async def _draw(self, live: Any, keeping: "Keeping") -> None:
        while True:
            live.update(_drawn(keeping.statuses()), refresh=True)
            await asyncio.sleep(_REFRESH)


def _drawn(statuses: "Sequence[Status]") -> Any:
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in _COLUMNS:
        drawn.add_column(heading, overflow="fold")
    for status in statuses:
        row = as_row(status)
        drawn.add_row(*(Text(printable(str(row[key])), style=_style(key, status)) for key in _COLUMNS.values()))
    return drawn


def _style(key: str, status: "Status") -> str:
    return _COLORS.get(status.state, "yellow") if key == "state" else ""
