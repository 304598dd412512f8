"""Times as logs spell them.

parse_stamp("Nov 20 19:05:03", now)         # the last one before now, in the machine's own zone
parse_stamp("20/Nov/2026:19:05:03 +0100", now)
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_CLOCK = r"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)(?:[.,]\d+)?"
_ZONE = r"(?: ?(?P<zone>Z|UTC|[+-]\d\d:?\d\d))?"
_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        rf"(?P<y>\d{{4}})[-/](?P<m>\d\d)[-/](?P<d>\d\d)[T ]{_CLOCK}{_ZONE}",
        rf"(?P<d>\d\d)[-/](?P<mon>[A-Z][a-z][a-z])[-/](?P<y>\d{{4}})[: ]{_CLOCK}{_ZONE}",
        rf"(?:[A-Z][a-z][a-z] )?(?P<mon>[A-Z][a-z][a-z]) (?P<d>[\d ]\d) {_CLOCK}(?: (?P<y>\d{{4}}))?",
    )
)
_SECONDS = re.compile(r"\d{10}(?:\.\d+)?", re.ASCII)
_NAMES = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MONTHS = {_NAMES[3 * number : 3 * number + 3]: number + 1 for number in range(12)}
_DAY = timedelta(days=1)


def parse_stamp(text: str, now: datetime) -> datetime | None:
    """The time that a line tells, in UTC; None where it can't be read."""
    return _parse(text, now.replace(minute=0, second=0, microsecond=0))


@lru_cache(maxsize=1024)
def _parse(text: str, now: datetime) -> datetime | None:
    """Lines that follow each other mostly tell the same time. `now` only says which year is meant."""
    try:
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
        for form in _FORMS:
            if match := form.fullmatch(text):
                return _moment(match.groupdict(), now)
    except (ValueError, OverflowError):  # the 30th of February; the year 1, east of Greenwich
        return None
    return None


def _moment(found: dict[str, str | None], now: datetime) -> datetime | None:
    month = _MONTHS.get(found["mon"] or "", 0) if "mon" in found else int(found["m"] or 0)
    rest = (month, int(found["d"] or 0), int(found["H"] or 0), int(found["M"] or 0), int(found["S"] or 0))
    if found["y"]:
        return datetime(int(found["y"]), *rest, tzinfo=_zone(found.get("zone"))).astimezone(UTC)
    this_year = _in_year(now.year, rest)
    return this_year if this_year and this_year <= now + _DAY else _in_year(now.year - 1, rest)


def _in_year(year: int, rest: tuple[int, int, int, int, int]) -> datetime | None:
    try:
        return datetime(year, *rest).astimezone(UTC)
    except ValueError:
        return None


def _zone(text: str | None) -> timezone | None:
    """None: the machine's own."""
    if not text:
        return None
    if text in {"Z", "UTC"}:
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
