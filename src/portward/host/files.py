"""Files that are whole or not there: what a crash, a full disk or a second writer can't cut in half.

replace(state.secret, os.urandom(32))                     # mode 0600
replace(state.haproxy_cfg, text.encode(), mode=0o640)
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put `data` at `path` in one step; readers see the old file or the new one, also after a power cut.

    Raises `OSError`, with the old file untouched and no temporary file left.
    """
    with _temporary(path, data, mode) as new:
        new.replace(path)
    _sync_directory(path.parent)


def create(path: Path, data: bytes, mode: int = 0o600) -> bool:
    """Like `replace`, but never over an existing file. Returns whether this call made it.

    Of several writers at once exactly one wins; the others may read the winner's file at once, and find it whole.
    """
    try:
        with _temporary(path, data, mode) as new:
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
def _temporary(path: Path, data: bytes, mode: int) -> Iterator[Path]:
    new = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield new
    finally:
        new.unlink(missing_ok=True)


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
