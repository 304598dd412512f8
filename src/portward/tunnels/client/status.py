"""How a tunnel is doing, as it is shown and as programs read it.

Status("database", "up", since=now, reconnects=2).as_dict()
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

State = Literal["connecting", "up", "partial", "waiting", "failed", "stopped"]
"""`partial`: connected, and some remote forward is refused. `waiting`: until the next try. `failed`: for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """`since` is when the present connection was made. Bytes are of all connections of this run; `round_trip` in
    seconds; `forwards` are those that work, as people write them; `addresses` are where a gateway publishes
    them; `problem` is why not all is well."""

    name: str
    state: State
    host: str = ""
    since: datetime | None = None
    reconnects: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    round_trip: float | None = None
    forwards: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    problem: str = ""

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say."""
        return {
            "name": self.name,
            "state": self.state,
            "host": self.host,
            "since": self.since.isoformat() if self.since else None,
            "reconnects": self.reconnects,
            "bytes_sent": self.bytes_sent,
            "bytes_received": self.bytes_received,
            "round_trip": self.round_trip,
            "forwards": list(self.forwards),
            "addresses": list(self.addresses),
            "problem": self.problem,
        }

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> "Status":
        """What `as_dict` made."""
        since = datetime.fromisoformat(said["since"]) if said["since"] else None
        lists = {name: tuple(said[name]) for name in ("forwards", "addresses")}
        return cls(**{**said, **lists, "since": since})
