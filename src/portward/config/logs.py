"""The tables [[defence.logs]]: which logs of this machine are judged, and by which pattern.

LogSettings.model_validate({"name": "web", "file": "/var/log/nginx/access.log", "pattern": "nginx"})
"""

import re
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, model_validator

from portward.config.section import Section
from portward.config.spelling import NAME_PATTERN, Misspelt
from portward.config.values import Flag, ServiceName, beside

_UNIT = re.compile(r"[A-Za-z0-9:_.@\\-]{1,256}")
_SEVERAL = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def _files(value: Any, info: ValidationInfo) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else (value,)
    if not values or not all(isinstance(one, str) and one and one.isprintable() for one in values):
        raise Misspelt("is no file", expected="a path such as /var/log/auth.log, with * and ? if need be, or a list")
    return tuple(beside(one, info) for one in values)


def _unit(value: Any) -> str:
    if not isinstance(value, str) or not _UNIT.fullmatch(value):
        raise Misspelt("is no unit of systemd", expected="a name such as vaultwarden.service")
    return value if "." in value else f"{value}.service"


def _pattern_names(value: Any) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else (value,)
    if not values or not all(isinstance(one, str) and re.fullmatch(NAME_PATTERN, one) for one in values):
        raise Misspelt("is no name of a pattern", expected="a name such as sshd, or a list of them")
    return tuple(values)


_Files = Annotated[
    tuple[str, ...],
    BeforeValidator(_files),
    WithJsonSchema({"anyOf": [{"type": "string"}, _SEVERAL], "examples": ["/var/log/nginx/*access.log"]}),
]
_Unit = Annotated[str, BeforeValidator(_unit), WithJsonSchema({"type": "string", "examples": ["vaultwarden.service"]})]
_PatternNames = Annotated[
    tuple[str, ...],
    Field(min_length=1),
    BeforeValidator(_pattern_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, _SEVERAL], "examples": ["nginx", ["postfix", "dovecot"]]}),
]


class LogSettings(Section):
    """A log that is followed: files, or a unit of systemd's journal."""

    name: ServiceName
    """What events and the status call it."""
    file: _Files = ()
    """A file, several, or all that match, as in `/var/log/nginx/*.log`. Relative to portward.toml."""
    unit: _Unit | None = None
    """A unit whose messages in the journal are judged, instead of a file."""
    pattern: _PatternNames
    """By which pattern its lines are read: one that ships, one of [defence.patterns], or several."""
    header: Flag = True
    """Whether the lines of a pattern with a `program` begin as syslog writes them. `sshd -E` writes messages alone."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if bool(self.file) == bool(self.unit):
            raise Misspelt("must say where the log is", expected="either `file` or `unit`")
        return self
