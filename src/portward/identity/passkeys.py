"""Passkeys: added, listed, renamed, removed, and shown.

    options = passkeys.offer(ann, session.id)                 # for navigator.credentials.create()
    codes = await passkeys.add(ann, session.id, "phone", answer)
    options = passkeys.ask("login")                           # for navigator.credentials.get()
    proof = await passkeys.check(answer, "login", verify=True)

A challenge for a new passkey is made for whoever has shown a fresh second factor, or the password where there is none;
it holds for that account in that session, so who has one may add one. The library for all this is imported when
an answer names a passkey that exists, and not before: strangers can't make the keeper larger.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from portward.config import Settings
from portward.errors import Conflict, Invalid, NotFound
from portward.identity import ceremony, names, recovery
from portward.identity.ceremony import Answer, Made, RelyingParty
from portward.identity.challenges import Challenges
from portward.identity.changes import Changes
from portward.identity.proofs import Proof
from portward.identity.seal import Seal
from portward.identity.sessions import Sessions
from portward.model import Account, Passkey
from portward.store import Store

MOST = 20
"""Passkeys of one account."""


class Passkeys:
    def __init__(
        self,
        store: Store,
        seal: Seal,
        sessions: Sessions,
        changes: Changes,
        settings: Callable[[], Settings],
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._seal, self._challenges = store, seal, Challenges(store, seal, clock)
        self._sessions, self._changes = sessions, changes
        self._settings, self._clock = settings, clock

    async def list(self, account: str) -> Sequence[Passkey]:
        """Oldest first."""
        return await self._store.passkeys.list(account)

    async def offer(self, account: Account, session_id: str) -> dict[str, Any]:
        """What a browser needs to make a passkey. Raises `Conflict` when the account has `MOST`."""
        known = await self._store.passkeys.list(account.name)
        if len(known) >= MOST:
            raise Conflict(f"{account.name!r} has {MOST} passkeys", way_out="remove one that is not used any more")
        challenge = self._challenges.make(_adding(account.name, session_id))
        return ceremony.creation(self._party, challenge, account, self._handle(account.name), known)

    async def add(self, account: Account, session_id: str, name: str, text: str) -> Sequence[str]:
        """Keep what the browser made. Returns ten recovery codes where it is the first second factor, else none.

        Raises `Invalid` for an answer that does not hold and for a bad name, `Conflict` for a known passkey.
        """
        name, answer = names.passkey_name(name), ceremony.read(text)
        found = await self._made(answer, _adding(account.name, session_id)) if answer else None
        if found is None:
            raise Invalid(
                "that passkey could not be taken", way_out="begin again, and do not wait longer than 10 minutes"
            )
        codes = recovery.new_codes()
        marks = [self._seal.mark(code, account.name) for code in codes]
        first = await self._store.passkeys.add(self._kept(found, account.name, name), marks)
        await self._changes.note(account.name, "passkey", by=account.name, detail=f"{name} added")
        return codes if first else []

    async def rename(self, account: str, id_: str, name: str) -> None:
        """Raises `NotFound`, and `Invalid` for a bad name."""
        if not await self._store.passkeys.rename(account, id_, names.passkey_name(name)):
            raise NotFound("passkey", id_)

    async def remove(self, account: str, id_: str, *, keep_session: str | None = None) -> None:
        """Forget a passkey. It may be in other hands: every session save `keep_session` ends. Raises `NotFound`."""
        passkey = await self._store.passkeys.get(id_)
        if passkey is None or not await self._store.passkeys.remove(account, id_):
            raise NotFound("passkey", id_)
        try:
            await self._sessions.end_all(account, by=account, reason="passkey", except_id=keep_session)
            owner = await self._store.accounts.get(account)
            if owner and not owner.has_second_factor:
                await self._sessions.fall(account)
        finally:
            await self._changes.note(account, "passkey", by=account, detail=f"{passkey.name} removed")

    async def ask(self, purpose: str, account: str = "", *, verify: bool) -> dict[str, Any]:
        """What a browser needs to show a passkey: of this account, or any of this host where there is no name yet.

        With `verify` the authenticator must ask its owner for a PIN or a finger.
        """
        known = await self._store.passkeys.list(account) if account else []
        return ceremony.request(self._party, self._challenges.make(purpose), known, verify=verify)

    async def owner_of(self, text: str) -> str:
        """Whose passkey an answer says to be; empty where there is none such."""
        answer = ceremony.read(text)
        passkey = await self._store.passkeys.get(answer.id) if answer else None
        return passkey.account if passkey else ""

    async def check(self, text: str, purpose: str, account: str, *, verify: bool) -> Proof:
        """Right once, for an answer to this purpose's challenge with a passkey of this account."""
        answer = ceremony.read(text)
        passkey = await self._store.passkeys.get(answer.id) if answer else None
        if answer is None or passkey is None or passkey.account != account:
            return Proof(False, "passkey")
        until = self._challenges.expiry(answer.challenge, purpose)
        shown = ceremony.shown(self._party, answer, passkey, verify=verify) if until else None
        if until is None or shown is None or not await self._challenges.answer(answer.challenge, until):
            return Proof(False, "passkey")
        now, count = self._clock(), shown.sign_count
        counted = await self._store.passkeys.used(passkey.id, count, now, synced=shown.synced)
        return Proof(counted, "passkey" if counted else "passkey-copied")

    async def forget_expired(self, now: datetime) -> None:
        await self._store.passkeys.forget_expired(now)

    async def _made(self, answer: Answer, purpose: str) -> Made | None:
        until = self._challenges.expiry(answer.challenge, purpose)
        made = ceremony.made(self._party, answer) if until else None
        if until is None or made is None or not await self._challenges.answer(answer.challenge, until):
            return None
        return made

    def _kept(self, made: Made, account: str, name: str) -> Passkey:
        return Passkey(
            made.id,
            account,
            name,
            made.public_key,
            self._handle(account),
            made.sign_count,
            made.verifies,
            made.synced,
            self._clock(),
        )

    def _handle(self, account: str) -> str:
        """What stands for the account in an authenticator: nothing that tells who it is (level 2, section 14.6.1)."""
        return ceremony.spell(self._seal.prove("passkey-handle", account.encode()))

    @property
    def _party(self) -> RelyingParty:
        settings = self._settings()
        host = settings.portal_host
        return RelyingParty(host, settings.url(host), settings.domain)


def _adding(account: str, session_id: str) -> str:
    return f"add|{account}|{session_id}"
