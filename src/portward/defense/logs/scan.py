"""Whole lines in one piece, judged: what stands in them, and what of it counts.

    for finding in scan(b"… sshd[7]: Invalid user ann from 203.0.113.7 port 40022\\n", [matcher]): ...

Lines in which nothing of a pattern's own words stands are never looked at one by one.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from portward.defense.logs.matching import LONGEST, Description, Finding, Matcher
from portward.defense.logs.stamps import parse_stamp
from portward.facts import HostLoginFailed, LogMatched

_MOST_CONNECTIONS = 4096
_SAME = timedelta(seconds=3)
"""Lines about one attempt that tell no port follow each other within this time."""
_LONGEST_USER = 200
_Looks = dict[int, list[Description]]
"""The descriptions whose own words stand in a line, by the number of their pattern."""


def scan(chunk: bytes, matchers: Sequence[Matcher]) -> Iterator[Finding]:
    """What the lines of a chunk say, in their order; every line ends with a line feed."""
    return (finding for _, finding in scan_with_places(chunk, matchers))


def scan_with_places(chunk: bytes, matchers: Sequence[Matcher]) -> Iterator[tuple[int, Finding]]:
    """The same, each with the place at which its line begins."""
    lines = _lines_with_own_words(chunk, matchers)
    for start in sorted(lines):
        end, looks = lines[start]
        if end - start > LONGEST:
            continue
        line = chunk[start:end].removesuffix(b"\r").decode(errors="replace")
        for number in sorted(looks):
            if finding := matchers[number].read(line, looks[number]):
                yield start, finding
                break


def _lines_with_own_words(chunk: bytes, matchers: Sequence[Matcher]) -> dict[int, tuple[int, _Looks]]:
    """Start of a line to its end, and what might describe it."""
    lines: dict[int, tuple[int, _Looks]] = {}
    for number, matcher in enumerate(matchers):
        for needle, descriptions in matcher.needles:
            place = chunk.find(needle)
            while place >= 0:
                start = chunk.rfind(b"\n", 0, place) + 1
                end = chunk.find(b"\n", place)
                lines.setdefault(start, (end, {}))[1].setdefault(number, []).extend(descriptions)
                place = chunk.find(needle, end + 1) if 0 <= end < len(chunk) - 1 else -1
    return lines


@dataclass(slots=True)
class Count:
    """Which findings are new attempts: several lines may tell of one."""

    log: str
    _connections: OrderedDict[tuple[str, str], bool] = field(default_factory=OrderedDict)
    """Address and port: whether the next attempt was counted in advance."""
    _lately: OrderedDict[str, datetime] = field(default_factory=OrderedDict)

    def facts(self, finding: Finding, since: datetime, now: datetime) -> list[HostLoginFailed | LogMatched]:
        """What to tell. The line's own time counts, between `since` (the last look at the log) and now."""
        told = parse_stamp(finding.stamp, now) if finding.stamp else None
        at = min(max(told or now, since), now)
        if finding.doubtful or not self._counts(finding, at):
            return []
        return [self._fact(finding, at)] * finding.times

    def _fact(self, finding: Finding, at: datetime) -> HostLoginFailed | LogMatched:
        user = finding.user[:_LONGEST_USER]
        if finding.host:
            program = finding.program or finding.pattern
            return HostLoginFailed(time=at, address=finding.address, program=program, log=self.log, user=user)
        return LogMatched(time=at, address=finding.address, log=self.log, pattern=finding.pattern, user=user)

    def _counts(self, finding: Finding, at: datetime) -> bool:
        key, counted = (finding.address, finding.port), True
        if finding.port:
            if finding.once:
                counted = key not in self._connections
                self._connections.setdefault(key, True)
            else:
                counted = not self._connections.get(key, False)
                self._connections[key] = False
            self._connections.move_to_end(key)
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
