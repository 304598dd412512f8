"""Counts attempts in the store before they are checked, and says who must wait.

match await throttling.begin(address, "ann"):
    case Wait() as wait: return wait
    case Attempt() as attempt: ...check...
await throttling.succeeded(attempt)
"""

import hashlib
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portward.identity import throttle
from portward.identity.answers import Wait
from portward.store import Store


@dataclass(frozen=True, slots=True)
class Attempt:
    """A guess that counts as wrong until `succeeded` is called."""

    address_key: str
    account_key: str


class Throttling:
    """`pause` waits for so many seconds: `asyncio.sleep`, or nothing in tests."""

    def __init__(self, store: Store, clock: Callable[[], datetime], pause: Callable[[float], Awaitable[None]]) -> None:
        self._attempts, self._clock, self._pause = store.attempts, clock, pause

    async def admit(self, address: str) -> Wait | str:
        """Count an attempt of this address. Returns its key, or how long it must wait (nothing is counted then)."""
        key, now = f"address:{throttle.source(address)}", self._clock()
        before = await self._attempts.reserve(key, now, throttle.delay, throttle.FORGET_AFTER)
        if before.not_before > now:
            return Wait(math.ceil((before.not_before - now).total_seconds()))
        return key

    async def hold_back(self, name: str, address_key: str) -> Attempt:
        """Count an attempt at this name, existing or not, and take the time that its earlier failures cost."""
        key = f"account:{_short(name)}"
        before = await self._attempts.reserve(key, self._clock(), throttle.never, throttle.FORGET_AFTER)
        if wait := throttle.hold(before.failures).total_seconds():
            await self._pause(wait)
        return Attempt(address_key, key)

    async def code_may_count(self, account: str) -> bool:
        """Count an attempt at a six-digit code. False when there were too many wrong ones; it must not be checked."""
        before = await self._attempts.reserve(
            _code_key(account), self._clock(), _shut_after_enough, throttle.FORGET_AFTER
        )
        return before.not_before <= self._clock()

    async def succeeded(self, attempt: Attempt) -> None:
        """It was right: forget the account's failures, and this one of the address.

        The address keeps its earlier ones: else whoever has one account could guess at others for free.
        """
        await self._attempts.release(attempt.address_key, self._clock())
        await self._attempts.clear(attempt.account_key)

    async def code_was_right(self, account: str) -> None:
        await self._attempts.clear(_code_key(account))

    async def forget_old(self) -> None:
        """Drop counters that no longer count."""
        await self._attempts.forget_older_than(self._clock() - throttle.FORGET_AFTER)


def _shut_after_enough(failures: int) -> timedelta:
    return throttle.FORGET_AFTER if failures >= throttle.CODES_PER_ACCOUNT else throttle.never(failures)


def _code_key(account: str) -> str:
    return f"code:{account}"


def _short(name: str) -> str:
    """Typed names are kept as hashes: people type passwords into the wrong field."""
    return hashlib.sha256(name.encode(errors="replace")).hexdigest()[:32]
