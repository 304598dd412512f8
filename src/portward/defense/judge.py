"""Counts signs in sliding windows, and says when they are enough. Pure: time comes in.

    judge = Judge(detectors)
    judge.feed(sign, now)           # None, or the tenth time Verdict(detector=…, sources=("203.0.113.7",), …)

Memory is bounded, however many sources there are: of all windows, those that grew last are kept.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from portward.defense.detectors import TOGETHER, Detector
from portward.defense.signs import Sign
from portward.defense.sources import source_of
from portward.facts import Fact, to_line

EVIDENCE = 20
"""Facts that a verdict brings along, the newest."""
_MOST_SIGNS = 30_000
_MOST_TEXT = 200
"""Characters of a value that are kept of evidence."""
_ROUNDING = 1e-9
_OF_ACCOUNTS = ("login", "second-factor", "account")


@dataclass(frozen=True, slots=True)
class Verdict:
    """These sources are enough. `evidence` are lines of JSON, oldest first; `account` where one was aimed at."""

    detector: Detector
    sources: tuple[str, ...]
    evidence: tuple[str, ...]
    account: str = ""


@dataclass(slots=True)
class _Entry:
    at: datetime
    source: str
    account: str
    what: str
    weight: int
    fact: Fact | None
    """None where newer ones are evidence enough."""


@dataclass(slots=True)
class _Window:
    entries: list[_Entry] = field(default_factory=list)
    weight: int = 0

    def add(self, entry: _Entry) -> None:
        self.entries.append(entry)
        self.weight += entry.weight
        if len(self.entries) > EVIDENCE:
            self.entries[-EVIDENCE - 1].fact = None

    def holds(self, what: str) -> bool:
        return any(entry.what == what for entry in self.entries)

    def drop_before(self, time: datetime) -> int:
        """Forget what is older. Returns how many entries that were."""
        old = next((place for place, entry in enumerate(self.entries) if entry.at >= time), len(self.entries))
        self.weight -= sum(entry.weight for entry in self.entries[:old])
        del self.entries[:old]
        return old


class Judge:
    """`most` bounds the signs that are kept, of all windows together."""

    def __init__(self, detectors: Mapping[str, Detector], *, most: int = _MOST_SIGNS) -> None:
        self.detectors = detectors
        self._most = most
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()
        self._signs = 0

    def __len__(self) -> int:
        return self._signs

    def feed(self, sign: Sign, now: datetime) -> Verdict | None:
        """Count a sign. A verdict empties the windows that led to it."""
        detector = self.detectors[sign.detector]
        at = min(sign.fact.time, now)
        if at < now - detector.within:
            return None
        key = (detector.name, sign.account if detector.scope == "account" else sign.source)
        if not key[1]:
            return None
        window = self._window(key, now)
        if sign.what and window.holds(sign.what):
            return None
        window.add(_Entry(at, sign.source, sign.account, sign.what, sign.weight, _short(sign.fact)))
        self._signs += 1
        self._make_room()
        return self._verdict(key, detector, now)

    def follow(self, detectors: Mapping[str, Detector]) -> None:
        """Other settings hold from now on. What was counted stays, where it is still counted in the same way."""
        for key in list(self._windows):
            new = detectors.get(key[0])
            if new is None or new.scope != self.detectors[key[0]].scope:
                self._forget(key)
        self.detectors = detectors

    def clear(self, source: str) -> None:
        """Forget what was counted against a source: it was banned, or its ban was lifted."""
        for name in self.detectors:
            self._forget((name, source))

    def forgive(self, account: str, address: str) -> None:
        """Somebody logged in: forget what was tried at this account from there, and nothing else.

        Else whoever has an account could guess at others for free.
        """
        for detector in (self.detectors[name] for name in _OF_ACCOUNTS if name in self.detectors):
            source = source_of(address, detector.scope)
            key = (detector.name, account if detector.scope == "account" else source)
            if window := self._windows.get(key):
                self._keep(key, [one for one in window.entries if (one.account, one.source) != (account, source)])

    def current(self, name: str, now: datetime) -> int:
        """Signs of a detector that still count."""
        since = now - self.detectors[name].within
        windows = (window for (detector, _), window in self._windows.items() if detector == name)
        return sum(entry.weight for window in windows for entry in window.entries if entry.at >= since)

    def _window(self, key: tuple[str, str], now: datetime) -> _Window:
        window = self._windows.setdefault(key, _Window())
        self._windows.move_to_end(key)
        self._signs -= window.drop_before(now - self.detectors[key[0]].within)
        return window

    def _verdict(self, key: tuple[str, str], detector: Detector, now: datetime) -> Verdict | None:
        keys = [key]
        if self._windows[key].weight < detector.tries:
            keys = list(self._together(key, detector, now))
            if sum(self._windows[one].weight / self.detectors[one[0]].tries for one in keys) < 1 - _ROUNDING:
                return None
        entries = sorted((entry for one in keys for entry in self._windows[one].entries), key=lambda one: one.at)
        for one in keys:
            self._forget(one)
        newest = [entry.fact for entry in entries if entry.fact is not None][-EVIDENCE:]
        return Verdict(
            detector=detector,
            sources=tuple(dict.fromkeys(entry.source for entry in entries)),
            evidence=tuple(to_line(fact).decode().strip() for fact in newest),
            account=key[1] if detector.scope == "account" else "",
        )

    def _together(self, key: tuple[str, str], detector: Detector, now: datetime) -> Iterator[tuple[str, str]]:
        """Windows of the same source whose shares are added up; those of a detector in shadow mode stay alone."""
        if detector.name not in TOGETHER or detector.mode == "shadow" or detector.scope == "account":
            return
        for name in TOGETHER & self.detectors.keys():
            other, one = self.detectors[name], (name, key[1])
            if one in self._windows and (other.mode, other.scope) == ("enforce", detector.scope):
                self._signs -= self._windows[one].drop_before(now - other.within)
                yield one

    def _make_room(self) -> None:
        while self._signs > self._most:
            self._forget(next(iter(self._windows)))

    def _forget(self, key: tuple[str, str]) -> None:
        if window := self._windows.pop(key, None):
            self._signs -= len(window.entries)

    def _keep(self, key: tuple[str, str], entries: list[_Entry]) -> None:
        kept = _Window()
        for entry in entries:
            kept.add(entry)
        self._signs += len(entries) - len(self._windows[key].entries)
        self._windows[key] = kept


def _short(fact: Fact) -> Fact:
    """Evidence holds what clients wrote, who may write much."""
    long: dict[str, Any] = {
        one.name: value[:_MOST_TEXT]
        for one in fields(fact)
        if isinstance(value := getattr(fact, one.name), str) and len(value) > _MOST_TEXT
    }
    return replace(fact, **long) if long else fact
