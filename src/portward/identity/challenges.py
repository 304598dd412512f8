"""Challenges for passkeys: random, of one purpose, good for a while, answered once.

    challenge = challenges.make("login")
    expires_at = challenges.expiry(challenge, "login")      # None: not ours, for something else, or late
    await challenges.answer(challenge, expires_at)          # True once

A challenge carries its own proof (HMAC under secret.key), so that asking for one writes nothing: nobody fills the store
by asking. Only those that were answered are kept, until they would be late anyway.
"""

import hmac
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from portward.identity.opaque import digest
from portward.identity.seal import Seal
from portward.store import Store

LIVES = timedelta(minutes=10)
_RANDOM, _TIME, _PROOF = 16, 8, 32


class Challenges:
    def __init__(self, store: Store, seal: Seal, clock: Callable[[], datetime]) -> None:
        self._passkeys, self._seal, self._clock = store.passkeys, seal, clock

    def make(self, purpose: str) -> str:
        """128 random bits (WebAuthn level 2, section 13.4.3), the end of its life, and a proof of both; base64url."""
        until = int((self._clock() + LIVES).timestamp())
        bare = os.urandom(_RANDOM) + until.to_bytes(_TIME, "big")
        return urlsafe_b64encode(bare + self._proof(purpose, bare)).rstrip(b"=").decode()

    def expiry(self, challenge: str, purpose: str) -> datetime | None:
        """Until when a challenge of this purpose holds; None for any other text."""
        try:
            raw = urlsafe_b64decode(f"{challenge}{'=' * (-len(challenge) % 4)}")
        except (Error, ValueError):
            return None
        bare, proof = raw[:-_PROOF], raw[-_PROOF:]
        if len(raw) != _RANDOM + _TIME + _PROOF or not hmac.compare_digest(proof, self._proof(purpose, bare)):
            return None
        until = datetime.fromtimestamp(int.from_bytes(bare[_RANDOM:], "big"), UTC)
        return until if until > self._clock() else None

    async def answer(self, challenge: str, expires_at: datetime) -> bool:
        """Use it up. True for exactly one caller."""
        return await self._passkeys.answer(digest(challenge), expires_at)

    def _proof(self, purpose: str, bare: bytes) -> bytes:
        return self._seal.prove(f"challenge|{purpose}", bare)
