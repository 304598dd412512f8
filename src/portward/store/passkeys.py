"""Passkeys, and which challenges were answered already.

await store.passkeys.add(passkey, code_hashes)                 # True: the codes are the account's now
await store.passkeys.used(passkey.id, 7, now, synced=False)    # False: the counter went back
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import and_, delete, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.exc import IntegrityError

from portward.errors import Conflict
from portward.model import Passkey
from portward.store.credentials import forget_idle_codes, has_second_factor, replace_codes
from portward.store.database import Database
from portward.store.tables import answered, passkeys


class Passkeys:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, passkey: Passkey, code_hashes: Sequence[str]) -> bool:
        """Keep a passkey. The recovery codes are taken where it is the account's first second factor; True then.

        Raises `Conflict` when it, or its account, is not to be had.
        """
        try:
            async with self._database.write() as connection:
                first = not await has_second_factor(connection, passkey.account)
                await connection.execute(insert(passkeys).values(asdict(passkey)))
                if first:
                    await replace_codes(connection, passkey.account, code_hashes)
                return first
        except IntegrityError as error:
            raise Conflict("this passkey is known already", way_out="use another one") from error

    async def get(self, id_: str) -> Passkey | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(passkeys).where(passkeys.c.id == id_))).first()
            return Passkey(**row._mapping) if row else None

    async def list(self, account: str) -> Sequence[Passkey]:
        """Oldest first."""
        query = select(passkeys).where(passkeys.c.account == account).order_by(passkeys.c.created_at, passkeys.c.id)
        async with self._database.read() as connection:
            return [Passkey(**row._mapping) for row in await connection.execute(query)]

    async def used(self, id_: str, sign_count: int, now: datetime, *, synced: bool) -> bool:
        """Note a use. False when the passkey is gone or its counter did not rise (WebAuthn level 2, section 7.2, 21).

        Authenticators without a counter say nought each time.
        """
        rises = passkeys.c.sign_count < sign_count if sign_count else passkeys.c.sign_count == 0
        noted = update(passkeys).where(and_(passkeys.c.id == id_, rises))
        async with self._database.write() as connection:
            return await connection.change(noted.values(sign_count=sign_count, used_at=now, synced=synced)) == 1

    async def rename(self, account: str, id_: str, name: str) -> bool:
        mine = and_(passkeys.c.account == account, passkeys.c.id == id_)
        async with self._database.write() as connection:
            return await connection.change(update(passkeys).where(mine).values(name=name)) == 1

    async def remove(self, account: str, id_: str) -> bool:
        """Forget one; with the last second factor the recovery codes go as well. False when there is none."""
        mine = and_(passkeys.c.account == account, passkeys.c.id == id_)
        async with self._database.write() as connection:
            gone = await connection.change(delete(passkeys).where(mine)) == 1
            await forget_idle_codes(connection, account)
            return gone

    async def answer(self, challenge: str, expires_at: datetime) -> bool:
        """Use a challenge up. True for exactly one caller."""
        row = insert_or(answered).values(challenge=challenge, expires_at=expires_at).on_conflict_do_nothing()
        async with self._database.write() as connection:
            return await connection.change(row) == 1

    async def forget_expired(self, now: datetime) -> int:
        """Drop challenges that would not be taken any more anyway."""
        async with self._database.write() as connection:
            return await connection.change(delete(answered).where(answered.c.expires_at <= now))
