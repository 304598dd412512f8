"""What the store has kept of the time that still counts, as facts again: so a restart of the keeper forgets nothing.

    await facts_since(store.events, now, detectors.values())

What is judged without being kept (errors that services answer, and the rest of a flood) is not among it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import MISSING, fields
from datetime import datetime
from typing import Any, Protocol

from portward.defense import familiar
from portward.defense.detectors import Detector
from portward.facts import (
    BanLifted,
    Fact,
    HostLoginFailed,
    KeyRefused,
    LoggedIn,
    LoginFailed,
    LogMatched,
    RequestRefused,
    ShadowBan,
    SourceBanned,
)
from portward.model import Event

_SIGNS = (RequestRefused, LoginFailed, KeyRefused, HostLoginFailed, LogMatched, SourceBanned, BanLifted, LoggedIn)
_LONGER = (LoggedIn, ShadowBan)
"""These count for longer than any window."""
_MOST = 5000


class Past(Protocol):
    """`store.events`."""

    async def list(
        self, after_id: int = 0, limit: int = 500, *, kind: str | None, since: datetime | None, newest: bool
    ) -> Sequence[Event]: ...


async def facts_since(past: Past, now: datetime, detectors: Iterable[Detector]) -> list[Fact]:
    """In the order in which they happened; of each kind the newest 5000."""
    window = max((detector.within for detector in detectors), default=now - now)
    events = [
        event
        for kind in {*_SIGNS, *_LONGER}
        for event in await past.list(
            limit=_MOST,
            kind=kind.__name__,
            since=now - (familiar.FOR if kind in _LONGER else window),
            newest=True,
        )
    ]
    return [fact_of(event) for event in sorted(events, key=lambda event: event.id)]


def fact_of(event: Event) -> Fact:
    """The fact that an event keeps, which leaves empty texts out. `KeyError` for a kind that no detector looks at."""
    kind = _KINDS[event.kind]
    known = {one.name for one in fields(kind)}
    values: dict[str, Any] = {one.name: "" for one in fields(kind) if one.default is MISSING and one.name != "time"}
    values |= {name: value for name, value in event.fields.items() if name in known}
    values |= {one.name: getattr(event, one.name) for one in fields(event) if one.name in known}
    return kind(**values)


_KINDS: dict[str, type[Fact]] = {kind.__name__: kind for kind in (*_SIGNS, *_LONGER)}
