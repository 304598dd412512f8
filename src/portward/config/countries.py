"""From where one may come: the table [defence.countries], and the key `countries` of a service.

    Countries.model_validate({"allow": ["DE", "AT"], "except": ["office"]})

An address that may come still has to log in: nothing here opens anything.
"""

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from portward.config.iso3166 import COUNTRIES, nearest
from portward.config.section import Section
from portward.config.spelling import Misspelt
from portward.config.values import Source

_LAST_AS = 2**32 - 1


def parse_country(value: object) -> str:
    """A code of ISO 3166-1, in capitals."""
    if isinstance(value, str) and value.upper() in COUNTRIES:
        return value.upper()
    near = nearest(value) if isinstance(value, str) else None
    raise Misspelt(
        "is no country",
        expected="two letters of ISO 3166-1, such as DE or US",
        way_out=f"did you mean {near} ({COUNTRIES[near]})?" if near else "`portward geo show ADDRESS` shows codes",
    )


def parse_as(value: object) -> int:
    """The number of an autonomous system (RFC 6793), with `AS` before it or without."""
    found = re.fullmatch(r"(?i)(?:AS)?([0-9]{1,10})", str(value)) if isinstance(value, str | int) else None
    if isinstance(value, bool) or not found or not 1 <= int(found[1]) <= _LAST_AS:
        raise Misspelt("is no number of a network (AS)", expected='a number such as 3320 or "AS3320"')
    return int(found[1])


Country = Annotated[
    str, BeforeValidator(parse_country), WithJsonSchema({"type": "string", "enum": [*sorted(COUNTRIES)]})
]
"""A country by its two letters."""
AsNumber = Annotated[
    int,
    BeforeValidator(parse_as),
    PlainSerializer(lambda number: f"AS{number}"),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["AS3320", 3320]}),
]
"""A network by its number (autonomous system)."""


class Countries(Section):
    """Who may come from where. Private addresses belong to no country, and are never shut out by this."""

    allow: tuple[Country, ...] = ()
    """Only from these countries, and from the networks of `as-allow`."""
    deny: tuple[Country, ...] = ()
    """From anywhere but these countries."""
    as_allow: tuple[AsNumber, ...] = ()
    """Networks (AS) from which one may come, beside the countries of `allow`."""
    as_deny: tuple[AsNumber, ...] = ()
    """Networks (AS) from which nobody may come, whatever their country."""
    except_: Annotated[tuple[Source, ...], Field(alias="except")] = ()
    """Networks, or names of networks, for which none of this holds."""
    unknown: Literal["refuse", "pass"] | None = None
    """Addresses whose country nobody knows. Default: `refuse` where only some may come, else `pass`."""

    @property
    def says_something(self) -> bool:
        return bool(self.allow or self.deny or self.as_allow or self.as_deny or self.unknown == "refuse")

    @property
    def only_some(self) -> bool:
        """Whether whoever is not named is refused."""
        return bool(self.allow or self.as_allow)

    @property
    def refuses_unknown(self) -> bool:
        return self.only_some if self.unknown is None else self.unknown == "refuse"
