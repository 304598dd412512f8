"""How times and devices are worded for people.

ago(now, now - timedelta(minutes=3))        # '3 min ago'
device("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
# Device('Firefox on Linux', 'laptop')
"""

from dataclasses import dataclass
from datetime import datetime

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi", "Vivaldi"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_STEPS = ((60, "s"), (60, "min"), (24, "h"), (7, "d"))


@dataclass(frozen=True, slots=True)
class Device:
    """A browser and its machine. `icon` is laptop, phone or terminal."""

    name: str
    icon: str


def device(user_agent: str) -> Device:
    """A guess at what someone would call this device; user agents promise nothing."""
    browser = _first(_BROWSERS, user_agent)
    system = _first(_SYSTEMS, user_agent)
    name = " on ".join(part for part in (browser, system) if part) or "Unknown device"
    return Device(name, _icon(browser, system))


def _first(known: tuple[tuple[str, str], ...], user_agent: str) -> str:
    return next((name for part, name in known if part in user_agent), "")


def _icon(browser: str, system: str) -> str:
    if browser in {"curl", "Python"}:
        return "terminal"
    return "phone" if system in {"iPhone", "iPad", "Android"} else "laptop"


def ago(now: datetime, then: datetime) -> str:
    """The time since `then` in its largest unit; a date when that is weeks."""
    count = max(0, int((now - then).total_seconds()))
    if count < 60:
        return "just now"
    for size, unit in _STEPS:
        if count < size:
            return f"{count} {unit} ago"
        count //= size
    return date(then)


def date(then: datetime) -> str:
    """'20 Nov 2026'."""
    return f"{then.day} {then:%b %Y}"


def moment(then: datetime) -> str:
    """'20 Nov 2026, 12:57 UTC'."""
    return f"{date(then)}, {then:%H:%M} UTC"


def waiting(seconds: int) -> str:
    """'8 seconds', '1 minute', '5 minutes': rounded up."""
    count, unit = (seconds, "second") if seconds < 60 else (-(-seconds // 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
