"""Which version of a list it is, and the bytes of one that lies in a file.

read(Path("drop.txt"), seen=Seen()).content       # None where it is the version that was seen
"""

from dataclasses import dataclass
from pathlib import Path

from portward.defense.lists.text import Unusable

_LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Seen:
    """What tells one version of a list from another: the publisher's own words, or what the file system says."""

    etag: str = ""
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`content` is None where nothing has changed since `seen`."""

    content: bytes | None
    seen: Seen


def read(file: Path, *, seen: Seen) -> Fetched:
    """Raises `Unusable`."""
    try:
        now = signature(file)
        if now == seen:
            return Fetched(None, now)
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise Unusable(f"{file} can't be read: {error.strerror}") from None
    refuse_large(len(content))
    return Fetched(content, now)


def signature(file: Path) -> Seen:
    """Tells, without reading it, whether a file has changed. Raises `OSError`."""
    facts = file.stat()
    return Seen(f"{facts.st_dev}-{facts.st_ino}-{facts.st_size}", str(facts.st_mtime_ns))


def refuse_large(size: int) -> None:
    """Raises `Unusable` for more bytes than any list needs."""
    if size > _LARGEST:
        raise Unusable(f"it is larger than {_LARGEST >> 20} MB")
