"""The tables [defence.detectors.NAME]: how many signs of one kind get a source banned, and for how long.

Detectors.model_validate({"login": {"tries": 5}}).login.ban     # None: as shipped, see defense/detectors.py

Each detector ships switched on, with its own defaults; a table names only what is to differ.
"""

from typing import Annotated, Literal

from pydantic import Field

from portward.config.section import Section
from portward.config.values import Duration

Tries = Annotated[int, Field(strict=True, ge=1, le=1000)]
Growth = Annotated[float, Field(ge=1, le=100)]
Scope = Literal["address", "prefix", "network", "account"]
"""What counts as one: an address; an IPv4 address or an IPv6 /64; a /24 or a /48; all who try one account."""
Mode = Literal["enforce", "shadow", "off"]
KNOW_ACCOUNTS = ("login", "second_factor", "account")
"""Detectors whose signs name an account, so that they can be counted by it."""


class DetectorSettings(Section):
    """What differs from the defaults that ship."""

    tries: Tries | None = None
    """So many signs lead to a ban."""
    within: Duration | None = None
    """Signs older than this do not count any more."""
    ban: Duration | None = None
    """How long the first ban lasts."""
    grow: Growth | None = None
    """Each further ban of the same source lasts so many times longer; with `1` none does."""
    cap: Duration | None = None
    """No ban grows beyond this."""
    scope: Scope | None = None
    """What is counted and banned as one: `address`, `prefix` (IPv6 by /64), `network` (/24, /48) or `account`."""
    mode: Mode = "enforce"
    """`shadow` bans nobody, and keeps account of whom it would have refused; `off` does not look."""


class Detectors(Section):
    """One table for each kind of sign."""

    unknown_host: DetectorSettings = DetectorSettings()
    """Handshakes and plain requests for a host that is not published here."""
    login: DetectorSettings = DetectorSettings()
    """Wrong passwords, and names that do not exist."""
    second_factor: DetectorSettings = DetectorSettings()
    """Wrong codes and recovery codes."""
    account: DetectorSettings = DetectorSettings()
    """Wrong answers for one account from many sources; these are banned, the account never is."""
    token: DetectorSettings = DetectorSettings()
    """Different cookies, tokens and passwords that open nothing."""
    ssh_key: DetectorSettings = DetectorSettings()
    """Keys that may not log in by SSH, and attempts without one."""
    probe: DetectorSettings = DetectorSettings()
    """Different paths that only scanners ask for, such as `/.env`."""
    errors: DetectorSettings = DetectorSettings()
    """Different paths that a service answers with an error."""
    rate: DetectorSettings = DetectorSettings()
    """Requests and connections over a limit."""
    tls: DetectorSettings = DetectorSettings()
    """Handshakes that fail, or name no host."""
    slow: DetectorSettings = DetectorSettings()
    """Requests that come too slowly."""
    host_ssh: DetectorSettings = DetectorSettings()
    """Failed logins at this machine's own SSH server and sudo."""
    log: DetectorSettings = DetectorSettings()
    """Lines of other logs that match a pattern."""


def contradictions(detectors: Detectors) -> list[tuple[str, str, str]]:
    """Detector (as in the file), key and what is wrong with it, where two values do not fit together."""
    found = []
    for name, table in detectors:
        shown = name.replace("_", "-")
        if table.scope == "account" and name not in KNOW_ACCOUNTS:
            found.append((shown, "scope", "what this detector looks at names no account"))
        if table.cap and table.ban and table.cap < table.ban:
            found.append((shown, "cap", "is shorter than the first ban"))
    return found
