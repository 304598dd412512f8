"""A table [[defence.lists]]: a block list that somebody else keeps, and that we take over again and again.

BlockList.model_validate({"name": "drop", "url": "https://www.spamhaus.org/drop/drop_v4.json"}).refresh     # 1 day
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from portward.config.section import Section
from portward.config.spelling import NAME_PATTERN, Misspelt
from portward.config.values import BesideFile, Duration

_URL = re.compile(r"https://[^\s/?#@]+(?:/[!-~]*)?")
_OFTENEST = timedelta(minutes=5)


def _name(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME_PATTERN, value):
        raise Misspelt("is no name of a list", expected="lower-case letters, digits and inner dashes, 1 to 32")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 2000 or not _URL.fullmatch(value):
        raise Misspelt(
            "is no address of a list",
            expected="a URL such as https://lists.example.com/drop.txt, without a password in it",
            way_out="whoever can change a list on its way decides who is shut out, so only https is read",
        )
    return value


def _seldom(value: timedelta) -> timedelta:
    if value < _OFTENEST:
        raise Misspelt("asks whoever publishes the list too often", expected="at least 5m")
    return value


class BlockList(Section):
    """A list of networks that are shut out, kept by somebody else. One of `url` and `file` is given."""

    name: Annotated[str, BeforeValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME_PATTERN}$"})]
    """What the list is called here."""
    url: Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string", "pattern": "^https://"})] | None = None
    """Where it is published; https only."""
    file: BesideFile | None = None
    """A file in its place, which something else keeps fresh. Relative to portward.toml."""
    ca_file: BesideFile | None = None
    """Who vouches for the publisher's HTTPS, where the system's authorities do not."""
    refresh: Annotated[Duration, AfterValidator(_seldom)] = timedelta(days=1)
    """How often it is looked at."""
    most: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 200_000
    """A list with more entries than this is not taken."""
    mode: Literal["enforce", "shadow", "off"] = "enforce"
    """Shut out who is on it; only count whom it would shut out (`portward defence report`); or neither."""

    @property
    def source(self) -> str:
        return self.url or self.file or ""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise Misspelt(
                "does not say where the list is",
                expected="either `url` or `file`",
                way_out='add `url = "https://…"` or `file = "…"`',
            )
        return self


def _names_once(lists: tuple[BlockList, ...]) -> tuple[BlockList, ...]:
    names = [wanted.name for wanted in lists]
    for name in names:
        if names.count(name) > 1:
            raise Misspelt(f"has two lists named {name}", expected="each name once")
    return lists


BlockLists = Annotated[tuple[BlockList, ...], AfterValidator(_names_once)]
