"""What the keeper asks of the process, and what it hears: two lines of JSON.

spell(Refresh("drop", url="https://lists.example.com/drop.txt", target="/…/lists/drop.lst"))
spell(Compose({"drop": "/…/lists/drop.lst"}, exempt=("192.0.2.7/32",), target="/…/listed.map"))
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Outcome = Literal["unchanged", "taken", "refused"]


@dataclass(frozen=True, slots=True)
class Refresh:
    """Look at one list, and put it at `target` when it has changed and is good.

    With `force`, one that has shrunk by nine tenths is taken too.
    """

    name: str
    target: str
    most: int
    url: str | None = None
    file: str | None = None
    ca_file: str | None = None
    etag: str = ""
    modified: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Compose:
    """Put the lists (name to file) together at `target`, lines of `NETWORK NAME`, without what is exempt."""

    lists: Mapping[str, str]
    exempt: tuple[str, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a `Refresh`. `problem` says why a list was refused; counts are of networks.

    `etag` and `modified` tell the version that was looked at, whether it was taken or refused.
    """

    outcome: Outcome
    problem: str = ""
    entries: int = 0
    added: int = 0
    removed: int = 0
    unreadable: int = 0
    first_unreadable: str = ""
    never_public: int = 0
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Composed:
    """What became of a `Compose`: how many networks are in force, and how many addresses were left out."""

    networks: int
    exempted: int


def spell(job: Refresh | Compose | Done | Composed) -> str:
    return json.dumps({"job": type(job).__name__, **asdict(job)})


def read(line: str) -> Refresh | Compose:
    values = _values(line)
    if values.pop("job") == Refresh.__name__:
        return Refresh(**values)
    return Compose(**{**values, "exempt": tuple(values["exempt"])})


def read_done(line: str | bytes) -> Done | Composed:
    """Raises `ValueError`, `KeyError`, `TypeError` for anything else."""
    values = _values(line)
    return Done(**values) if values.pop("job") == Done.__name__ else Composed(**values)


def _values(line: str | bytes) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(line)
    return values
