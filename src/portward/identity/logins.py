"""Logging in, step by step; every wrong answer looks alike.

answer = await logins.password("ann", "correct horse battery", address="203.0.113.7", user_agent="…")
answer = await logins.second_factor(answer.ticket, Code("492039"), address="203.0.113.7", user_agent="…")
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from portward.facts import LoginFailed, SecondFactorPassed
from portward.identity.answers import Refused, SecondFactorNeeded, Started, Stepped, Wait
from portward.identity.gatekeeper import Record
from portward.identity.names import typed_name
from portward.identity.opaque import digest, new_token
from portward.identity.passkeys import Passkeys
from portward.identity.passwords import Passwords
from portward.identity.proofs import Proof, Proofs
from portward.identity.sessions import Sessions
from portward.identity.throttling import Throttling
from portward.model import Account, Session
from portward.store import Store

TICKET_LIVES = timedelta(minutes=5)
TICKET_ATTEMPTS = 5
_LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Code:
    """What somebody typed: six digits of TOTP, or a recovery code."""

    text: str


@dataclass(frozen=True, slots=True)
class Touch:
    """What a browser answered for a passkey, as JSON."""

    text: str


Second = Code | Touch


class Logins:
    """`proofs` checks second factors, `throttling` counts before anything is checked."""

    def __init__(
        self,
        store: Store,
        passwords: Passwords,
        proofs: Proofs,
        passkeys: Passkeys,
        throttling: Throttling,
        sessions: Sessions,
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._passwords, self._proofs = store, passwords, proofs
        self._passkeys = passkeys
        self._throttling, self._sessions = throttling, sessions
        self._record, self._clock = record, clock

    async def password(
        self, name: str, password: str, *, address: str, user_agent: str
    ) -> Started | SecondFactorNeeded | Refused | Wait:
        """First step. `name` is an account's name or e-mail address, in any case.

        Unknown, disabled, password-less and wrong all take the same work and give the same answer.
        """
        admitted = await self._admit(address)
        if isinstance(admitted, Wait):
            return admitted
        typed = typed_name(name)
        account = await self._account(typed)
        attempt = await self._throttling.hold_back(account.name if account else typed, admitted)
        kept = await self._store.credentials.password(account.name if account else typed)
        usable = kept if account and not account.disabled else None
        fits = await self._passwords.verify(usable, password)
        if account is None or usable is None or not fits:
            return await self._fail(account, address, _why(account))
        await self._throttling.succeeded(attempt)
        await self._keep_newest(account.name, usable, password)
        return await self.proceed(account, address=address, user_agent=user_agent, factors="password")

    async def proceed(
        self, account: Account, *, address: str, user_agent: str, factors: str = "link"
    ) -> Started | SecondFactorNeeded:
        """Go on for someone who has shown the password, or has just chosen one with a link.

        An account with a second factor gets a ticket: a reset link does not replace the second factor.
        """
        if not account.has_second_factor:
            token, session = await self._sessions.start(
                account, second_factor=False, address=address, user_agent=user_agent, factors=factors
            )
            return Started(token, session)
        ticket = new_token()
        await self._store.tickets.add(digest(ticket), account.name, self._clock() + TICKET_LIVES)
        return SecondFactorNeeded(ticket, account)

    async def passkey(self, answer: str, *, address: str, user_agent: str) -> Started | Refused | Wait:
        """Log in with a passkey alone, which asked its owner for a PIN or a finger: that is both factors."""
        account = await self.recognise(answer, _LOGIN, address=address)
        if not isinstance(account, Account):
            return account
        token, session = await self._sessions.start(
            account, second_factor=True, address=address, user_agent=user_agent, factors="passkey"
        )
        return Started(token, session)

    async def recognise(self, answer: str, purpose: str, *, address: str) -> Account | Refused | Wait:
        """Whose passkey it is that answers what `ask` of this purpose asked for; no session begins."""
        admitted = await self._admit(address)
        if isinstance(admitted, Wait):
            return admitted
        name = await self._passkeys.owner_of(answer)
        attempt = await self._throttling.hold_back(name, admitted)
        account = await self._store.accounts.get(name)
        proof = await self._passkeys.check(answer, purpose, name, verify=True)
        if account is None or account.disabled or not proof.right:
            return await self._fail(account, address, "disabled" if account and account.disabled else proof.method)
        await self._throttling.succeeded(attempt)
        return account

    async def find(self, typed: str) -> Account | None:
        """The account of a name or an e-mail address, in any case."""
        return await self._account(typed_name(typed))

    async def ask_passkey(self) -> dict[str, Any]:
        """What a browser needs for `passkey`."""
        return await self._passkeys.ask(_LOGIN, verify=True)

    async def ask_second(self, ticket: str) -> dict[str, Any] | None:
        """What a browser needs for a `Touch` in `second_factor`; None when the ticket is late or spent."""
        account = await self.account_of(ticket)
        return await self._passkeys.ask(_second(ticket), account.name, verify=False) if account else None

    async def ask_step(self, session: Session) -> dict[str, Any]:
        """What a browser needs for a `Touch` in `step_up`."""
        return await self._passkeys.ask(_step(session), session.account, verify=False)

    async def account_of(self, ticket: str) -> Account | None:
        """Who is between the two steps with this ticket."""
        name = await self._store.tickets.account_of(digest(ticket), self._clock())
        return await self._store.accounts.get(name) if name else None

    async def second_factor(
        self, ticket: str, shown: Second, *, address: str, user_agent: str
    ) -> Started | Refused | Wait:
        """Second step. Each code, and each answer of a passkey, works once."""
        admitted = await self._admit(address)
        if isinstance(admitted, Wait):
            return admitted
        spent = await self._store.tickets.spend_attempt(digest(ticket), self._clock(), TICKET_ATTEMPTS)
        if spent is None:
            return Refused(start_over=True)
        name, left = spent
        account = await self._store.accounts.get(name)
        proof = await self._prove(name, shown, _second(ticket), admitted)
        if account is None or account.disabled or not proof.right:
            await self._fail(account, address, proof.method)
            return Refused(start_over=left == 0)
        if not await self._store.tickets.take(digest(ticket)):
            return Refused(start_over=True)
        token, session = await self._sessions.start(
            account, second_factor=True, address=address, user_agent=user_agent, factors=f"password+{proof.method}"
        )
        await self._passed(session, proof.method, address)
        return Started(token, session)

    async def step_up(self, session: Session, shown: Second, *, address: str) -> Stepped | Refused | Wait:
        """Show the second factor within a session. The token in `Stepped` replaces the portal's cookie."""
        admitted = await self._admit(address)
        if isinstance(admitted, Wait):
            return admitted
        proof = await self._prove(session.account, shown, _step(session), admitted)
        if not proof.right:
            return await self._fail(await self._store.accounts.get(session.account), address, proof.method)
        token, risen = await self._sessions.rise(session)
        await self._passed(risen, proof.method, address)
        return Stepped(token, risen)

    async def _admit(self, address: str) -> str | Wait:
        admitted = await self._throttling.admit(address)
        if isinstance(admitted, Wait):
            await self._fail(None, address, "throttled")
        return admitted

    async def _account(self, typed: str) -> Account | None:
        if "@" in typed:
            return await self._store.accounts.by_email(typed)
        return await self._store.accounts.get(typed)

    async def confirm_password(self, session: Session, password: str, *, address: str) -> Refused | Wait | None:
        """See again that whoever holds the session knows the password. None when it fits."""
        admitted = await self._admit(address)
        if isinstance(admitted, Wait):
            return admitted
        attempt = await self._throttling.hold_back(session.account, admitted)
        kept = await self._store.credentials.password(session.account)
        if not await self._passwords.verify(kept, password):
            return await self._fail(await self._store.accounts.get(session.account), address, "password")
        await self._throttling.succeeded(attempt)
        return None

    async def _prove(self, account: str, shown: Second, purpose: str, admitted: str) -> Proof:
        attempt = await self._throttling.hold_back(account, admitted)
        match shown:
            case Code(text):
                proof = await self._proofs.check(account, text)
            case Touch(text):
                proof = await self._passkeys.check(text, purpose, account, verify=False)
        if proof.right:
            await self._throttling.succeeded(attempt)
        return proof

    async def _keep_newest(self, account: str, kept: str, password: str) -> None:
        """A hash made with weaker parameters is replaced when its password is at hand."""
        if self._passwords.outdated(kept):
            await self._store.credentials.replace_password(account, kept, await self._passwords.hash(password))

    async def _fail(self, account: Account | None, address: str, reason: str) -> Refused:
        """An unknown name is not recorded: people type passwords into the wrong field."""
        name = account.name if account else ""
        await self._record(LoginFailed(time=self._clock(), account=name, address=address, reason=reason))
        return Refused()

    async def _passed(self, session: Session, method: str, address: str) -> None:
        await self._record(
            SecondFactorPassed(
                time=self._clock(), account=session.account, address=address, session=session.id, method=method
            )
        )


def _second(ticket: str) -> str:
    return f"second-factor|{digest(ticket)}"


def _step(session: Session) -> str:
    return f"step-up|{session.id}"


def _why(account: Account | None) -> str:
    if account is None:
        return "unknown"
    return "disabled" if account.disabled else "password"
