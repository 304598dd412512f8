"""Bans: those that hold, at most one a source, and those that are over, so that who comes back is known.

await store.bans.save([Ban("203.0.113.7", "login", "detector", since=now, until=later)])
await store.bans.covering(ip_address("203.0.113.7"), now)      # [Ban(…)]
await store.bans.expire(now)                                   # what is over, once
"""

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from itertools import islice
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, delete, func, insert, or_, select, true, type_coerce, update

from portward.model import Ban, BanBrief
from portward.store.database import Database
from portward.store.tables import bans

_AT_ONCE = 5000
_PAGE = 10_000
_FOUR = b"\0" * 10 + b"\xff\xff"
"""Before the bytes of an IPv4 address; see tables.py."""
_HOLDS = bans.c.lifted_at.is_(None)
_OWN = [column.name for column in bans.c if column.name not in ("id", "first", "last")]
_SEARCHED = (bans.c.source, bans.c.reason, bans.c.by)
_UNTIL = func.coalesce((type_coerce(bans.c.until, BigInteger) + 999_999) // 1_000_000, 0)
_LIFTED = [column for column in bans.c if column.name not in ("evidence", "first", "last")]


class Bans:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, wanted: Sequence[Ban]) -> None:
        """Keep bans. One whose source is banned already takes that ban's place, and its beginning.

        Raises `IntegrityError` when a source is named twice.
        """
        async with self._database.write() as connection:
            for some in _pieces(wanted, _AT_ONCE):
                gone = and_(bans.c.source.in_([ban.source for ban in some]), _HOLDS)
                await connection.execute(delete(bans).where(gone))
                await connection.execute(insert(bans), [_row(ban) for ban in some])

    async def holding(self, sources: Collection[str], now: datetime) -> dict[str, Ban]:
        """Which of these sources are banned themselves; networks around them don't count."""
        return {ban.source: ban for some in _pieces(sources, _AT_ONCE) for ban in await self._holding(some, now)}

    async def counts(self, sources: Collection[str]) -> dict[str, int]:
        """How many bans of each source are over."""
        query = select(bans.c.source, func.count().label("number")).group_by(bans.c.source)
        found: dict[str, int] = {}
        async with self._database.read() as connection:
            for some in _pieces(sources, _AT_ONCE):
                over = and_(bans.c.source.in_(some), ~_HOLDS)
                found |= {row.source: row.number for row in await connection.execute(query.where(over))}
        return found

    async def covering(self, address: IPv4Address | IPv6Address, now: datetime) -> Sequence[Ban]:
        """Every ban that shuts this address out, of the smallest network first."""
        candidates = [
            _spell(ip_network((address, length), strict=False)) for length in range(address.max_prefixlen + 1)
        ]
        found = await self._where(and_(bans.c.source.in_(candidates), _holds(now)))
        return sorted(found, key=lambda ban: -candidates.index(ban.source))

    async def inside(self, network: IPv4Network | IPv6Network, now: datetime) -> Sequence[Ban]:
        """Every ban of a source that lies in this network, or is this network; in the order of addresses."""
        first, last = _ends(network)
        return await self._where(and_(bans.c.first >= first, bans.c.last <= last, _holds(now)), bans.c.first)

    async def list(
        self,
        now: datetime,
        *,
        limit: int = 1000,
        after: str = "",
        search: str = "",
        reason: str = "",
        past: bool = False,
    ) -> Sequence[Ban]:
        """Bans that hold, the newest first; with `past`, those that are over too. `after` is a source: those older
        than its ban. `search` is a part of the source, of the reason or of who banned it; `reason` is all of it.
        """
        wanted: list[ColumnElement[bool]] = [true() if past else _holds(now)]
        if search:
            wanted.append(or_(*(column.contains(search, autoescape=True) for column in _SEARCHED)))
        if reason:
            wanted.append(bans.c.reason == reason)
        if after:
            wanted.append(bans.c.id < select(bans.c.id).where(bans.c.source == after, _HOLDS).scalar_subquery())
        return await self._where(and_(*wanted), bans.c.id.desc(), limit)

    async def history(self, source: str, *, limit: int = 100) -> Sequence[Ban]:
        """All bans of a source, those that are over too, the newest first."""
        return await self._where(bans.c.source == source, bans.c.id.desc(), limit)

    async def count(self, now: datetime) -> int:
        async with self._database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(bans).where(_holds(now))) or 0

    async def by_reason(self, now: datetime) -> dict[str, int]:
        """How many hold, by reason."""
        query = select(bans.c.reason, func.count().label("number")).where(_holds(now)).group_by(bans.c.reason)
        async with self._database.read() as connection:
            return {row.reason: row.number for row in await connection.execute(query)}

    async def pages(self, now: datetime) -> AsyncIterator[Sequence[BanBrief]]:
        """All that hold, in brief, some thousands at a time."""
        after = 0
        columns = (bans.c.source, _UNTIL, bans.c.reason, bans.c.by, bans.c.id)
        query = select(*columns).where(_holds(now)).order_by(bans.c.id).limit(_PAGE)
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(query.where(bans.c.id > after))).all()
            if not rows:
                return
            after = rows[-1][4]
            yield [BanBrief(*row[:4]) for row in rows]

    async def lift(self, sources: Collection[str], by: str, now: datetime) -> Sequence[Ban]:
        """End the bans of these sources. Returns those that there were."""
        found: list[Ban] = []
        for some in _pieces(sources, _AT_ONCE):
            found += await self._end(and_(bans.c.source.in_(some), _holds(now)), by, now)
        return found

    async def lift_all(self, by: str, now: datetime, *, made_by: str = "") -> Sequence[Ban]:
        """End every ban, or every one that `made_by` made. Returns them."""
        return await self._end(and_(_holds(now), bans.c.by == made_by) if made_by else _holds(now), by, now)

    async def expire(self, now: datetime) -> Sequence[Ban]:
        """End what is over by itself. Returns each of these bans to one caller only."""
        return await self._end(and_(_HOLDS, bans.c.until <= now), "time", now)

    async def next_end(self) -> datetime | None:
        """When the next ban is over; None where there is none that ends."""
        first = select(bans.c.until).where(_HOLDS, bans.c.until.is_not(None)).order_by(bans.c.until).limit(1)
        async with self._database.read() as connection:
            found: datetime | None = await connection.scalar(first)
            return found

    async def prune(self, before: datetime) -> int:
        """Forget bans that were over before then. Returns how many."""
        async with self._database.write() as connection:
            return await connection.change(delete(bans).where(bans.c.lifted_at < before))

    async def _holding(self, sources: Collection[str], now: datetime) -> Sequence[Ban]:
        return await self._where(and_(bans.c.source.in_(sources), _holds(now)))

    async def _where(
        self, condition: ColumnElement[bool], order: ColumnElement[Any] | None = None, limit: int | None = None
    ) -> Sequence[Ban]:
        query = select(bans).where(condition).order_by(bans.c.id if order is None else order).limit(limit)
        async with self._database.read() as connection:
            return [_ban(row) for row in (await connection.execute(query)).mappings()]

    async def _end(self, condition: ColumnElement[bool], by: str, now: datetime) -> Sequence[Ban]:
        ended = update(bans).where(condition).values(lifted_at=now, lifted_by=by).returning(*_LIFTED)
        async with self._database.write() as connection:
            return [_ban(row) for row in (await connection.execute(ended)).mappings()]


