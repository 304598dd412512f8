"""How a line of a log is described: its own words, with a field in braces wherever they differ from line to line.

    parse_template("Failed {password|publickey} for {name} from {address} port {port} ssh2")

| field | what it stands for |
|---|---|
| `{address}` | the address that is to blame: IPv4 or IPv6, whole |
| `{port}` | its port; tells the connections of one address apart |
| `{name}` | the user name that was tried: any text. `{name:word}` and `{name:quoted}` are stricter |
| `{text}` | any text, or none |
| `{word}` | text without spaces, or none |
| `{quoted}` | text without `"`, unless a backslash stands before it |
| `{bracketed}` | text without `]` |
| `{number}` | digits |
| `{time}` | a date and time, or the seconds since 1970 |
| `{a|b|}` | one of these words, or nothing |
| `{{` | a brace |

What a program writes outside of the fields stands for itself, so a description can only be too narrow, never too wide.
"""

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from portward.config.grammar import Alt, Chars, Many, Node, Seq, literal
from portward.config.spelling import Misspelt

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_EXPECTED = "words of the log with fields such as {address}, {name}, {word}, {number}, {quoted}, {text} and {time}"
_MOST_FREE = 4
_FEWEST_OWN = 3
_DIGIT = Chars("[0-9]")
_ANY = Many(Chars("[^\\n]"), 0)
_WORD = Many(Chars("[^ \\n]"), 0)
_QUOTED = Many(Alt((Chars(r'[^"\\\n]'), Seq((Chars(r"\\"), Chars(r"[^\n]"))))), 0)
_OCTET = Alt(
    (
        Seq((Chars("2"), Chars("5"), Chars("[0-5]"))),
        Seq((Chars("2"), Chars("[0-4]"), _DIGIT)),
        Seq((Chars("1"), _DIGIT, _DIGIT)),
        Seq((Chars("[1-9]"), _DIGIT)),
        _DIGIT,
    )
)
_DOT = Chars(r"\.")
_ADDRESS = Alt(
    (
        Seq((_OCTET, _DOT, _OCTET, _DOT, _OCTET, _DOT, _OCTET)),
        Seq((Many(Chars("[0-9A-Fa-f]"), 0), Chars(":"), Many(Chars("[0-9A-Fa-f:.]")))),
    )
)
"""What looks like an address; whether it is one, `ip_address` says afterwards."""
_KINDS: dict[str, Node] = {
    "text": _ANY,
    "word": _WORD,
    "quoted": _QUOTED,
    "bracketed": Many(Chars(r"[^\]\n]"), 0),
    "number": Many(_DIGIT),
    "port": Many(_DIGIT),
    "name": _ANY,
    "name:word": _WORD,
    "name:quoted": _QUOTED,
    "address": _ADDRESS,
}
_FREE = {"text", "name"}
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
_DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


@dataclass(frozen=True, slots=True)
class Literal:
    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """`kind` is `address`, `name:word`, … as in the table above."""

    kind: str

    @property
    def noun(self) -> str:
        return self.kind.partition(":")[0]

    @property
    def free(self) -> bool:
        return self.kind in _FREE


Piece = Literal | Choice | Field


@dataclass(frozen=True, slots=True)
class Template:
    """One description. `pieces` in their order; `source` as it was written."""

    source: str
    pieces: tuple[Piece, ...]

    def has(self, noun: str) -> bool:
        return any(isinstance(piece, Field) and piece.noun == noun for piece in self.pieces)

    @property
    def begins_with_own_words(self) -> bool:
        """Whether the program's own words stand before any text of others that may lead up to the address."""
        words = ""
        for piece in self.pieces:
            if isinstance(piece, Field) and (piece.free or piece.noun == "address"):
                return piece.noun == "address" or sum(map(str.isalnum, words)) >= _FEWEST_OWN
            words += piece.text if isinstance(piece, Literal) else min(getattr(piece, "words", [""]), key=len)
        return True

    @property
    def grammar(self) -> Seq:
        return Seq(tuple(node_of(piece) for piece in self.pieces))


