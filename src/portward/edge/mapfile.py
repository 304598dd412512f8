"""A HAProxy map on disk that always agrees with the same map in HAProxy's memory.

    sessions = MapFile(state.edge / "sessions.map")
    sessions.add({"9F86…": "1765000000|ann|s3ss10n|0"})
    sessions.remove(["9F86…"])

Adding appends a line; removing turns the line into a comment in place, so that one logout costs the same with a
hundred thousand sessions as with one. `write` makes the file anew.
"""

import mmap
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from portward.host import files

_MOST_DEAD = 1000
_AT_ONCE = 10_000
_HEAD = b"# Written by Portward; a line that begins with # is dead.\n"


class MapFile:
    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, str]:
        """All live entries. Empty where there is no file yet."""
        if not self.path.exists():
            return {}
        lines = self.path.read_text(encoding="utf-8").splitlines()
        pairs = (line.partition(" ") for line in lines if line and not line.startswith("#"))
        return {key: value for key, _, value in pairs}

    def differs(self, wanted: Mapping[str, str]) -> bool:
        """Whether the file should be written anew: it says something else, or it is mostly dead lines."""
        if not self.path.exists() or self.read() != wanted:
            return True
        return self.path.read_bytes().count(b"\n#") > len(wanted) + _MOST_DEAD

    def begin(self) -> None:
        """See that there is a file to add to and to remove from; what it holds stays."""
        if not self.path.exists() or not self.path.stat().st_size:
            self.write({})

    def write(self, entries: Mapping[str, str]) -> None:
        """Replace the whole file in one step."""
        with self.anew() as put:
            put(entries.items())

    @contextmanager
    def anew(self) -> Iterator[Callable[[Iterable[tuple[str, str]]], object]]:
        """Replace the whole file in one step by what is put in, piece by piece; the old one stays until then."""
        with files.replacing(self.path) as file:
            file.write(_HEAD)
            yield lambda entries: file.write(b"".join(_line(key, value) for key, value in entries))

    def exchange(self, gone: Collection[str], entries: Mapping[str, str]) -> None:
        """Take these keys out and put those entries in; the file is read and written once, however many they are."""
        with self.anew() as put, self.path.open(encoding="utf-8") as old:
            pairs = (line.rstrip("\n").partition(" ") for line in old if not line.startswith("#"))
            kept = ((key, value) for key, _, value in pairs if key not in gone)
            while some := list(islice(kept, _AT_ONCE)):
                put(some)
            put(entries.items())

    def add(self, entries: Mapping[str, str]) -> None:
        """Append entries; the caller knows that their keys are new."""
        with self.path.open("ab") as file:
            file.write(b"".join(_line(key, value) for key, value in entries.items()))

    def remove(self, keys: Iterable[str]) -> int:
        """Take entries out, and have that on the disk before returning: a revoked session must not come back.

        Returns how many there were.
        """
        with self.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
            count = sum(_blank(content, b"\n" + key.encode() + b" ") for key in keys)
            content.flush()
            os.fdatasync(file.fileno())
        return count

    def change(self, entries: Mapping[str, str]) -> None:
        """Give existing keys new values; the new line stands before the old one dies."""
        self.add(entries)
        with self.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as content:
            for key in entries:
                _blank(content, b"\n" + key.encode() + b" ", keep_last=True)


def _blank(content: mmap.mmap, needle: bytes, *, keep_last: bool = False) -> int:
    """Returns how many lines are dead by that."""
    count = 0
    last = content.rfind(needle) if keep_last else -1
    at = content.find(needle)
    while at not in (-1, last):
        content[at + 1 : at + 2] = b"#"
        at = content.find(needle, at + 1)
        count += 1
    return count


def _line(key: str, value: str) -> bytes:
    return f"{key} {value}\n".encode()
