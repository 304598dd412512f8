"""Certificates of the operator's own, as `tls.files` names them.

"/etc/ssl/*.pem"                                         certificate, chain and key in one file; may be a pattern
{ certificate = "wiki.crt", key = "wiki.key" }           in two files
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from portward.config.spelling import Misspelt
from portward.config.values import beside

_PATTERN = set("*?[")


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Absolute paths. An empty `key` means that the key is in the same file."""

    certificate: str
    key: str = ""

    @property
    def is_pattern(self) -> bool:
        """Whether it stands for any number of files; a name that exists is never a pattern."""
        return not self.key and bool(_PATTERN & set(self.certificate)) and not Path(self.certificate).exists()


def _own_file(value: Any, info: ValidationInfo) -> OwnFile:
    if isinstance(value, OwnFile):
        return value
    parts = value if isinstance(value, dict) else {"certificate": value}
    if not {"certificate"} <= set(parts) <= {"certificate", "key"} or not all(map(_is_path, parts.values())):
        raise Misspelt(
            "names no certificate",
            expected='the path of a PEM file with certificate, chain and key, or { certificate = "…", key = "…" }',
        )
    return OwnFile(**{name: beside(path, info) for name, path in parts.items()})


def _is_path(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable()


def _spell(file: OwnFile) -> str | dict[str, str]:
    return {"certificate": file.certificate, "key": file.key} if file.key else file.certificate


_PATH = {"type": "string", "minLength": 1}
_PAIR = {
    "type": "object",
    "properties": {"certificate": _PATH, "key": _PATH},
    "required": ["certificate", "key"],
    "additionalProperties": False,
}
OwnFiles = Annotated[
    OwnFile, BeforeValidator(_own_file), PlainSerializer(_spell), WithJsonSchema({"anyOf": [_PATH, _PAIR]})
]