def _holds(now: datetime) -> ColumnElement[bool]:
    return and_(_HOLDS, or_(bans.c.until.is_(None), bans.c.until > now))


def _row(ban: Ban) -> dict[str, Any]:
    first, last = _ends_of(ban.source)
    values = {name: getattr(ban, name) for name in _OWN}
    return values | {"first": first, "last": last, "evidence": list(ban.evidence)}


def _ban(row: Mapping[Any, Any]) -> Ban:
    values = {str(name): value for name, value in row.items() if name not in ("id", "first", "last")}
    return Ban(**{**values, "evidence": tuple(values.get("evidence", ()))})


def _ends(network: IPv4Network | IPv6Network) -> tuple[bytes, bytes]:
    return _wide(network.network_address), _wide(network.broadcast_address)


def _ends_of(source: str) -> tuple[bytes, bytes]:
    """As `_ends`; most sources are one address, for which `ipaddress` would take far longer."""
    if "/" in source:
        return _ends(ip_network(source))
    address = inet_pton(AF_INET6, source) if ":" in source else _FOUR + inet_pton(AF_INET, source)
    return address, address


def _wide(address: IPv4Address | IPv6Address) -> bytes:
    return _FOUR + address.packed if address.version == 4 else address.packed


def _spell(network: IPv4Network | IPv6Network) -> str:
    return str(network.network_address) if network.prefixlen == network.max_prefixlen else str(network)


def _pieces(values: Collection[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(values)
    while piece := list(islice(rest, size)):
        yield piece
