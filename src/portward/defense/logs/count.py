"""Which lines are new attempts, and the facts that they become.

    count = Count("auth")
    count.facts(finding, since, now)        # [HostLoginFailed(…)]; [] for a line about an attempt that was counted

"Invalid user ann" and "Failed password for invalid user ann" are one attempt. What was counted is kept together with
how far was read, so that a kill between two such lines makes no second attempt of them.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from portward.defense.logs.matching import Finding
from portward.defense.logs.stamps import parse_stamp
from portward.facts import HostLoginFailed, LogMatched

_MOST_CONNECTIONS = 4096
_MOST_KEPT = 128
_SAME = timedelta(seconds=3)
"""Lines about one attempt that tell no port follow each other within this time."""
_LONGEST_USER = 200
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(slots=True)
class _Connection:
    """`advance`: the next attempt was counted already. `lines`: those of its lines that come once."""

    advance: bool
    lines: list[int]


@dataclass(slots=True)
class Count:
    """What of one log was counted lately. Several lines may tell of one attempt, also with a restart in between."""

    log: str
    _connections: OrderedDict[tuple[str, str], _Connection] = field(default_factory=OrderedDict)
    """By address and port."""
    _lately: OrderedDict[str, datetime] = field(default_factory=OrderedDict)

    def facts(self, finding: Finding, since: datetime, now: datetime) -> list[HostLoginFailed | LogMatched]:
        """What to tell. The line's own time counts, between `since` (the last look at the log) and now."""
        told = parse_stamp(finding.stamp, now) if finding.stamp else None
        at = min(max(told or now, since), now)
        if finding.doubtful or not self._counts(finding, at):
            return []
        return [self._fact(finding, at)] * finding.times

    def _fact(self, finding: Finding, at: datetime) -> HostLoginFailed | LogMatched:
        user = finding.user[:_LONGEST_USER].encode(errors="replace").decode()  # JSON may hold half a character
        if finding.host:
            program = finding.program or finding.pattern
            return HostLoginFailed(time=at, address=finding.address, program=program, log=self.log, user=user)
        return LogMatched(time=at, address=finding.address, log=self.log, pattern=finding.pattern, user=user)

    def _counts(self, finding: Finding, at: datetime) -> bool:
        counted = True
        if finding.port:
            counted = self._counts_of_connection(finding)
        elif finding.once:
            before = self._lately.get(finding.address)
            counted = before is None or at - before > _SAME
        if finding.address:
            self._lately[finding.address] = at
            self._lately.move_to_end(finding.address)
        for memory in (self._connections, self._lately):
            if len(memory) > _MOST_CONNECTIONS:
                memory.popitem(last=False)
        return counted

    def _counts_of_connection(self, finding: Finding) -> bool:
        """A line that comes once in a connection, and comes again, is of another one from the same port."""
        key = (finding.address, finding.port)
        known = self._connections.pop(key, None)
        if known is None or (finding.once and finding.line in known.lines):
            self._connections[key] = _Connection(advance=finding.once, lines=[finding.line] * finding.once)
            return True
        self._connections[key] = known
        if finding.once:
            known.lines.append(finding.line)
            return False
        counted, known.advance = not known.advance, False
        return counted

    def spell(self) -> dict[str, Any]:
        """As the store keeps it: the newest of each."""
        connections = [[*key, one.advance, one.lines] for key, one in _newest(self._connections)]
        return {"connections": connections, "lately": [[key, at.isoformat()] for key, at in _newest(self._lately)]}

    @classmethod
    def read(cls, log: str, values: Mapping[str, Any]) -> "Count":
        """What `spell` wrote."""
        return cls(
            log,
            OrderedDict(((address, port), _Connection(*rest)) for address, port, *rest in values["connections"]),
            OrderedDict((address, datetime.fromisoformat(at)) for address, at in values["lately"]),
        )


def _newest(memory: OrderedDict[_Key, _Value]) -> list[tuple[_Key, _Value]]:
    return list(islice(reversed(memory.items()), _MOST_KEPT))[::-1]
