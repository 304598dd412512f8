"""A pattern tried on a file, before it is put to work.

trial = try_on([matcher], file.open("rb"))
trial.matched, trial.addresses["203.0.113.7"]
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from portward.defense.logs.lines import Lines
from portward.defense.logs.matching import Finding, Matcher
from portward.defense.logs.scan import scan_with_places

_CHUNK = 64 * 1024
_LONGEST_SHOWN = 300


@dataclass(slots=True)
class Trial:
    """`missed` lines count for nothing, `doubtful` ones blame nobody. `shown` are the first of the missed."""

    lines: int = 0
    matched: int = 0
    doubtful: int = 0
    too_long: int = 0
    seconds: float = 0
    addresses: Counter[str] = field(default_factory=Counter)
    users: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)
    uncertain: list[str] = field(default_factory=list)

    @property
    def missed(self) -> int:
        return self.lines - self.matched - self.doubtful


def try_on(matchers: Sequence[Matcher], file: BinaryIO, *, show: int = 10) -> Trial:
    """Read a whole file. A last line without end counts too. Raises `OSError`."""
    trial, began = Trial(), time.perf_counter()
    for chunk in _chunks(file, trial):
        trial.lines += chunk.count(b"\n")
        found = dict(scan_with_places(chunk, matchers))
        for finding in found.values():
            _count(trial, finding)
        if len(trial.shown) < show or len(trial.uncertain) < show:
            _show(trial, chunk, found, show)
    trial.seconds = time.perf_counter() - began
    return trial


def _chunks(file: BinaryIO, trial: Trial) -> Iterator[bytes]:
    lines, left = Lines(), b""
    while data := file.read(_CHUNK):
        left += data
        while (cut := lines.cut(left)).used:
            left = left[cut.used :]
            if cut.chunk:
                yield cut.chunk
    trial.too_long = lines.too_long
    if left:
        yield left + b"\n"


def _count(trial: Trial, finding: Finding) -> None:
    if finding.doubtful:
        trial.doubtful += 1
        return
    trial.matched += 1
    trial.addresses[finding.address] += finding.times
    if finding.user:
        trial.users[finding.user] += finding.times


def _show(trial: Trial, chunk: bytes, found: dict[int, Finding], show: int) -> None:
    start = 0
    for line in chunk.split(b"\n")[:-1]:
        text = line[:_LONGEST_SHOWN].decode(errors="replace")
        if start not in found and len(trial.shown) < show and text:
            trial.shown.append(text)
        elif start in found and found[start].doubtful and len(trial.uncertain) < show:
            trial.uncertain.append(text)
        start += len(line) + 1
