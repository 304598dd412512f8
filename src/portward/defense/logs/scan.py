"""Whole lines in one piece: what stands in them.

    for finding in scan(b"… sshd[7]: Invalid user ann from 203.0.113.7 port 40022\\n", [matcher]): ...

Lines in which nothing of a pattern's own words stands are never looked at one by one.
"""

from collections.abc import Iterator, Sequence

from portward.defense.logs.matching import LONGEST, Description, Finding, Matcher

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
