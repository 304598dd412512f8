"""Bring the store's tables up to date without ever risking what is in them.

    await migrate(state / "portward.db")

Snapshot, migrate a copy, check the copy, then put it in place in one SQLite transaction. Whatever fails before that
leaves the original as it was, and the error names the snapshot. The last three snapshots are kept. A first store is
made as the newest step would leave it (fresh.py).
"""

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from portward.errors import StoreError
from portward.store.apart import upgrade_apart
from portward.store.database import plainly
from portward.store.fresh import create
from portward.store.schema import MIGRATIONS, head, version_of

KEPT = 3
Upgrade = Callable[[Path], None]


async def migrate(path: Path) -> bool:
    """Make the file (0600) or bring it up to date. False when it was. Raises `StoreError`."""
    if await asyncio.to_thread(version_of, path) == head():
        return False
    return await asyncio.to_thread(migrate_with, path, upgrade_apart, create)


def migrate_with(path: Path, steps: Upgrade, first: Upgrade | None = None) -> bool:
    """As `migrate`, with the steps given, and what makes a first store: `steps` where nothing is; blocks."""
    with plainly(path), _alone(path):
        version = version_of(path)
        if version == head():
            return False
        if version is None:
            _begin(path, first or steps)
        else:
            _exchange(path, version, steps)
    return True


def upgrade(path: Path) -> None:
    """Run every step that this file lacks. Alembic is imported here alone."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def _begin(path: Path, steps: Upgrade) -> None:
    """A first store: made beside its place, moved there when it is whole."""
    copy = _private(path.with_name(f"{path.name}.new"))
    with _discarded(copy):
        steps(copy)
        _check(copy)
        copy.replace(path)


def _exchange(path: Path, version: str, steps: Upgrade) -> None:
    snapshot = _snapshot(path, version)
    copy = _private(path.with_name(f"{path.name}.new"))
    try:
        with _discarded(copy), closing(sqlite3.connect(path)) as original:
            before = _writes_seen(original)
            _copy(path, copy)
            steps(copy)
            _check(copy)
            if _writes_seen(original) != before:
                raise StoreError("the store was written to while it was brought up to date")
            with closing(sqlite3.connect(copy)) as source:
                source.backup(original)
    except Exception as error:
        raise StoreError(
            f"the store {path} could not be brought from shape {version} to {head()}: {error}",
            way_out=f"nothing was changed; a snapshot lies in {snapshot}. Install the former Portward to go on with it",
        ) from error


def _snapshot(path: Path, version: str) -> Path:
    directory = path.parent / "snapshots"
    directory.mkdir(mode=0o700, exist_ok=True)
    draft = _private(directory / "unfinished")
    with _discarded(draft):
        _copy(path, draft)
        snapshot = draft.replace(directory / f"{path.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{version}.db")
    _forget_old(directory)
    return snapshot


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copy:
        original.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


def _check(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
    if found != ["ok"] or orphans:
        raise StoreError(f"the migrated copy is not sound: {'; '.join(found)}, {len(orphans)} broken references")


def _writes_seen(connection: sqlite3.Connection) -> int:
    """A number that changes when another connection commits (PRAGMA data_version)."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _forget_old(directory: Path) -> None:
    for file in sorted(directory.glob("*.db"))[:-KEPT]:
        file.unlink()


def _private(path: Path) -> Path:
    """An empty file that its owner alone may read."""
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    return path


@contextmanager
def _discarded(copy: Path) -> Iterator[None]:
    try:
        yield
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One migration at a time, over all processes."""
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
