"""How long failures make one wait. Pure rules; `logins` applies them.

    delay(4)                 # 1 s: the fourth failure of an address puts off its next attempt
    hold(8)                  # 4 s: how long an answer for an account is held back

An address is refused while it must wait. An account never is: else anybody could lock its owner out.
"""

import ipaddress
from datetime import timedelta

FREE = 3
"""Failures that cost nothing: people mistype."""
FORGET_AFTER = timedelta(hours=1)
"""A counter without a new failure for this long begins at nought."""
LONGEST_DELAY = timedelta(minutes=5)
LONGEST_HOLD = timedelta(seconds=4)
CODES_PER_ACCOUNT = 20
"""Wrong second factors, after which only recovery codes count until an hour has passed without a wrong one.

Six digits with a window of three steps are guessed once in 333,000 tries. From many addresses at once, by someone who
knows the password already, that would be within reach; at 20 an hour it takes years.
"""


def delay(failures: int) -> timedelta:
    """After this many failures of one address: 0 up to the third, then 1, 2, 4 … s, 5 minutes at most."""
    return _doubled(failures, timedelta(seconds=1), LONGEST_DELAY)


def hold(failures: int) -> timedelta:
    """After this many failures for one account: 0 up to the third, then 0.25, 0.5, 1, 2 s, 4 s at most."""
    return _doubled(failures, timedelta(seconds=0.25), LONGEST_HOLD)


def never(failures: int) -> timedelta:
    """No delay: the failures are counted, and something else is made of them."""
    return timedelta(0)


def source(address: str) -> str:
    """Which addresses count as one: an IPv4 address, an IPv6 /64. Text that is no address counts as itself."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))


def _doubled(failures: int, first: timedelta, longest: timedelta) -> timedelta:
    beyond = failures - FREE
    if beyond <= 0:
        return timedelta(0)
    return min(first * (1 << min(beyond - 1, 20)), longest)
