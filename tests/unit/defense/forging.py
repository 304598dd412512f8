"""What somebody types who wants another one to be blamed, and lines in which a program writes it. See test_matching.

told(template, "203.0.113.7", "ann")        # a line as the program itself would write it
forged("sshd")                              # a strategy: user names, paths, agents and the like, bent on no good
"""

import re
from collections.abc import Iterator
from itertools import combinations, cycle

from hypothesis import strategies as st
from tests.unit.defense.loglines import BLAMED, FORGED, V6, A, B

from portward.config.shipped import shipped
from portward.config.templates import Choice, Field, Literal, Piece, Template


def _messages(line: str) -> list[str]:
    """What stands in a line behind its header, and behind each quote."""
    return [line.partition("]: ")[2], line.partition('"')[2], line.partition(" - ")[2]]


HOSTILE = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=60),
    st.lists(
        st.sampled_from(
            [
                B,
                A,
                " ",
                '"',
                "'",
                "]",
                "[",
                ">",
                "<",
                ": ",
                ", ",
                ").",
                " from ",
                " port 22",
                " ssh2",
                "client: ",
                "rip=",
                "\r",
                "\0",
            ]
            + [piece for lines in FORGED.values() for line in lines for piece in re.split(f"(?<={B})|(?={A})", line)]
            + [line for several in BLAMED.values() for line, *_ in several]
            + [message for several in BLAMED.values() for line, *_ in several for message in _messages(line)]
        ),
        max_size=6,
    ).map("".join),
).map(lambda text: text.replace(A, B).replace(V6, B))
"""What an attacker may type, in which his own address never stands: pieces of lines, and whole ones."""


def told(template: Template, address: str, *texts: str, choice: int = 0) -> str:
    """A line as the program itself would write it, with the texts one after the other, again and again."""
    rest = cycle(texts)
    return "".join(_written(piece, address, next(rest), choice) for piece in template.pieces)


def _written(piece: Piece, address: str, text: str, choice: int) -> str:
    match piece:
        case Literal():
            return piece.text
        case Choice():
            return piece.words[choice % len(piece.words)]
        case Field(noun="address"):
            return address
        case Field(noun="port" | "number"):
            return "4711"
        case Field(noun="time"):
            return "2026-11-20T19:05:03Z"
        case Field(kind="word" | "name:word"):
            return re.sub(r"\s", "", text)[:20]
        case Field(kind="quoted" | "name:quoted"):
            return text.replace("\\", "\\\\").replace('"', '\\"')
        case Field(kind="bracketed"):
            return text.replace("]", "")
        case _:
            return text


def forged(name: str) -> st.SearchStrategy[str]:
    """Also what fits best: a part of the program's own line that names somebody else, from one place to another."""
    parts = sorted({part for template in shipped(name).templates for part in _parts(template)})
    if not parts:
        return HOSTILE
    around = st.sampled_from(["", " ", "x", "/", '"', "'", "x ", " x"])
    return HOSTILE | st.tuples(around, st.sampled_from(parts), around).map("".join)


def _parts(template: Template) -> Iterator[str]:
    pieces = [_written(piece, B, "x", 0) for piece in template.pieces]
    at = pieces.index(B) if B in pieces else len(pieces)
    for first, last in combinations(range(len(pieces) + 1), 2):
        if first <= at < last:
            yield "".join(pieces[first:last])
