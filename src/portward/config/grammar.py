"""Small regular expressions whose readings can be counted: classes of characters, repetition, choice.

    grammar = Seq((literal("port "), Many(Chars("[0-9]"))))
    grammar.regex                       # 'port\\ [0-9]+'
    automaton(grammar).first            # the positions at which a text may begin

They are written as `re` and as an automaton (Glushkov's: a position for each character), and mean the same in both.
Only characters are repeated, so matching can't run away as it does for `(a+)+`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

_ALPHABET = "".join(map(chr, range(128))) + "é"
"""Every character that a class may tell apart; all others count as the last one, so none is overlooked."""


@dataclass(frozen=True, slots=True)
class Chars:
    """One character of a class, as `re` writes it."""

    regex: str


@dataclass(frozen=True, slots=True)
class Many:
    """A character, or one of several short pieces, at least so many times (0 or 1)."""

    one: "Node"
    least: int = 1

    @property
    def regex(self) -> str:
        return f"(?:{self.one.regex}){'+' if self.least else '*'}"


@dataclass(frozen=True, slots=True)
class Seq:
    """One after the other. `mark` names what is looked for, such as the address."""

    parts: tuple["Node", ...]
    mark: str = ""

    @property
    def regex(self) -> str:
        return "".join(part.regex for part in self.parts)


@dataclass(frozen=True, slots=True)
class Alt:
    """One of several."""

    options: tuple["Node", ...]

    @property
    def regex(self) -> str:
        return f"(?:{'|'.join(option.regex for option in self.options)})"


Node = Chars | Many | Seq | Alt


def literal(text: str) -> Seq:
    """This text and no other."""
    return Seq(tuple(Chars(re.escape(char)) for char in text))


@dataclass(slots=True)
class Automaton:
    """Positions from 0: which characters each takes (bits), which positions may follow, and below which mark it is."""

    takes: list[int] = field(default_factory=list)
    follows: list[set[int]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    first: set[int] = field(default_factory=set)
    last: set[int] = field(default_factory=set)


def automaton(node: Node) -> Automaton:
    """The automaton of a text that the whole of `node` describes."""
    made = Automaton()
    made.first, made.last, _ = _add(node, made, "")
    return made


def characters(mask: int) -> Iterator[str]:
    """The characters that a position takes, those that people can read first."""
    taken = [char for number, char in enumerate(_ALPHABET) if mask >> number & 1]
    return iter(sorted(taken, key=lambda char: (not char.isalnum(), not char.isprintable(), char)))


@cache
def _mask(regex: str) -> int:
    is_in = re.compile(regex, re.DOTALL).fullmatch
    taken = sum(1 << number for number, char in enumerate(_ALPHABET) if is_in(char))
    return taken or 1 << len(_ALPHABET) - 1


def _add(node: Node, made: Automaton, mark: str) -> tuple[set[int], set[int], bool]:
    """First and last positions of a node, and whether it may be empty (Glushkov 1961)."""
    match node:
        case Chars():
            made.takes.append(_mask(node.regex))
            made.follows.append(set())
            made.marks.append(mark)
            alone = {len(made.takes) - 1}
            return alone, set(alone), False
        case Many():
            first, last, empty = _add(node.one, made, mark)
            for position in last:
                made.follows[position] |= first
            return first, last, empty or node.least == 0
        case Alt():
            firsts, lasts, empties = zip(*(_add(option, made, mark) for option in node.options), strict=True)
            return set().union(*firsts), set().union(*lasts), any(empties)
        case Seq():
            return _add_sequence(node, made, mark)


def _add_sequence(node: Seq, made: Automaton, mark: str) -> tuple[set[int], set[int], bool]:
    first: set[int] = set()
    last: set[int] = set()
    empty = True
    for part in node.parts:
        begins, ends, may_be_empty = _add(part, made, node.mark or mark)
        for position in last:
            made.follows[position] |= begins
        first = first | begins if empty else first
        last = last | ends if may_be_empty else ends
        empty = empty and may_be_empty
    return first, last, empty
