"""Files that are whole or not there: what a crash, a full disk or a second writer can't cut in half.

replace(state.secret, os.urandom(32))                     # mode 0600
replace(state.haproxy_cfg, text.encode(), mode=0o640)
with replacing(path) as file:                             # piece by piece
    file.write(b"...")
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path` in one step; readers see the old file or the new one, also after a power cut.

    Raises `OSError`, with the old file untouched and no temporary file left.
    """
    with replacing(path, mode) as file:
        file.write(data)


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """As `replace`, of what is written in the block; where that raises, the old file stays."""
    with _temporary(path, mode) as (new, file):
        yield file
        _settle(file)
        new.replace(path)
    _sync_directory(path.parent)


def create(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Like `replace`, but never over an existing file. Returns whether this call made it.

    Of several writers at once exactly one wins; the others may read the winner's file at once, and find it whole.
    """
    try:
        with _temporary(path, mode) as (new, file):
            file.write(data)
            _settle(file)
            path.hardlink_to(new)
    except FileExistsError:
        return False
    _sync_directory(path.parent)
    return True


def private_directory(path: Path) -> Path:
    """Make `path` and its missing parents, readable by its owner alone (0700). Returns `path`."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def signature_of(path: Path) -> tuple[int, ...] | None:
    """What tells one content from another without reading it; None where there is no file."""
    try:
        facts = path.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino, facts.st_mtime_ns, facts.st_size


@contextmanager
def _temporary(path: Path, mode: int) -> Iterator[tuple[Path, BinaryIO]]:
    new = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            yield new, file
    finally:
        new.unlink(missing_ok=True)


def _settle(file: BinaryIO) -> None:
    """What was written is on the disk."""
    file.flush()
    os.fsync(file.fileno())


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
