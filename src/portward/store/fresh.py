"""A first store, made straight from the tables as the code knows them: the steps that led there are for older ones.

    create(path)              # the file exists, and is empty

Alembic in a process of its own would take most of a second of the first start. A test compares what is made here with
what the steps make, table by table and index by index.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from portward.store.schema import head
from portward.store.tables import metadata

_STAMP = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
    "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


def create(path: Path) -> None:
    """Make all tables and indices, and note the newest shape, in one transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_STAMP)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (head(),))
        for table in metadata.sorted_tables:
            connection.execute(_spelt(CreateTable(table)))
            for index in sorted(table.indexes, key=lambda index: str(index.name)):
                connection.execute(_spelt(CreateIndex(index)))
        connection.execute("COMMIT")


def _spelt(statement: ExecutableDDLElement) -> str:
    return str(statement.compile(dialect=sqlite.dialect()))
