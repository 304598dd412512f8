"""Memory that glibc's allocator holds without need: less of it for a program that mostly waits.

spend_little()                # first of all
give_back()                   # when a start is over
"""

import ctypes
from contextlib import suppress

_M_ARENA_MAX = -8
"""mallopt(3)."""


def spend_little() -> None:
    """Let all threads share one arena, instead of one for each. Does nothing where the C library has no such switch."""
    with suppress(AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return what is free to the system (malloc_trim(3)). Does nothing where the C library can't."""
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
