"""Times as logs spell them.

parse_stamp("Nov 20 19:05:03", now)         # the last one before now, in the machine's own zone
parse_stamp("20/Nov/2026:19:05:03 +0100", now)
"""

import re
from datetime import UTC, datetime, timedelta

_FORMS = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%d/%b/%Y:%H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
)
_WITHOUT_YEAR = ("%Y %a %b %d %H:%M:%S", "%Y %b %d %H:%M:%S")
_ISO = re.compile(r"(\d{4}-\d\d-\d\d)T")
_FRACTION = re.compile(r"(:\d\d)[.,]\d+")
_ZONE = re.compile(r"(?<=\d) ?(Z|UTC|[+-]\d\d:?\d\d)$")
_DAY = timedelta(days=1)


def parse_stamp(text: str, now: datetime) -> datetime | None:
    """The time that a line tells, in UTC; None where it can't be read."""
    seconds, _, _ = text.partition(".")
    if len(seconds) == 10 and seconds.isdigit():
        return datetime.fromtimestamp(float(text), UTC)
    plain = _FRACTION.sub(r"\1", _ISO.sub(r"\1 ", text), count=1)
    zone = _ZONE.search(plain)
    bare = plain[: zone.start()] if zone else plain
    moment = _read(bare, now)
    if moment is None or zone is None:
        return moment.astimezone(UTC) if moment else None
    offset = "+0000" if zone[1] in {"Z", "UTC"} else zone[1]
    return datetime.strptime(f"{moment:%Y-%m-%d %H:%M:%S}{offset}", "%Y-%m-%d %H:%M:%S%z").astimezone(UTC)


def _read(text: str, now: datetime) -> datetime | None:
    """Without a zone: as this machine's clock would show it."""
    for form in _FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - the machine's own zone is meant
        except ValueError:
            continue
    for year in (now.year, now.year - 1):
        for form in _WITHOUT_YEAR:
            try:
                moment = datetime.strptime(f"{year} {text}", form)  # noqa: DTZ007
            except ValueError:
                continue
            if moment.astimezone(UTC) <= now + _DAY:
                return moment
    return None
