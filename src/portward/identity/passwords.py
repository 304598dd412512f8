"""Passwords: which are good enough, and how they are kept (Argon2id, RFC 9106).

await passwords.judge("hunter2", ["ann"])       # 'The password needs at least 10 characters.'
kept = await passwords.hash("correct horse battery")
await passwords.verify(kept, "correct horse battery")       # True
"""

import asyncio
import unicodedata
from collections.abc import Awaitable, Callable, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from portward.errors import Invalid
from portward.identity.guessing import Guess, guess_apart

Weigh = Callable[[str, Sequence[str]], Awaitable[Guess]]

SHORTEST, LONGEST, MOST_BYTES, SCORE = 10, 128, 512, 3
_AT_ONCE = 2


def misfit(password: str) -> str | None:
    """Why this password has no right length, as a sentence for the person who chose it, or None."""
    if len(password) < SHORTEST:
        return f"The password needs at least {SHORTEST} characters."
    if len(password) > LONGEST or len(password.encode(errors="replace")) > MOST_BYTES:
        return f"The password may have at most {LONGEST} characters."
    return None


class Passwords:
    """Hashing takes 64 MiB and 0.1 to 0.3 seconds, weighing 40 MB and half a second; two of each run at a time."""

    def __init__(self, hasher: PasswordHasher | None = None, weigh: Weigh = guess_apart) -> None:
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)
        self._weigh = weigh
        self._turns, self._weighings = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_AT_ONCE)
        self._dummy: str | None = None

    async def judge(self, password: str, hints: Sequence[str]) -> str | None:
        """Why this password won't do, as a sentence for the person who chose it, or None.

        `hints` are words that a guesser knows: account name, e-mail address, domain. Raises `Environment` when it could
        not be judged.
        """
        if sentence := misfit(password):
            return sentence
        words = [part for hint in hints for part in (hint, *hint.replace("@", ".").split(".")) if len(part) > 2]
        async with self._weighings:
            found = await self._weigh(password, [*words, "portward"])
        if found.score >= SCORE:
            return None
        warning = found.warning.rstrip(".").lower()
        return f"The password is too easy to guess{f': {warning}' if warning else ''}."

    async def require_good(self, password: str, hints: Sequence[str]) -> None:
        """Raises `Invalid` with the sentence of `judge`."""
        if sentence := await self.judge(password, hints):
            raise Invalid(sentence, way_out="four random words make a good one")

    async def hash(self, password: str) -> str:
        """The hash to keep, with its salt and parameters."""
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password))

    async def verify(self, kept: str | None, password: str) -> bool:
        """Whether the password fits. None costs the same and never fits, so that time tells nothing."""
        if self._dummy is None:
            self._dummy = await self.hash("nobody has this password")
        if len(password) > LONGEST:
            kept, password = None, ""
        async with self._turns:
            fits = await asyncio.to_thread(self._fits, kept or self._dummy, _bytes(password))
        return fits and kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether this hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)

    def _fits(self, kept: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def _bytes(password: str) -> bytes:
    """NFC, so that the same letters from another keyboard are the same password (RFC 8265 section 4.2)."""
    return unicodedata.normalize("NFC", password).encode(errors="replace")
