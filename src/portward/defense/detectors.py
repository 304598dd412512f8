"""When signs are enough for a ban, and for how long. Pure.

    detectors = detectors_of(settings.defence.detectors)
    detectors["login"].length(earlier=2)        # 4 h: the third ban of the same source

What is a sign, `signs` knows; `judge` counts them.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from portward.config.detectors import Detectors, DetectorSettings, Mode, Scope

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


TOGETHER = frozenset({"unknown-host", "login", "second-factor", "token", "ssh-key", "probe", "host-ssh", "log"})
"""What nobody does who belongs: half of the tries of one and half of another's are enough, too."""


@dataclass(frozen=True, slots=True)
class Detector:
    """What `[defence.detectors.NAME]` says, with the defaults filled in."""

    name: str
    tries: int = 10
    within: timedelta = 10 * _MINUTE
    ban: timedelta = _HOUR
    grow: float = 2
    cap: timedelta = 30 * _DAY
    scope: Scope = "prefix"
    mode: Mode = "enforce"

    def length(self, earlier: int) -> timedelta:
        """How long a ban lasts for a source that was banned so often before."""
        longest = max(self.cap, self.ban).total_seconds()
        return timedelta(seconds=min(self.ban.total_seconds() * self.grow ** min(earlier, 64), longest))


SHIPPED = (
    Detector("unknown-host", tries=1, ban=365 * _DAY, cap=365 * _DAY),
    Detector("login"),
    Detector("second-factor"),
    Detector("account", tries=50, within=_HOUR, scope="account"),
    Detector("token"),
    Detector("ssh-key"),
    Detector("probe", tries=3, ban=_DAY),
    Detector("errors", tries=100, within=2 * _MINUTE),
    Detector("rate", tries=200, within=_MINUTE, ban=10 * _MINUTE),
    Detector("tls", tries=20),
    Detector("slow"),
    Detector("host-ssh", tries=5),
    Detector("log", tries=5),
)


def detectors_of(settings: Detectors) -> dict[str, Detector]:
    """Those that are not off, by name; the names are spelt as in the file, with dashes."""
    tables = {name.replace("_", "-"): _given(table) for name, table in settings}
    every = [replace(shipped, **tables[shipped.name]) for shipped in SHIPPED]
    return {detector.name: detector for detector in every if detector.mode != "off"}


def _given(table: DetectorSettings) -> dict[str, Any]:
    return {key: value for key, value in table if value is not None}
