"""Lines of a log, read by one pattern. Pure.

    matcher = Matcher("sshd", shipped("sshd"))
    matcher.read("Nov 20 19:05:03 web sshd[7]: Invalid user ann from 203.0.113.7 port 40022")
    # Finding(address='203.0.113.7', user='ann', port='40022', stamp='Nov 20 19:05:03', …)

A line is looked at by the descriptions whose own words stand in it, and by no other. Matching is `re`'s. There is no
repetition but that of single characters, lines are of bounded length, and what comes before the last free text is
matched without turning back, so the time grows with the length of the line (a test holds it to that).
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from portward.config.logpatterns import Pattern
from portward.config.templates import Field, Literal, Piece, Template, node_of
from portward.defense.logs.objects import flat_object, where_holds

LONGEST = 32 * 1024
"""Longer lines are not judged."""
_MOST_READINGS = 16
_TIME = Field("time")
_HEADER = re.compile(rf"({node_of(_TIME).regex}) [^ ]+ ([^ \[\]:]+)(?:\[[0-9]+\])?: (.*)", re.DOTALL)
_REPEATED = re.compile(r"message repeated ([0-9]{1,4}) times: \[ (.*)\]", re.DOTALL)
_MOST_REPETITIONS = 20
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_SAFE = re.compile(r"[A-Za-z0-9 :.,_=-]+")


class Finding(NamedTuple):
    """What a line says. `address` is a canonical one, or empty where the program tells none.

    `once`: counts only where nothing of this address and port has counted yet. `doubtful`: the line can be read in two
    ways, and so blames nobody; then there is no address. `host`: a login at this machine itself. `line`: which of
    the pattern's descriptions it is.
    """

    pattern: str
    program: str = ""
    address: str = ""
    user: str = ""
    port: str = ""
    stamp: str = ""
    once: bool = False
    doubtful: bool = False
    times: int = 1
    host: bool = False
    line: int = 0


class Message(NamedTuple):
    """One line without what stands around it."""

    text: str
    program: str = ""
    stamp: str = ""
    address: str = ""
    user: str = ""
    times: int = 1


class Told(NamedTuple):
    """What the fields of one description hold."""

    address: str = ""
    user: str = ""
    port: str = ""
    stamp: str = ""
    doubtful: bool = False


_NOTHING = Told()


class Description:
    """One template, compiled. `needle` stands in each of its lines."""

    def __init__(self, number: int, template: Template, *, once: bool, doubtful: bool) -> None:
        self.number, self.once, self.doubtful = number, once, doubtful
        self.needle = _needle(template.pieces)
        self._words = [piece.text for piece in template.pieces if isinstance(piece, Literal)]
        self._whole = re.compile(_compiled(template.pieces), re.DOTALL)
        place = next((n for n, piece in enumerate(template.pieces) if _is(piece, "address")), None)
        if doubtful and place is not None:
            before, address, after = template.pieces[:place], template.pieces[place], template.pieces[place + 1 :]
            self._before = re.compile(_compiled(before), re.DOTALL)
            self._address = re.compile(_behind(before) + f"({node_of(address).regex})" + _ahead(after))
            self._after = re.compile(_compiled(after), re.DOTALL)

    def read(self, text: str) -> Told | None:
        """None for another line."""
        if self.doubtful:
            return self._read_all(text)
        match = self._whole.fullmatch(text)
        if match is None:
            return None
        found = match.groupdict("")
        address = canonical(found["address"]) if "address" in found else ""
        if address is None:
            return None
        return Told(address, found.get("name", ""), found.get("port", ""), found.get("time", ""))

    def _read_all(self, text: str) -> Told | None:
        """Every way in which the line can be read."""
        if not all(words in text for words in self._words):
            return None
        found: dict[str, re.Match[str]] = {}
        for tried, place in enumerate(self._address.finditer(text)):
            if tried == _MOST_READINGS:
                return Told(doubtful=True)
            address = canonical(place[1])
            before = self._before.fullmatch(text, 0, place.start(1))
            if address and before and self._after.fullmatch(text, place.end(1)):
                found[address] = before
        if len(found) != 1:
            return Told(doubtful=True) if found else None
        ((address, before),) = found.items()
        told = before.groupdict("")
        return Told(address, told.get("name", ""), stamp=told.get("time", ""))


class Matcher:
    """One pattern. `header`: its lines begin as syslog writes them (where the pattern names programs at all)."""

    def __init__(self, name: str, pattern: Pattern, *, header: bool = True, host: bool = False) -> None:
        self.name, self.host = name, host
        self.programs = frozenset(pattern.program)
        self._header = header and bool(self.programs)
        self._json = pattern.json_
        self.is_json = self._json is not None
        first_once, first_doubtful = len(pattern.lines), len(pattern.lines) + len(pattern.once)
        self.descriptions = [
            Description(number, template, once=first_once <= number < first_doubtful, doubtful=number >= first_doubtful)
            for number, template in enumerate(pattern.templates)
        ]
        self.needles: Sequence[tuple[bytes, Sequence[Description]]] = [
            (needle.encode(), [one for one in self.descriptions if one.needle == needle])
            for needle in dict.fromkeys(one.needle for one in self.descriptions)
        ]
        if self._json and not self.descriptions:
            self.needles = [(f'"{next(iter(self._json.where)).rpartition(".")[2]}"'.encode(), ())]

    def read(self, line: str, descriptions: Sequence[Description] | None = None) -> Finding | None:
        """A whole line of a file, without its end."""
        message = self._unwrap(line)
        return None if message is None else self.judge(message, descriptions)

    def judge(self, message: Message, descriptions: Sequence[Description] | None = None) -> Finding | None:
        """A message of which is known which program said it. `descriptions`: those whose own words stand in it."""
        if not self.descriptions:
            return self._finding(message) if message.address else None
        told: Told | None = None
        by: Description | None = None
        for description in self.descriptions if descriptions is None else descriptions:
            if told is not None and not description.doubtful:
                continue
            other = description.read(message.text)
            if other is None:
                continue
            if told is not None and other.address != told.address:
                return self._finding(message, description, Told(doubtful=True))
            if told is None:
                told, by = other, description
        return None if told is None else self._finding(message, by, told)

    def _finding(self, message: Message, by: Description | None = None, told: Told = _NOTHING) -> Finding:
        return Finding(
            self.name,
            message.program,
            told.address or message.address,
            told.user or message.user,
            told.port,
            told.stamp or message.stamp,
            by is not None and by.once,
            told.doubtful,
            message.times,
            self.host,
            by.number if by else 0,
        )

    def _unwrap(self, line: str) -> Message | None:
        if self._json is not None:
            return self._of_object(line)
        if not self._header:
            return Message(line, next(iter(self.programs), "") if len(self.programs) == 1 else "")
        match = _HEADER.fullmatch(line)
        if match is None or match[2] not in self.programs:
            return None
        return repeated(Message(match[3], match[2], match[1]))

    def _of_object(self, line: str) -> Message | None:
        shape = self._json
        values = flat_object(line)
        if shape is None or values is None or not where_holds(shape.where, values):
            return None
        address = canonical(values.get(shape.address, "")) if shape.address else ""
        if address is None or (shape.text and shape.text not in values):
            return None
        stamp = next((values[key] for key in ("time", "ts", "timestamp", "StartUTC") if key in values), "")
        return Message(
            values[shape.text] if shape.text else "",
            stamp=stamp,
            address=address,
            user=values.get(shape.name, "") if shape.name else "",
        )


def repeated(message: Message) -> Message:
    """`message repeated 3 times: [ … ]`, as rsyslog and sshd's syslog shorten a flood."""
    match = _REPEATED.fullmatch(message.text)
    if match is None:
        return message
    times = min(max(int(match[1]), 1), _MOST_REPETITIONS)
    return Message(match[2], message.program, message.stamp, times=times)


