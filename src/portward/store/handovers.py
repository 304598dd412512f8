"""Hand-over codes: a portal session on its way to a host, kept as hashes.

await store.handovers.add(Handover(session.id, host, "/inbox", nonce_hash, expires_at), code_hash)
await store.handovers.take(code_hash, now)                  # the Handover once, then None
"""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import and_, delete, insert
from sqlalchemy.exc import IntegrityError

from portward.store.database import Database
from portward.store.tables import handovers


@dataclass(frozen=True, slots=True)
class Handover:
    session_id: str
    host: str
    to: str
    nonce_hash: str
    expires_at: datetime


class Handovers:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, handover: Handover, code_hash: str) -> bool:
        """False when the session has ended."""
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(handovers).values(code_hash=code_hash, **asdict(handover)))
        except IntegrityError:
            return False
        return True

    async def take(self, code_hash: str, now: datetime) -> Handover | None:
        """Use a code, whatever comes of it. It is returned to exactly one caller."""
        which = and_(handovers.c.code_hash == code_hash, handovers.c.expires_at > now)
        columns = [column for column in handovers.c if column.name != "code_hash"]
        async with self._database.write() as connection:
            row = (await connection.execute(delete(handovers).where(which).returning(*columns))).first()
            return Handover(**row._mapping) if row else None

    async def forget_expired(self, now: datetime) -> int:
        async with self._database.write() as connection:
            return await connection.change(delete(handovers).where(handovers.c.expires_at <= now))
