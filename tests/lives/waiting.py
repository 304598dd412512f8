"""Waiting for something to become true, with a bound that only a broken program reaches.

event = wait_for(lambda: next((e for e in gateway.events() if e["rule"] == "denied"), None), "an event")
"""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 20.0
"""Seconds; generous, since the machine may be busy."""

T = TypeVar("T")


def wait_for(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of `condition`. Raises `AssertionError` naming `what` when none comes in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}"
        time.sleep(0.02)
    return value
