"""Devices of accounts: what was asked for, what was issued, what was revoked.

    await store.devices.add(Device("d41d8c…", "ann", "phone", requested_at=now, own_key=True, csr="-----BEGIN…"))
    await store.devices.issue("d41d8c…", issued)           # True for exactly one caller
    await store.devices.trusted(now)                       # what the edge may let in

An account that is removed leaves its devices without one; those count as revoked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from portward.errors import NotFound
from portward.model import Device
from portward.store.database import Database
from portward.store.tables import accounts, devices


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate as it was signed. `fingerprint` is lower-case hex of its SHA-256, `certificate` PEM."""

    certificate: str
    fingerprint: str
    serial: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """What a revocation list says of one certificate (RFC 5280 section 5.1.2.6)."""

    serial: str
    revoked_at: datetime


class Devices:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, device: Device) -> None:
        """Raises `NotFound` for an unknown account."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(devices).values(asdict(device)))
        except IntegrityError as error:
            raise NotFound(
                "account", device.account, way_out="`portward account list` names those that exist"
            ) from error

    async def get(self, wanted: str) -> Device | None:
        found = await self._where(devices.c.id == wanted)
        return found[0] if found else None

    async def list(self, account: str | None = None) -> Sequence[Device]:
        """All of one account, or of everybody, by account and name; the newest of a name first."""
        return await self._where(devices.c.account == account if account is not None else None)

    async def named(self, account: str, name: str) -> Sequence[Device]:
        """What bears a name and is not revoked: one device, and its renewals."""
        mine = and_(devices.c.account == account, devices.c.name == name)
        return await self._where(and_(mine, devices.c.revoked_at.is_(None)))

    async def approve(self, wanted: str, now: datetime) -> bool:
        """False when it does not wait for that."""
        waiting = and_(devices.c.id == wanted, devices.c.approved_at.is_(None), devices.c.revoked_at.is_(None))
        return await self._change(waiting, approved_at=now) == 1

    async def issue(self, wanted: str, issued: Issued) -> bool:
        """Keep the certificate of an approved device. True for exactly one caller."""
        due = and_(
            devices.c.id == wanted,
            devices.c.approved_at.is_not(None),
            devices.c.issued_at.is_(None),
            devices.c.revoked_at.is_(None),
        )
        return await self._change(due, **asdict(issued)) == 1

    async def revoke(self, account: str, name: str, now: datetime) -> Sequence[Device]:
        """Revoke everything that bears a name. Returns what was not revoked before."""
        mine = and_(devices.c.account == account, devices.c.name == name, devices.c.revoked_at.is_(None))
        async with self._database.write() as connection:
            rows = await connection.execute(update(devices).where(mine).values(revoked_at=now).returning(devices))
            return [_device(row) for row in rows.mappings()]

    async def rename(self, account: str, name: str, new: str) -> bool:
        """Give everything that bears a name another one. False when there is none."""
        mine = and_(devices.c.account == account, devices.c.name == name, devices.c.revoked_at.is_(None))
        return await self._change(mine, name=new) > 0

    async def used(self, fingerprints: Sequence[str], now: datetime) -> None:
        """Note that these were used."""
        for fingerprint in fingerprints:
            await self._change(devices.c.fingerprint == fingerprint, used_at=now)

    async def remind(self, wanted: str, stage: int) -> None:
        """Note which reminder was the last."""
        await self._change(devices.c.id == wanted, reminded=stage)

    async def trusted(self, now: datetime) -> Sequence[Device]:
        """Issued, neither revoked nor expired, of accounts that are not disabled."""
        enabled = select(accounts.c.name).where(accounts.c.disabled.is_(False))
        live = and_(devices.c.issued_at.is_not(None), devices.c.revoked_at.is_(None), devices.c.expires_at > now)
        return await self._where(and_(live, devices.c.account.in_(enabled)))

    async def revoked(self, now: datetime) -> Sequence[Revoked]:
        """What a revocation list must hold: issued, revoked or without an account, and not expired; by serial."""
        gone = or_(devices.c.revoked_at.is_not(None), devices.c.account.is_(None))
        query = select(devices.c.serial, devices.c.revoked_at, devices.c.issued_at).order_by(devices.c.serial)
        async with self._database.read() as connection:
            rows = await connection.execute(
                query.where(and_(gone, devices.c.issued_at.is_not(None), devices.c.expires_at > now))
            )
            return [Revoked(row.serial, row.revoked_at or row.issued_at) for row in rows]

    async def remove(self, wanted: str) -> bool:
        """Forget one that was never issued. False when there is none."""
        return await self._delete(and_(devices.c.id == wanted, devices.c.issued_at.is_(None))) == 1

    async def forget(self, *, asked_before: datetime, expired_before: datetime) -> int:
        """Forget requests that nobody followed up, and certificates that are long over. Returns how many."""
        unanswered = and_(devices.c.issued_at.is_(None), devices.c.requested_at < asked_before)
        return await self._delete(or_(unanswered, devices.c.expires_at < expired_before))

    async def _where(self, condition: ColumnElement[bool] | None) -> Sequence[Device]:
        query = select(devices).order_by(devices.c.account, devices.c.name, devices.c.requested_at.desc(), devices.c.id)
        async with self._database.read() as connection:
            rows = await connection.execute(query if condition is None else query.where(condition))
            return [_device(row) for row in rows.mappings()]

    async def _change(self, condition: ColumnElement[bool], **fields: Any) -> int:
        async with self._database.write() as connection:
            return await connection.change(update(devices).where(condition).values(fields))

    async def _delete(self, condition: ColumnElement[bool]) -> int:
        async with self._database.write() as connection:
            return await connection.change(delete(devices).where(condition))


def _device(row: Mapping[Any, Any]) -> Device:
    values: dict[str, Any] = dict(row)
    return Device(**{**values, "account": values["account"] or ""})
