"""What an account shows to prove itself: password, TOTP, recovery codes; and how its owner changes them.

    offer = await credentials.begin_totp("ann")
    codes = await credentials.confirm_totp("ann", "492039")      # then sessions.rise(session): a new cookie

Whoever calls these has made sure that the visitor may: for `drop_totp` and `new_recovery_codes` on one's own account
`access.stepped_up(session, now)` must hold.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from portward.config import Settings
from portward.errors import Conflict, NotFound
from portward.facts import LoginFailed
from portward.identity import recovery, totp
from portward.identity.answers import Refused, TotpOffer, Wait
from portward.identity.changes import Changes
from portward.identity.gatekeeper import Record
from portward.identity.passwords import Passwords
from portward.identity.seal import Seal
from portward.identity.sessions import Sessions
from portward.identity.throttling import Throttling
from portward.model import Account
from portward.store import Store


class Credentials:
    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        seal: Seal,
        throttling: Throttling,
        sessions: Sessions,
        changes: Changes,
        settings: Callable[[], Settings],
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._passwords, self._seal = store, passwords, seal
        self._throttling, self._sessions, self._changes = throttling, sessions, changes
        self._settings, self._record, self._clock = settings, record, clock

    async def change_password(
        self, account: str, old: str, new: str, *, address: str, keep_session: str | None = None
    ) -> Refused | Wait | None:
        """Change it when `old` is right, and end all sessions save `keep_session`. None on success.

        Raises `Invalid` for a weak one, before `old` is looked at.
        """
        person = await self._get(account)
        await self._passwords.require_good(new, [person.name, person.email, self._settings().domain])
        admitted = await self._throttling.admit(address)
        if isinstance(admitted, Wait):
            return admitted
        attempt = await self._throttling.hold_back(account, admitted)
        kept = await self._store.credentials.password(account)
        if not await self._passwords.verify(kept, old) or not await self._replace(account, kept, new):
            await self._record(LoginFailed(time=self._clock(), account=account, address=address, reason="password"))
            return Refused()
        await self._throttling.succeeded(attempt)
        await self._sessions.end_all(account, by=account, reason="password", except_id=keep_session)
        await self._changes.note(account, "password", by=account)
        return None

    async def begin_totp(self, account: str) -> TotpOffer:
        """Offer a secret; it counts from `confirm_totp` on. Raises `Conflict` when TOTP is on already."""
        if (await self._get(account)).has_totp:
            raise Conflict("TOTP is on already", way_out="turn it off first")
        secret = totp.new_secret()
        await self._store.credentials.offer_totp(account, self._seal.close(secret.encode(), account))
        return self._offer(secret, account)

    async def pending_totp(self, account: str) -> TotpOffer | None:
        """The offer that awaits its code, to show the same QR code again after a typing error."""
        sealed = await self._store.credentials.totp_offer(account)
        return self._offer(self._seal.reveal(sealed, account).decode(), account) if sealed else None

    async def confirm_totp(self, account: str, code: str) -> Sequence[str] | None:
        """Turn TOTP on when `code` fits the offer. Returns 10 recovery codes, shown once; None when it does not fit."""
        sealed = await self._store.credentials.totp_offer(account)
        if sealed is None:
            return None
        step = totp.step_of(self._seal.reveal(sealed, account).decode(), code, self._clock())
        codes = recovery.new_codes()
        if step is None or not await self._store.credentials.set_totp(
            account, sealed, step, self._marks(account, codes)
        ):
            return None
        await self._changes.note(account, "totp", by=account, detail="on")
        return codes

    async def drop_totp(self, account: str, *, by: str) -> bool:
        """Turn TOTP off, and without a passkey forget the recovery codes; no session counts as stepped up then.

        False when it was off.
        """
        await self._get(account)
        if not await self._store.credentials.drop_totp(account):
            return False
        await self._sessions.fall(account)
        await self._changes.note(account, "totp", by=by, detail="off")
        return True

    async def drop_second_factor(self, account: str, *, by: str) -> bool:
        """Turn TOTP off, forget every passkey and the recovery codes. False when the account had no second factor."""
        await self._get(account)
        if not await self._store.credentials.drop_second_factor(account):
            return False
        await self._sessions.fall(account)
        await self._changes.note(account, "second-factor", by=by, detail="off")
        return True

    async def new_recovery_codes(self, account: str, *, by: str) -> Sequence[str]:
        """Ten new codes; the old ones are dead. Raises `Conflict` for an account without a second factor."""
        if not (await self._get(account)).has_second_factor:
            raise Conflict(
                "there is no second factor that codes could stand in for", way_out="turn TOTP on or add a passkey first"
            )
        codes = recovery.new_codes()
        await self._store.credentials.set_recovery(account, self._marks(account, codes))
        await self._changes.note(account, "recovery-codes", by=by)
        return codes

    async def recovery_left(self, account: str) -> int:
        """How many recovery codes are unused."""
        return await self._store.credentials.recovery_left(account)

    async def _replace(self, account: str, kept: str | None, new: str) -> bool:
        """False when another change came first."""
        if kept is None:
            return False
        return await self._store.credentials.replace_password(account, kept, await self._passwords.hash(new))

    async def _get(self, name: str) -> Account:
        account = await self._store.accounts.get(name)
        if account is None:
            raise NotFound("account", name)
        return account

    def _offer(self, secret: str, account: str) -> TotpOffer:
        return TotpOffer(secret, totp.uri(secret, account, self._settings().domain))

    def _marks(self, account: str, codes: Sequence[str]) -> Sequence[str]:
        return [self._seal.mark(code, account) for code in codes]
