"""Which facts speak against whom. Pure: no clock, no store.

    detectors = detectors_of(settings.defence.detectors)
    detectors["login"].length(earlier=2)        # 4 h: the third ban of the same source

A sign is one mark against a source. How many of them are enough, a detector says.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from portward.config.detectors import Detectors, DetectorSettings, Mode, Scope
from portward.facts import Fact

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


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


@dataclass(frozen=True, slots=True)
class Sign:
    """One mark against `source`, spelt as in `model.Ban`; `account` is whose login was tried, where one is known.

    Of signs with the same `what`, only the first one counts: a browser that asks again and again for one thing is no
    scanner. Empty: each counts. `weight` is as how many it counts.
    """

    detector: str
    source: str
    account: str
    fact: Fact
    what: str = ""
    weight: int = 1


def detectors_of(settings: Detectors) -> dict[str, Detector]:
    """Those that are not off, by name; the names are spelt as in the file, with dashes."""
    tables = {name.replace("_", "-"): _given(table) for name, table in settings}
    every = [replace(shipped, **tables[shipped.name]) for shipped in SHIPPED]
    return {detector.name: detector for detector in every if detector.mode != "off"}


def _given(table: DetectorSettings) -> dict[str, Any]:
    return {key: value for key, value in table if value is not None}
