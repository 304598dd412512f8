"""The text of a block list, in whichever of the usual forms: out come networks, or why it can't be used.

    read(b"# bad people\\n192.0.2.0/24 ; SBL1\\n", most=1000).spans          # [(4, 3221225984, 3221226239)]

One network, one address or one range (`192.0.2.0 - 192.0.2.9`) a line, with comments after `#` or `;` (plain lists,
FireHOL's netset, Spamhaus DROP); the first column of a CSV or TSV; start, end and prefix length (DShield); or one JSON
object a line (Spamhaus's drop_v4.json). Bytes of strangers: nothing in them but networks is taken.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from portward.defense.lists.spans import Span, merged, span_of, without

_COMMENT = re.compile(r"\s*(?:[#;]|//).*")
_BETWEEN = re.compile(r"[\s,|]+")
_RANGE = re.compile(r"([0-9a-fA-F:.]+)\s*-\s*([0-9a-fA-F:.]+)\b")
_JSON_KEYS = ("cidr", "network", "prefix", "ip", "address")
_LONGEST_LINE = 4096
_FEW = 3
_BROADEST = {4: 8, 6: 19}
"""Nobody is bad as a whole: no registry gave a single holder more than an IPv4 /8 or an IPv6 /19."""
_NEVER_PUBLIC = [
    span_of(network)
    for network in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
]
_MAPPED = span_of("::ffff:0:0/96")


class Unusable(ValueError):
    """The list as a whole can't be used; the text says why."""


@dataclass(slots=True)
class Reading:
    """What a list says: networks, and how many of its lines stay out."""

    spans: list[Span]
    entries: int
    unreadable: int = 0
    first_unreadable: str = ""
    """The first line that is no network, with its number."""
    never_public: int = 0
    """Networks that no packet of the internet comes from, such as multicast; lists of bogons hold them."""


@dataclass(slots=True)
class _Tally:
    spans: list[Span] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    bad_count: int = 0
    never_public: int = 0


def read(content: bytes, *, most: int) -> Reading:
    """Raises `Unusable` for a list that is empty, too long, mostly no list at all, or shuts out half the world."""
    tally = _Tally()
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), start=1):
        _take(tally, number, line)
        if len(tally.spans) > most:
            raise Unusable(f"it has more than {most} entries (`most` of the list says how many are taken)")
    if tally.bad_count > _FEW + len(tally.spans) // 20:
        raise Unusable(f"it is no list of networks: {tally.bad[0]}")
    if not tally.spans:
        raise Unusable("it holds no network")
    spans = without(merged(tally.spans), _NEVER_PUBLIC)
    return Reading(spans, len(tally.spans), tally.bad_count, next(iter(tally.bad), ""), tally.never_public)


def _take(tally: _Tally, number: int, line: str) -> None:
    text = line.strip()
    try:
        found = list(_spans(text)) if len(text) <= _LONGEST_LINE else [None]
    except ValueError:
        found = [None]
    for span in found:
        if span is None:
            tally.bad_count += 1
            tally.bad = tally.bad or [f"line {number} is {text[:80]!r}"]
        elif _is_never_public(span):
            tally.never_public += 1
        else:
            _refuse_broad(number, span, text)
            tally.spans.append(span)


def _is_never_public(span: Span) -> bool:
    return any(span[0] == kind and first <= span[1] and span[2] <= last for kind, first, last in _NEVER_PUBLIC)


def _refuse_broad(number: int, span: Span, text: str) -> None:
    version, first, last = span
    if last - first >= 1 << ((32 if version == 4 else 128) - _BROADEST[version]):
        raise Unusable(
            f"line {number} shuts out {text[:80]!r}, more than a /{_BROADEST[version]}: that is a mistake or a forgery"
        )


def _spans(text: str) -> Iterator[Span | None]:
    """What a line holds: one span, nothing for a comment. Raises `ValueError` for anything else."""
    if text.startswith("{"):
        yield from _json(text)
    elif text := _COMMENT.sub("", text, count=1):
        yield _unmapped(_span(text))


def _json(text: str) -> Iterator[Span]:
    values = json.loads(text)
    named = [values[key] for key in _JSON_KEYS if isinstance(values.get(key), str)]
    if named:
        yield _unmapped(span_of(named[0]))
    elif values.get("type") != "metadata":
        raise ValueError("an object without a network")


def _span(text: str) -> Span:
    if match := _RANGE.match(text):
        return _between(match[1], match[2])
    columns = [column.strip("\"'") for column in _BETWEEN.split(text)]
    if len(columns) >= 3 and columns[2].isdecimal() and "/" not in columns[0]:
        try:
            whole = span_of(f"{columns[0]}/{columns[2]}")
            if whole == _between(columns[0], columns[1]):
                return whole
        except ValueError:
            pass
    return span_of(columns[0])


def _between(first: str, last: str) -> Span:
    one, other = span_of(first), span_of(last)
    if one[0] != other[0] or other[1] < one[1]:
        raise ValueError("no range")
    return one[0], one[1], other[1]


def _unmapped(span: Span) -> Span:
    """`::ffff:192.0.2.1` is an IPv4 address."""
    version, first, last = span
    if version == 6 and first >= _MAPPED[1] and last <= _MAPPED[2]:
        return 4, first - _MAPPED[1], last - _MAPPED[1]
    return span
