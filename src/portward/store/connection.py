"""A connection to the store while it is lent. Statements run in threads, so that the event loop never waits for a disk.

    async with database.read() as connection:
        names = await connection.scalars(select(accounts.c.name))

SQLAlchemy's own extension for asyncio brings its mapper of objects along, 7 MB that nobody here uses.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, Self, TypeVar, TypeVarTuple, overload

from sqlalchemy import Connection as PlainConnection
from sqlalchemy import Engine, Executable, Result, ScalarResult
from sqlalchemy.sql.selectable import TypedReturnsRows

T = TypeVar("T")
Columns = TypeVarTuple("Columns")
Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Rows = Result[*tuple[Any, ...]]


class Connection:
    """One transaction, begun on entering; `commit` keeps it, leaving without undoes it. One statement at a time."""

    def __init__(self, engine: Engine, threads: Executor) -> None:
        self._engine, self._threads = engine, threads
        self._plain: PlainConnection | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._run(self._open)
        except BaseException:
            await self._run(self._close)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._run(self._close)

    @overload
    async def execute(
        self, statement: TypedReturnsRows[*Columns], parameters: Parameters | None = None
    ) -> Result[*Columns]: ...

    @overload
    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> Rows: ...

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        """All rows of a statement, or none where it returns none."""
        return await self._run(partial(self._execute, statement, parameters))

    @overload
    async def scalar(self, statement: TypedReturnsRows[T]) -> T | None: ...

    @overload
    async def scalar(self, statement: Executable) -> Any: ...

    async def scalar(self, statement: Executable) -> Any:
        """The first column of the first row."""
        return (await self.execute(statement)).scalar()

    @overload
    async def scalars(self, statement: TypedReturnsRows[T]) -> ScalarResult[T]: ...

    @overload
    async def scalars(self, statement: Executable) -> ScalarResult[Any]: ...

    async def scalars(self, statement: Executable) -> ScalarResult[Any]:
        """The first column of each row."""
        return (await self.execute(statement)).scalars()

    async def change(self, statement: Executable) -> int:
        """How many rows it changed."""
        return await self._run(lambda: self._lent.execute(statement).rowcount)

    async def commit(self) -> None:
        await self._run(lambda: self._lent.commit())

    async def _run(self, work: Callable[[], T]) -> T:
        """Do it in a thread. Whoever is cancelled waits for its end, so that a connection never goes on unwatched."""
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait({running})
            raise

    def _open(self) -> None:
        self._plain = self._engine.connect()
        self._plain.begin()

    def _close(self) -> None:
        if self._plain:
            self._plain.close()

    @property
    def _lent(self) -> PlainConnection:
        assert self._plain  # noqa: S101 - asked for by `_open`
        return self._plain

    def _execute(self, statement: Executable, parameters: Parameters | None) -> Rows:
        result = self._lent.execute(statement, parameters)
        return result.freeze()() if result.returns_rows else result
