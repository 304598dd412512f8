"""One SQLite file and its connections: readers beside one writer, and plain words when it can't be used.

    async with Database.open(path) as database:
        async with database.write() as connection:
            await connection.execute(...)

WAL, so that readers and the writer do not wait for each other. `synchronous=FULL`: every commit is on the disk before
it is answered. NORMAL would be faster, but could forget the last seconds in a power cut, and with them a logout: the
ended session would live again. Commits are few (logins, revocations; use and events come in batches), so FULL costs
nothing that anybody feels.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection as PlainConnection
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, IntegrityError

from portward.errors import StoreError
from portward.store.connection import Connection

BUSY = 5.0
PATIENCE = 30.0
"""Seconds that a reader or writer waits for a connection."""
_CONNECTIONS = 4


class Database:
    """Made by `Database.open`. Writers queue here instead of polling for SQLite's lock."""

    def __init__(self, path: Path, engine: Engine, threads: Executor) -> None:
        self.path = path
        self._engine, self._threads = engine, threads
        self._writer = engine.execution_options(writes=True)
        self._turn, self._connections = asyncio.Lock(), asyncio.Semaphore(_CONNECTIONS)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Database"]:
        """Open an existing file. All connections are closed, and their threads gone, on leaving."""
        arguments = {"isolation_level": None, "timeout": BUSY}
        engine = create_engine(f"sqlite:///{path}", connect_args=arguments, pool_size=_CONNECTIONS, max_overflow=0)
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        with ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="store") as threads:
            try:
                yield cls(path, engine, threads)
            finally:
                engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """A consistent view of the store, as it is now. Raises `StoreError`."""
        async with self._lend(self._engine) as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """A transaction that nobody else writes beside; committed on leaving, undone by an exception.

        Raises `StoreError`; `IntegrityError` passes, it tells the noun that something exists or is missing.
        """
        async with self._turn, self._lend(self._writer) as connection:
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def _lend(self, engine: Engine) -> AsyncIterator[Connection]:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connections.acquire()
        except TimeoutError as error:
            raise StoreError(
                f"the store {self.path} has too much to do", way_out="see whether its disk is slow or failing"
            ) from error
        try:
            with plainly(self.path):
                async with Connection(engine, self._threads) as connection:
                    yield connection
        finally:
            self._connections.release()


@contextmanager
def plainly(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a `StoreError` that tells what to do."""
    try:
        yield
    except IntegrityError:
        raise
    except (DatabaseError, sqlite3.Error) as error:
        cause = error.orig if isinstance(error, DatabaseError) else error
        raise StoreError(f"the store {path} can't be used: {cause}", way_out=_way_out(str(cause), path)) from error


def _way_out(cause: str, path: Path) -> str:
    if "full" in cause:
        return f"make room on the disk that holds {path.parent}; Portward goes on by itself then"
    if "locked" in cause or "busy" in cause:
        return f"another program has held {path.name} for more than {BUSY:.0f} s; find it with `fuser {path}`"
    if "malformed" in cause or "not a database" in cause:
        return f"stop Portward and put the newest file of {path.parent / 'snapshots'}, or a backup, in its place"
    if "readonly" in cause or "unable to open" in cause:
        return f"give the user that runs Portward the right to write {path} and its directory"
    return f"see that {path} is a readable file on a local disk"


def _prepare(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: PlainConnection) -> None:
    """Take the write lock at once: a reader that turns writer halfway could be refused as out of date."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