def canonical(text: str) -> str | None:
    """An address in its one spelling, IPv4 in IPv6 as IPv4; None for what is no address."""
    return text if _IPV4.fullmatch(text) else _canonical(text)


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def _is(piece: Piece, noun: str) -> bool:
    return isinstance(piece, Field) and piece.noun == noun


def _needle(pieces: Sequence[Piece]) -> str:
    """The longest run of a template's own words that every encoding of it writes alike."""
    runs = [run for piece in pieces if isinstance(piece, Literal) for run in _SAFE.findall(piece.text)]
    return max(runs, key=lambda run: sum(map(str.isalnum, run)), default="")


def _compiled(pieces: Sequence[Piece]) -> str:
    """The regular expression, with a group for each field that is asked for."""
    place = next((n for n, piece in enumerate(pieces) if _is(piece, "address")), None)
    if place is None:
        return _segment(pieces)
    return _segment(pieces[:place]) + _part(pieces[place]) + _segment(pieces[place + 1 :])


def _segment(pieces: Sequence[Piece]) -> str:
    """What stands on one side of the address.

    Of several free texts, all but the last end at the first place where they can: what follows may hold anything
    anyway, so turning back would find nothing more (as in Python's own fnmatch).
    """
    runs: list[list[Piece]] = [[]]
    for piece in pieces:
        if isinstance(piece, Field) and piece.free:
            runs.append([])
        runs[-1].append(piece)
    *earlier, last = runs
    text = "".join(map(_part, runs[0])) if earlier else ""
    for first, *rest in earlier[1:]:
        text += f"(?>{_part(first).replace('*', '*?', 1)}{''.join(map(_part, rest))})"
    return text + "".join(map(_part, last))


def _part(piece: Piece) -> str:
    regex = node_of(piece).regex
    if isinstance(piece, Field) and piece.free:
        regex = ".*"
    noun = piece.noun if isinstance(piece, Field) else ""
    return f"(?P<{noun}>{regex})" if noun in {"address", "name", "port", "time"} else regex


def _behind(pieces: Sequence[Piece]) -> str:
    last = pieces[-1] if pieces else None
    return f"(?<={re.escape(last.text)})" if isinstance(last, Literal) else ""


def _ahead(pieces: Sequence[Piece]) -> str:
    if not pieces:
        return r"\Z"
    return f"(?={re.escape(pieces[0].text[0])})" if isinstance(pieces[0], Literal) else ""
