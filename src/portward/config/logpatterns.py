"""The tables [defence.patterns.NAME]: how a program writes that somebody failed to get in.

    Pattern.model_validate({"lines": ["login of {name} failed from {address}"]})

A description that would let an attacker blame somebody else is a mistake. docs/logs.md says how they are written.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from portward.config.ambiguity import TooLarge, doubtful_line
from portward.config.section import Section
from portward.config.spelling import Misspelt
from portward.config.templates import Template, parse_template

_PROGRAM = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_KEY = re.compile(r"[^\s]{1,128}")


def _program(value: Any) -> str:
    if not isinstance(value, str) or not _PROGRAM.fullmatch(value):
        raise Misspelt("is no name of a program", expected="what stands before `[PID]:` in the log, such as sshd")
    return value


def _key(value: Any) -> str:
    if not isinstance(value, str) or not _KEY.fullmatch(value):
        raise Misspelt("is no key of a JSON object", expected="a name such as remoteAddr; of an inner object, `a.b`")
    return value


def _one_or_several(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


def _values(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else (value,)
    if not values or not all(isinstance(one, str | int) and not isinstance(one, bool) for one in values):
        raise Misspelt("can't be compared with", expected="a text, a whole number, or a list of these")
    return tuple(str(one) for one in values)


def _begins_with_own_words(template: Template) -> Template:
    if not template.begins_with_own_words:
        raise Misspelt(
            "begins with any text, so that every line counts whose end an attacker can choose",
            expected="words of the program itself before the first {text} or {name}",
            way_out="write down the line from its beginning: {time} for its time, then the program's own words",
        )
    return template


LogLine = Annotated[
    Template,
    BeforeValidator(parse_template),
    AfterValidator(_begins_with_own_words),
    PlainSerializer(lambda value: value.source),
    WithJsonSchema({"type": "string", "examples": ["login of {name} failed from {address}"]}),
]
_Program = Annotated[str, BeforeValidator(_program), WithJsonSchema({"type": "string", "examples": ["sshd"]})]
_Key = Annotated[str, BeforeValidator(_key), WithJsonSchema({"type": "string", "examples": ["remoteAddr"]})]
_Values = Annotated[
    tuple[str, ...],
    BeforeValidator(_values),
    WithJsonSchema({"examples": [401, "core", ["401", "403"]]}),
]


class JsonLine(Section):
    """Logs that are JSON, an object a line. Keys of inner objects are written `outer.inner`."""

    where: dict[_Key, _Values] = Field(default={})
    """Keys that must have this value, or one of these; `*` at its end stands for any rest."""
    text: _Key | None = None
    """The key whose text `lines` describe."""
    address: _Key | None = None
    """The key that holds the address, where `lines` do not tell it."""
    name: _Key | None = None
    """The key that holds the user name that was tried."""


class Pattern(Section):
    """Lines that speak against an address. Whatever is not described counts for nothing."""

    program: Annotated[tuple[_Program, ...], BeforeValidator(_one_or_several)] = ()
    """Programs of a syslog whose messages `lines` describe. Empty: `lines` describe whole lines of a file."""
    lines: tuple[LogLine, ...] = ()
    """Lines of which each counts."""
    once: tuple[LogLine, ...] = ()
    """Lines that count only where nothing has counted yet of this address and `{port}`."""
    doubtful: tuple[LogLine, ...] = ()
    """Lines that an attacker might forge from within. One that can be read in two ways blames nobody."""
    json_: Annotated[JsonLine | None, Field(alias="json")] = None
    """For logs that are JSON, an object a line."""

    @property
    def templates(self) -> tuple[Template, ...]:
        return (*self.lines, *self.once, *self.doubtful)


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with the `key` of a pattern; the rest as in `errors.Mistake`."""

    key: str
    problem: str
    expected: str
    way_out: str


def flaws(pattern: Pattern) -> Iterator[Flaw]:
    """Why a pattern can't be used."""
    outside = pattern.json_ is not None and pattern.json_.address is not None
    if not pattern.templates and not (outside and pattern.json_ and pattern.json_.where):
        yield Flaw("lines", "describes no line", "`lines`, or `json` with `where` and `address`", "add `lines = […]`")
    for key in ("lines", "once", "doubtful"):
        for template in getattr(pattern, key):
            if template.has("address") == outside:
                said = "tells the address, which `json.address` tells too" if outside else "tells no address"
                yield Flaw(key, f"{template.source!r} {said}", "the address once", "put {address} where it stands")
    yield from _doubtful(pattern)


def _doubtful(pattern: Pattern) -> Iterator[Flaw]:
    templates = (*pattern.lines, *pattern.once)
    try:
        example = doubtful_line(templates)
    except TooLarge:
        yield Flaw(
            "lines",
            "has more lines than can be followed together",
            "fewer, with fewer fields for any text",
            "split it into two patterns, and name both in [[defence.logs]]",
        )
        return
    if example is not None:
        yield Flaw(
            "lines",
            f"would let an attacker blame somebody else: {_guilty(templates)} can be read in two ways, "
            f"as in {example!r}",
            "{word}, {quoted} or {number} in place of {text} and {name}, before or after the address",
            "or move the line to `doubtful`, where a line that can be read in two ways blames nobody",
        )


def _guilty(templates: Sequence[Template]) -> str:
    """The one line, or the first two, that can be taken for each other."""
    pairs = ((other, one) for number, one in enumerate(templates) for other in (*templates[:number], one))
    for one, other in sorted(pairs, key=lambda pair: pair[0] is not pair[1]):
        if doubtful_line([one] if one is other else [one, other]) is not None:
            return " and ".join(dict.fromkeys([repr(one.source), repr(other.source)]))
    return "the lines together"
