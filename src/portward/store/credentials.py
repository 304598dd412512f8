"""What accounts prove themselves with: a password's hash, a sealed TOTP secret, hashes of recovery codes.

await store.credentials.set_password("ann", "$argon2id$…")
await store.credentials.use_totp_step("ann", 58_913_204)          # True once, then False
"""

from collections.abc import Sequence

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or

from portward.store.connection import Connection
from portward.store.database import Database
from portward.store.tables import credentials, passkeys, recovery_codes


class Credentials:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def set_password(self, account: str, password_hash: str) -> None:
        await self._set(account, password_hash=password_hash)

    async def password(self, account: str) -> str | None:
        return await self._one(account, "password_hash")  # type: ignore[return-value]

    async def replace_password(self, account: str, old_hash: str, new_hash: str) -> bool:
        """Store the same password's newer hash; False when the password has changed meanwhile."""
        same = and_(credentials.c.account == account, credentials.c.password_hash == old_hash)
        async with self._database.write() as connection:
            return await connection.change(update(credentials).where(same).values(password_hash=new_hash)) == 1

    async def offer_totp(self, account: str, sealed_secret: bytes) -> None:
        """Keep a secret that does not count yet."""
        await self._set(account, totp_offer=sealed_secret)

    async def totp_offer(self, account: str) -> bytes | None:
        return await self._one(account, "totp_offer")  # type: ignore[return-value]

    async def set_totp(self, account: str, sealed_secret: bytes, step: int, code_hashes: Sequence[str]) -> bool:
        """Turn TOTP on with the secret that was offered; `step` counts as used. False when the offer has changed."""
        offered = and_(credentials.c.account == account, credentials.c.totp_offer == sealed_secret)
        change = update(credentials).where(offered)
        async with self._database.write() as connection:
            values = {"totp_secret": sealed_secret, "totp_offer": None, "totp_step": step}
            if await connection.change(change.values(values)) != 1:
                return False
            await replace_codes(connection, account, code_hashes)
            return True

    async def totp(self, account: str) -> bytes | None:
        """The sealed secret; None when TOTP is off."""
        return await self._one(account, "totp_secret")  # type: ignore[return-value]

    async def use_totp_step(self, account: str, step: int) -> bool:
        """Spend a time step (RFC 6238 section 5.2: one use per code). True for exactly one caller per step."""
        fresh = and_(credentials.c.account == account, credentials.c.totp_step < step)
        async with self._database.write() as connection:
            return await connection.change(update(credentials).where(fresh).values(totp_step=step)) == 1

    async def drop_totp(self, account: str) -> bool:
        """Turn TOTP off; without a passkey the recovery codes go as well. False when it was off."""
        async with self._database.write() as connection:
            dropped = await _drop_totp(connection, account)
            await forget_idle_codes(connection, account)
            return dropped

    async def drop_second_factor(self, account: str) -> bool:
        """Forget the TOTP secret, every passkey and the recovery codes. False when there was none of it."""
        async with self._database.write() as connection:
            dropped = await _drop_totp(connection, account)
            gone = await connection.change(delete(passkeys).where(passkeys.c.account == account))
            await forget_idle_codes(connection, account)
            return dropped or gone > 0

    async def set_recovery(self, account: str, code_hashes: Sequence[str]) -> None:
        async with self._database.write() as connection:
            await replace_codes(connection, account, code_hashes)

    async def use_recovery(self, account: str, code_hash: str) -> bool:
        """Spend a recovery code. True for exactly one caller."""
        which = and_(recovery_codes.c.account == account, recovery_codes.c.code_hash == code_hash)
        async with self._database.write() as connection:
            return await connection.change(delete(recovery_codes).where(which)) == 1

    async def recovery_left(self, account: str) -> int:
        query = select(func.count()).select_from(recovery_codes).where(recovery_codes.c.account == account)
        async with self._database.read() as connection:
            return int(await connection.scalar(query) or 0)

    async def _set(self, account: str, **values: str | bytes) -> None:
        row = insert_or(credentials).values(account=account, **values)
        async with self._database.write() as connection:
            await connection.execute(row.on_conflict_do_update(index_elements=["account"], set_=values))

    async def _one(self, account: str, column: str) -> object:
        async with self._database.read() as connection:
            return await connection.scalar(select(credentials.c[column]).where(credentials.c.account == account))


async def has_second_factor(connection: Connection, account: str) -> bool:
    """Whether a login of this account asks for more than a password."""
    app = select(credentials.c.account).where(
        and_(credentials.c.account == account, credentials.c.totp_secret.is_not(None))
    )
    key = select(passkeys.c.account).where(passkeys.c.account == account)
    return await connection.scalar(app.union_all(key).limit(1)) is not None


async def forget_idle_codes(connection: Connection, account: str) -> None:
    """Recovery codes stand in for a second factor; where there is none left they open nothing."""
    if not await has_second_factor(connection, account):
        await replace_codes(connection, account, [])


async def _drop_totp(connection: Connection, account: str) -> bool:
    mine = and_(credentials.c.account == account, credentials.c.totp_secret.is_not(None))
    change = update(credentials).where(mine).values(totp_secret=None, totp_offer=None)
    return await connection.change(change) == 1


async def replace_codes(connection: Connection, account: str, code_hashes: Sequence[str]) -> None:
    await connection.execute(delete(recovery_codes).where(recovery_codes.c.account == account))
    rows = [{"account": account, "code_hash": code_hash} for code_hash in code_hashes]
    if rows:
        await connection.execute(insert(recovery_codes), rows)