def parse_template(text: str) -> Template:
    """Raises `Misspelt` for what can't be read, and for what no text could be read by in one way only."""
    if not isinstance(text, str) or not text.strip() or len(text) > 1000 or not text.isprintable():
        raise Misspelt("is no description of a line", expected=_EXPECTED)
    pieces = tuple(_piece(match) for match in _PIECE.finditer(text))
    nouns = [piece.noun for piece in pieces if isinstance(piece, Field)]
    for noun in ("address", "name", "port", "time"):
        if nouns.count(noun) > 1:
            raise Misspelt(f"has {{{noun}}} more than once", expected=f"{{{noun}}} at most once in a line")
    if sum(isinstance(piece, Field) and piece.free for piece in pieces) > _MOST_FREE:
        raise Misspelt("has too many fields for any text", expected=f"at most {_MOST_FREE} of {{text}} and {{name}}")
    if any(isinstance(one, Field) and isinstance(next_, Field) for one, next_ in pairwise(pieces)):
        raise Misspelt("has two fields with nothing between them", expected="words or a space between fields")
    return Template(text, pieces)


def node_of(piece: Piece) -> Node:
    """The grammar of one piece; fields are marked by their noun."""
    match piece:
        case Literal():
            return literal(piece.text)
        case Choice():
            return Alt(tuple(literal(word) for word in sorted(piece.words, key=len, reverse=True)))
        case Field():
            return Seq((_times() if piece.kind == "time" else _KINDS[piece.kind],), mark=piece.noun)


def _piece(match: re.Match[str]) -> Piece:
    text = match[0]
    if text in {"{{", "}}"}:
        return Literal(text[0])
    if text in {"{", "}"}:
        raise Misspelt("has a brace without its other half", expected="{{ and }} for braces of the log itself")
    if match[1] is None:
        return Literal(text)
    if "|" in match[1]:
        return Choice(tuple(match[1].split("|")))
    if match[1] == "time" or match[1] in _KINDS:
        return Field(match[1])
    raise Misspelt(f"has an unknown field {text}", expected=", ".join(f"{{{kind}}}" for kind in [*_KINDS, "time"]))


def _shape(shape: str) -> Seq:
    """`d` is a digit, `_` a digit or a space, `M` a month, `W` a day of the week; all else stands for itself."""
    named: dict[str, Node] = {"d": _DIGIT, "_": Chars("[0-9 ]")}
    named |= {"M": Alt(tuple(map(literal, _MONTHS))), "W": Alt(tuple(map(literal, _DAYS)))}
    return Seq(tuple(named.get(char) or literal(char) for char in shape))


def _maybe(*nodes: Node) -> Alt:
    return Alt((*nodes, Seq(())))


@cache
def _times() -> Alt:
    fraction = _maybe(Seq((Chars("[.,]"), Many(_DIGIT))))
    sign = Chars("[+-]")
    zone = _maybe(
        Chars("Z"),
        Seq((_maybe(Chars(" ")), sign, _shape("dddd"))),
        Seq((_maybe(Chars(" ")), sign, _shape("dd:dd"))),
        literal(" UTC"),
    )
    return Alt(
        (
            Seq((_shape("dddd-dd-dd"), Chars("[T ]"), _shape("dd:dd:dd"), fraction, zone)),
            Seq((_shape("dddd/dd/dd dd:dd:dd"), fraction)),
            Seq((_shape("dd/M/dddd:dd:dd:dd"), fraction, _maybe(Seq((Chars(" "), sign, _shape("dddd")))))),
            Seq((_maybe(_shape("W ")), _shape("M _d dd:dd:dd"), fraction, _maybe(_shape(" dddd")))),
            Seq((_shape("dd-M-dddd dd:dd:dd"), fraction, zone)),
            Seq((_shape("dddddddddd"), fraction)),
        )
    )
