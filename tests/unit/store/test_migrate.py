import asyncio
import re
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from portward.errors import StoreError
from portward.model import Account
from portward.store import Store, migrate
from portward.store.migrate import migrate_with, upgrade
from portward.store.schema import MIGRATIONS, head, known, version_of
from portward.store.tables import metadata


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "portward.db"


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection, connection:
        yield connection


def set_version(path: Path, version: str) -> None:
    with opened(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))


async def add_account(path: Path, name: str) -> None:
    async with Store.open(path) as store:
        await store.accounts.add(Account(name))


async def names(path: Path) -> list[str]:
    async with Store.open(path) as store:
        return [account.name for account in await store.accounts.list()]


@pytest.fixture
def earlier(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with ann in it, of a shape before the newest, written to and not yet checkpointed."""
    asyncio.run(migrate(path))
    asyncio.run(add_account(path, "ann"))
    set_version(path, "0000")
    monkeypatch.setattr("portward.store.schema.known", lambda: ("0000", *known()))
    return path


def as_if_migrated(copy: Path) -> None:
    set_version(copy, head())
    with opened(copy) as connection:
        connection.execute("UPDATE accounts SET display_name = 'migrated'")


def test_a_fresh_store_is_made_once_and_is_private(path: Path) -> None:
    assert asyncio.run(migrate(path))
    assert not asyncio.run(migrate(path))
    asyncio.run(add_account(path, "ann"))
    for file in path.parent.glob("portward.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert version_of(path) == head()


def test_the_migrations_lead_to_the_tables_that_the_code_knows(path: Path) -> None:
    migrate_with(path, upgrade)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    assert differences == []


def parts(statement: str) -> tuple[list[str], set[str]]:
    """The columns of a CREATE TABLE in their order, and its constraints, which have none."""
    inner = " ".join(statement.replace('"', "").split()).partition("(")[2].rpartition(")")[0]
    found = [part.strip() for part in re.split(r",(?![^(]*\))", inner)]
    constraints = {part for part in found if part.startswith(("PRIMARY KEY", "FOREIGN KEY", "UNIQUE", "CONSTRAINT"))}
    return [part for part in found if part not in constraints], constraints


def shape(path: Path) -> dict[tuple[str, str, str], object]:
    """Everything in sqlite_master, by kind, name and table; tables in parts, and the version beside them."""
    with opened(path) as connection:
        rows = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
        version = connection.execute("SELECT * FROM alembic_version").fetchall()
    found: dict[tuple[str, str, str], object] = {("version", "", ""): version}
    for kind, name, table, sql in rows:
        found[kind, name, table] = parts(sql) if kind == "table" else " ".join((sql or "").split())
    return found


def test_a_fresh_store_equals_a_migrated_one_table_by_table_and_index_by_index(path: Path) -> None:
    migrated = path.with_name("migrated.db")
    asyncio.run(migrate(path))
    migrate_with(migrated, upgrade)
    fresh, wanted = shape(path), shape(migrated)
    assert sorted(fresh) == sorted(wanted)
    for thing, what in wanted.items():
        assert fresh[thing] == what, thing
    tables = {table for kind, table, _ in wanted if kind == "table"}
    assert {"accounts", "keys", "events", "sqlite_sequence"} <= tables
    with opened(path) as one, opened(migrated) as other:
        for table in tables:
            columns = [made.execute(f"PRAGMA table_xinfo({table})").fetchall() for made in (one, other)]
            assert columns[0] == columns[1]
            links = [made.execute(f"PRAGMA foreign_key_list({table})").fetchall() for made in (one, other)]
            assert {row[2:] for row in links[0]} == {row[2:] for row in links[1]}


def test_a_fresh_store_is_made_without_alembic_and_without_another_process(path: Path) -> None:
    program = (
        "import asyncio, pathlib, subprocess, sys\n"
        "from portward.store import migrate\n"
        "subprocess.Popen = None\n"
        "assert asyncio.run(migrate(pathlib.Path(sys.argv[1])))\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program, str(path)], check=False).returncode == 0
    assert version_of(path) == head()


def test_the_file_names_of_the_migrations_are_their_revisions() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert sorted(revision.revision for revision in script.walk_revisions()) == list(known())
    assert script.get_current_head() == head()


def test_a_store_that_is_up_to_date_is_opened_without_alembic(path: Path) -> None:
    asyncio.run(migrate(path))
    program = (
        "import asyncio, sys, pathlib\n"
        "from portward.store import Store, migrate\n"
        "async def main(path):\n"
        "    await migrate(path)\n"
        "    async with Store.open(path): pass\n"
        "asyncio.run(main(pathlib.Path(sys.argv[1])))\n"
        "sys.exit('alembic' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-W", "error", "-c", program, str(path)], check=False).returncode == 0


def test_an_earlier_store_is_migrated_and_keeps_what_is_in_it(earlier: Path) -> None:
    assert migrate_with(earlier, as_if_migrated)
    assert asyncio.run(names(earlier)) == ["ann"]
    [snapshot] = (earlier.parent / "snapshots").iterdir()
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    with opened(snapshot) as connection:
        assert connection.execute("SELECT display_name FROM accounts").fetchone() == ("",)
    with opened(earlier) as connection:
        assert connection.execute("SELECT display_name FROM accounts").fetchone() == ("migrated",)
    assert sorted(file.name for file in earlier.parent.iterdir()) == ["portward.db", "portward.db.lock", "snapshots"]


@pytest.mark.parametrize("harm", ["DROP TABLE accounts", "INSERT INTO members VALUES ('none', 'nobody')", "nonsense"])
def test_a_migration_that_fails_leaves_the_original_and_names_the_snapshot(earlier: Path, harm: str) -> None:
    def broken(copy: Path) -> None:
        with opened(copy) as connection:
            connection.execute(harm)
        if harm.startswith("DROP"):
            raise RuntimeError("the step failed halfway")

    with pytest.raises(StoreError, match=r"snapshot lies in .*snapshots/portward-"):
        migrate_with(earlier, broken)
    set_version(earlier, head())
    assert asyncio.run(names(earlier)) == ["ann"]
    assert not earlier.with_name("portward.db.new").exists()


def test_a_store_written_to_meanwhile_is_not_replaced(earlier: Path) -> None:
    def interrupted(copy: Path) -> None:
        as_if_migrated(copy)
        with opened(earlier) as connection:
            connection.execute("UPDATE accounts SET display_name = 'meanwhile'")

    with pytest.raises(StoreError, match="written to"):
        migrate_with(earlier, interrupted)
    with opened(earlier) as connection:
        assert connection.execute("SELECT display_name FROM accounts").fetchone() == ("meanwhile",)


def test_the_last_three_snapshots_are_kept(earlier: Path) -> None:
    for _ in range(5):
        set_version(earlier, "0000")
        migrate_with(earlier, as_if_migrated)
    assert len(list((earlier.parent / "snapshots").iterdir())) == 3


def test_a_first_store_that_fails_leaves_nothing(path: Path) -> None:
    def broken(copy: Path) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        migrate_with(path, broken)
    assert not path.exists()
    assert migrate_with(path, upgrade)


def test_a_newer_store_is_refused(path: Path) -> None:
    asyncio.run(migrate(path))
    set_version(path, "9999")
    with pytest.raises(StoreError, match="newer Portward"):
        asyncio.run(migrate(path))
    with pytest.raises(StoreError, match="newer Portward"):
        asyncio.run(names(path))


def test_a_store_that_was_not_migrated_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match="shape none"):
        asyncio.run(names(path))


def test_a_snapshot_that_could_not_be_finished_is_not_taken_for_one(
    earlier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: Path, target: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(sys.modules[migrate_with.__module__], "_copy", full)
    with pytest.raises(StoreError, match="make room"):
        migrate_with(earlier, as_if_migrated)
    assert list((earlier.parent / "snapshots").iterdir()) == []
