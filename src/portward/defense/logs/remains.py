"""What was not read yet of a log that a rotation has renamed, copied or compressed.

    for chunk, position in remains_of(Path("/var/log/auth.log"), position): ...

It is looked for beside the log, among names that begin alike, and told by what stands in it.
"""

import gzip
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from io import BufferedReader
from pathlib import Path

from portward.defense.logs.lines import Lines
from portward.defense.logs.position import BACK, Position, digest

_CHUNK = 64 * 1024
_MOST_FILES = 500
Content = BufferedReader | gzip.GzipFile


def remains_of(path: Path, position: Position) -> Iterator[tuple[bytes, Position]]:
    """Whole lines after the position, each with the position after them. Nothing where the file is gone."""
    for file in _siblings(path):
        with suppress(OSError, EOFError, zlib.error), _opened(file) as content:
            if _is_at(content, position):
                yield from _rest(content, position)
                return


def _siblings(path: Path) -> list[Path]:
    """Files that may be the log under another name, the newest first."""
    try:
        beside = [entry for entry in os.scandir(path.parent) if _may_be(entry, path)]
        beside.sort(key=lambda entry: entry.stat().st_mtime, reverse=True)
    except OSError:
        return []
    return [Path(entry.path) for entry in beside[:_MOST_FILES]]


def _may_be(entry: os.DirEntry[str], path: Path) -> bool:
    stem = path.name.partition(".")[0]
    return entry.name != path.name and entry.name.startswith(stem) and entry.is_file(follow_symlinks=False)


@contextmanager
def _opened(file: Path) -> Iterator[Content]:
    handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as plain:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(0, "is no plain file")
        if file.suffix != ".gz":
            yield plain
        else:
            with gzip.open(plain, "rb") as content:
                yield content


def _is_at(content: Content, position: Position) -> bool:
    """Whether this is the file that the position is in."""
    if not isinstance(content, gzip.GzipFile):
        return position.is_in(content.fileno())
    if position.is_weak or digest(content.read(position.head_size)) != position.head:
        return False
    content.seek(max(0, position.offset - BACK))
    return digest(content.read(min(position.offset, BACK))) == position.back and content.tell() == position.offset


def _rest(content: Content, position: Position) -> Iterator[tuple[bytes, Position]]:
    content.seek(max(0, position.offset - BACK))
    behind = content.read(min(position.offset, BACK))
    lines, left = Lines(), b""
    while data := left + content.read(_CHUNK):
        cut = lines.cut(data)
        if not cut.used:
            return
        left, behind = data[cut.used :], (behind + data[: cut.used])[-BACK:]
        position = replace(position, offset=position.offset + cut.used, back=digest(behind))
        if cut.chunk:
            yield cut.chunk, position
