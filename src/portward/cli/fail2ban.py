"""fail2ban's own database, read as it lies there: SQLite, a row for each address and jail that is banned.

    list(bans_of(Path("/var/lib/fail2ban/fail2ban.sqlite3"), until=None))
    # [("203.0.113.7", "fail2ban: sshd", datetime(…), ('{"jail": "sshd", "failures": 5, …}',))]

Its layout: fail2ban/server/database.py, `bips` since 0.11 and `bans` before that.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from portward.defense.exempt import canonical
from portward.errors import Invalid

MAGIC = b"SQLite format 3\0"
_MATCHES = 3
_LONGEST = 300
_FOR_GOOD = datetime.max.replace(tzinfo=UTC)
Read = tuple[str, str, datetime | None, tuple[str, ...]]


def bans_of(file: Path, *, until: datetime | None) -> Iterator[Read]:
    """Source, reason, end and evidence: of an address that several jails have banned, the longest ban.

    `until` is for databases of fail2ban before 0.11, which hold no lengths. Raises `Invalid` for any other database.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)) as database:
            rows = _rows(database, file, until)
    except sqlite3.DatabaseError as error:
        raise Invalid(f"{file} can't be read as fail2ban's database: {error}") from None
    by_source: dict[str, list[tuple[str, datetime, str]]] = {}
    for jail, address, end, data in rows:
        by_source.setdefault(canonical(address), []).append((jail, end, _evidence(jail, data)))
    for source, found in by_source.items():
        last = max(end for _, end, _ in found)
        jails = ", ".join(dict.fromkeys(jail for jail, _, _ in found))
        yield source, f"fail2ban: {jails}", None if last == _FOR_GOOD else last, tuple(one[2] for one in found)


def _rows(database: sqlite3.Connection, file: Path, until: datetime | None) -> list[tuple[str, str, datetime, Any]]:
    tables = {name for (name,) in database.execute("select name from sqlite_master where type = 'table'")}
    if not {"fail2banDb", "jails", "bans"} <= tables:
        raise Invalid(f"{file} is an SQLite database, and not fail2ban's")
    table = "bips" if "bips" in tables else "bans"
    columns = {row[1] for row in database.execute(f"pragma table_info({table})")}
    if "bantime" in columns:
        query = f"select jail, ip, timeofban, bantime, data from {table} order by timeofban"  # noqa: S608 - two names
        return [(jail, ip, _end(began, length), data) for jail, ip, began, length, data in database.execute(query)]
    if until is None:
        raise Invalid(f"{file} is of a fail2ban before 0.11, and does not say how long bans last", way_out="give --for")
    query = f"select distinct jail, ip, data from {table}"  # noqa: S608 - one of two names
    return [(jail, ip, until, data) for jail, ip, data in database.execute(query)]


def _end(began: int, length: int) -> datetime:
    """A negative length is for good."""
    return _FOR_GOOD if length < 0 else datetime.fromtimestamp(began, UTC) + timedelta(seconds=length)


def _evidence(jail: str, data: Any) -> str:
    """A line of JSON: the jail, how many failures there were, and the first lines of the log."""
    try:
        values = json.loads(data)
        matches = ["".join(match) if isinstance(match, list) else str(match) for match in values.get("matches") or []]
        failures = int(values.get("failures", 0))
    except (ValueError, TypeError, AttributeError):
        return json.dumps({"fact": "fail2ban", "jail": jail})
    lines = [line[:_LONGEST] for line in matches[:_MATCHES]]
    return json.dumps({"fact": "fail2ban", "jail": jail, "failures": failures, "lines": lines})
