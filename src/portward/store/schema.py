"""Which shape the tables of a file have, and which this version of Portward knows. Needs no Alembic.

version_of(path)          # '0001', or None for a file without tables
head()                    # '0001'
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from portward.errors import StoreError
from portward.store.database import BUSY, plainly

MIGRATIONS = Path(__file__).parent / "migrations"


def known() -> tuple[str, ...]:
    """The numbers of all steps, ascending."""
    files = (MIGRATIONS / "versions").glob("[0-9]*_*.py")
    return tuple(sorted(file.name.partition("_")[0] for file in files))


def head() -> str:
    """The newest shape."""
    return known()[-1]


def version_of(path: Path) -> str | None:
    """The shape of this file; None when it does not exist or is empty. Raises `StoreError`, also for a newer shape."""
    if not path.exists() or path.stat().st_size == 0:
        return None
    with plainly(path), closing(sqlite3.connect(path, timeout=BUSY)) as connection:
        version = _read(connection)
    if version is not None and version not in known():
        raise StoreError(
            f"the store {path} was written by a newer Portward (shape {version}, this one knows {head()})",
            way_out=f"install the newer Portward again, or put back a file of {path.parent / 'snapshots'}",
        )
    return version


def _read(connection: sqlite3.Connection) -> str | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "alembic_version" not in tables:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(row[0]) if row else None
