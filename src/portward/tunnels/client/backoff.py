"""How long to wait before the next try: hardly at first, never long, and not in step with other clients.

delay(0, random())       # 0.15 to 0.25 s
delay(9, random())       # 6 to 10 s
"""

_FIRST = 0.2
_LONGEST = 8.0
"""So short that a client is back within 15 s of a network's return that nothing told it about."""
_DOUBLINGS = 16


def delay(failures: int, chance: float) -> float:
    """Seconds to wait after so many failures in a row (0 for the first); `chance` is random, from 0 to 1."""
    return min(_FIRST * 2.0 ** min(failures, _DOUBLINGS), _LONGEST) * (0.75 + 0.5 * chance)
