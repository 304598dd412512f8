"""What comes out of reading or writing another program's format: the result, and what could not be carried over.

    Imported((profile,), (Note("work", "RemoteCommand can't be carried over: …"),))
    Exported("Host work\\n…", ("start-at-login: …",))

Nothing is dropped in silence: whatever one side says and the other has no word for becomes a note.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from portward.errors import Mistake
from portward.tunnels.profiles.profile import Endpoint, Forward, Profile, Unix
from portward.tunnels.profiles.spelling import spell_forward


@dataclass(frozen=True, slots=True)
class Note:
    """What one tunnel lost, or has otherwise than one may think; `tunnel` is empty for the file as a whole."""

    tunnel: str
    text: str

    def __str__(self) -> str:
        return f"{self.tunnel}: {self.text}" if self.tunnel else self.text


@dataclass(frozen=True, slots=True)
class Broken:
    """A tunnel that can't be read, and why."""

    tunnel: str
    mistake: Mistake


@dataclass(frozen=True, slots=True)
class Imported:
    """The tunnels of a file, in its order. Those in `broken` are not among `profiles`."""

    profiles: tuple[Profile, ...] = ()
    notes: tuple[Note, ...] = ()
    broken: tuple[Broken, ...] = ()


@dataclass(frozen=True, slots=True)
class Exported:
    """One tunnel in another format. Written to a file, the text has this encoding."""

    text: str
    notes: tuple[str, ...] = ()
    encoding: str = "utf-8"


def together(parts: Iterable[Imported]) -> Imported:
    """Several files as one."""
    found = tuple(parts)
    return Imported(
        tuple(profile for part in found for profile in part.profiles),
        tuple(note for part in found for note in part.notes),
        tuple(broken for part in found for broken in part.broken),
    )


def without_sockets(forwards: Iterable[Forward], notes: list[str], program: str) -> list[Forward]:
    """The forwards between TCP ports; a note for each that a program without Unix sockets can't make."""
    kept = []
    for forward in forwards:
        if _has_socket(forward.listen) or _has_socket(forward.to):
            notes.append(f"the forward `{spell_forward(forward)}`: {program} can't forward Unix sockets")
        else:
            kept.append(forward)
    return kept


def _has_socket(end: Endpoint) -> bool:
    return isinstance(end, Unix)
