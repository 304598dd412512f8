"""Checks a second factor: six digits of TOTP, a recovery code, or the answer of a passkey. Each counts once.

proof = await proofs.check("ann", "492039")
proof.right, proof.method                       # (True, 'totp') once, then (False, 'totp')
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from portward.identity import recovery, totp
from portward.identity.seal import Seal
from portward.identity.throttling import Throttling
from portward.store import Store


@dataclass(frozen=True, slots=True)
class Proof:
    """`throttled` stands for a code that was not looked at."""

    right: bool
    method: Literal["totp", "recovery", "passkey", "passkey-copied", "throttled"]


class Proofs:
    def __init__(self, store: Store, seal: Seal, throttling: Throttling, clock: Callable[[], datetime]) -> None:
        self._credentials, self._seal = store.credentials, seal
        self._throttling, self._clock = throttling, clock

    async def check(self, account: str, code: str) -> Proof:
        """Right for exactly one of any number of callers with the same code."""
        if totp.digits_of(code) is not None:
            return await self._check_totp(account, code)
        typed = recovery.normalised(code)
        right = typed is not None and await self._credentials.use_recovery(account, self._seal.mark(typed, account))
        return Proof(right, "recovery")

    async def _check_totp(self, account: str, code: str) -> Proof:
        if not await self._throttling.code_may_count(account):
            return Proof(False, "throttled")
        sealed = await self._credentials.totp(account)
        if sealed is None:
            return Proof(False, "totp")
        secret = self._seal.reveal(sealed, account).decode()
        step = totp.step_of(secret, code, self._clock())
        right = step is not None and await self._credentials.use_totp_step(account, step)
        if right:
            await self._throttling.code_was_right(account)
        return Proof(right, "totp")
