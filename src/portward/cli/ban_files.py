"""Bans as files: what `portward ban import` reads, and what `ban export` prints.

    found = read_bans(Path("/var/lib/fail2ban/fail2ban.sqlite3"), now, reason="imported", until=None)
    found.bans[0].source, found.skipped           # '203.0.113.7', [('198.51.100.1', 'its ban was over since …')]
    spell_bans(bans, "csv", now)

A text is read as a whole or not at all: a line that is no network raises `Invalid`.
"""

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from portward.cli.fail2ban import MAGIC, bans_of
from portward.defense.exempt import canonical
from portward.errors import Invalid, NotFound

_LARGEST = 64 * 1024 * 1024
_SHOWN = 5
_COLUMNS = ("source", "reason", "by", "since", "until", "count")
_UNTIL = re.compile(r"[;,]?\s*until (\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d))$")
_COMMENT = re.compile(r"\s*[#;]\s*")
Ban = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadBan:
    """A ban that a file holds. Without `until` it is for good."""

    source: str
    reason: str
    until: datetime | None = None
    evidence: tuple[str, ...] = ()

    def order(self) -> dict[str, Any]:
        """As the admin API takes it."""
        until = self.until.isoformat() if self.until else None
        return {"source": self.source, "reason": self.reason, "until": until, "evidence": list(self.evidence)}


@dataclass(frozen=True, slots=True)
class Found:
    """`kind` says what the file is, in words; `skipped` are sources with the reason."""

    kind: str
    bans: list[ReadBan]
    skipped: list[tuple[str, str]] = field(default_factory=list)


def read_bans(file: Path, now: datetime, *, reason: str, until: datetime | None) -> Found:
    """`reason` and `until` are for lists that say none. Raises `NotFound`, and `Invalid` with the lines at fault."""
    content = _content(file)
    if content.startswith(MAGIC):
        found = [ReadBan(*ban) for ban in bans_of(file, until=until)]
        return _without_past("a database of fail2ban", found, now)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid(f"{file} is neither text nor a database of fail2ban") from None
    if text.lstrip().startswith(("{", "[")):
        return _without_past("an export of Portward", _from_json(text, file), now)
    if text.partition("\n")[0].strip().lower().startswith("source,"):
        return _without_past("a CSV list", _from_csv(text, file, reason, until), now)
    return _without_past("a plain list", _from_lines(text, file, reason, until), now)


def spell_bans(bans: Sequence[Ban], form: str, now: datetime) -> str:
    """`form` is json, plain, nft or csv."""
    spellers: dict[str, Callable[[], str]] = {
        "json": lambda: json.dumps({"bans": bans}, indent=2) + "\n",
        "plain": lambda: "".join(f"{line}\n" for line in _plain(bans, now)),
        "nft": lambda: "".join(f"{line}\n" for line in _nft(bans, now)),
        "csv": lambda: _csv(bans),
    }
    return spellers[form]()


def _content(file: Path) -> bytes:
    try:
        if str(file) == "-":
            content = sys.stdin.buffer.read(_LARGEST + 1)
        else:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise NotFound("readable file", str(file), way_out=error.strerror or "") from None
    if len(content) > _LARGEST and not content.startswith(MAGIC):
        raise Invalid(f"{file} is larger than {_LARGEST >> 20} MB", way_out="a list that long is for [[defence.lists]]")
    return content


def _without_past(kind: str, bans: Sequence[ReadBan], now: datetime) -> Found:
    holding = [ban for ban in bans if ban.until is None or ban.until > now]
    kept = {ban.source for ban in holding}
    over = [(ban.source, ban.until) for ban in bans if ban.until and ban.until <= now and ban.source not in kept]
    return Found(kind, holding, [(source, f"its ban was over at {end:%Y-%m-%d %H:%M:%S} UTC") for source, end in over])


def _from_json(text: str, file: Path) -> list[ReadBan]:
    try:
        values = json.loads(text)
        rows = values["bans"] if isinstance(values, dict) else values
        return [_row(row) for row in rows if not row.get("lifted_at")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"{file} is no export of Portward: {error}") from None


def _from_csv(text: str, file: Path, reason: str, until: datetime | None) -> list[ReadBan]:
    default = {"reason": reason, "until": until.isoformat() if until else ""}
    bans, bad = [], []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            given = {str(key).lower(): value for key, value in row.items() if value}
            bans.append(_row({**default, **given}))
        except (Invalid, ValueError, KeyError, TypeError) as error:
            bad.append(f"line {number}: {error}")
    return _all_or_nothing(bans, bad, file)


def _from_lines(text: str, file: Path, reason: str, until: datetime | None) -> list[ReadBan]:
    bans, bad = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        source, *comment = _COMMENT.split(line.strip(), maxsplit=1)
        if not source:
            continue
        said = comment[0].strip() if comment else ""
        end = _UNTIL.search(said)
        try:
            moment = datetime.fromisoformat(end[1]) if end else until
            bans.append(ReadBan(canonical(source), _UNTIL.sub("", said) or reason, moment))
        except (Invalid, ValueError) as error:
            bad.append(f"line {number}: {error if isinstance(error, ValueError) else error.message}")
    return _all_or_nothing(bans, bad, file)


def _all_or_nothing(bans: list[ReadBan], bad: list[str], file: Path) -> list[ReadBan]:
    if bad:
        more = f", and {len(bad) - _SHOWN} lines more" if len(bad) > _SHOWN else ""
        raise Invalid(
            f"{file} was not imported: {'; '.join(bad[:_SHOWN])}{more}", way_out="correct or remove those lines"
        )
    return bans


def _row(row: Ban) -> ReadBan:
    until = datetime.fromisoformat(row["until"]) if row.get("until") else None
    if until is not None and until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return ReadBan(canonical(str(row["source"])), str(row.get("reason") or "imported"), until)


def _plain(bans: Sequence[Ban], now: datetime) -> Iterator[str]:
    yield f"# {len(bans)} bans of Portward, {now:%Y-%m-%d %H:%M} UTC"
    for ban in bans:
        until = f"; until {ban['until']}" if ban["until"] else ""
        yield f"{ban['source']} # {' '.join(str(ban['reason']).split())}{until}"


def _csv(bans: Sequence[Ban]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(bans)
    return text.getvalue()


def _nft(bans: Sequence[Ban], now: datetime) -> Iterator[str]:
    """Addresses in sets of their own: networks may hold some of them, and a set takes no overlaps."""
    ends: dict[IPv4Network | IPv6Network, datetime | None] = {
        ip_network(ban["source"]): datetime.fromisoformat(ban["until"]) if ban["until"] else None for ban in bans
    }
    yield "# for another firewall: nft -f FILE, then `ip saddr @addresses4 drop` and so on, in a chain of yours"
    yield "table inet banned {"
    for version, kind in ((4, "ipv4_addr"), (6, "ipv6_addr")):
        addresses = {one: end for one, end in ends.items() if one.version == version and one.num_addresses == 1}
        networks = {one: end for one, end in ends.items() if one.version == version and one.num_addresses > 1}
        yield from _set(f"addresses{version}", kind, "timeout", addresses, now)
        yield from _set(f"networks{version}", kind, "interval, timeout", _apart(networks), now)
    yield "}"


def _apart(networks: Mapping[Any, datetime | None]) -> dict[Any, datetime | None]:
    """Without networks inside of others; the outer one then lasts as long as the longest of them."""
    outer: dict[Any, datetime | None] = {}
    for network in sorted(networks):
        holder = next((one for one in reversed(outer) if network.subnet_of(one)), None)
        if holder is None:
            outer[network] = networks[network]
        elif outer[holder] is not None:
            ends = (outer[holder], networks[network])
            outer[holder] = None if None in ends else max(end for end in ends if end)
    return outer


def _set(name: str, kind: str, flags: str, members: Mapping[Any, datetime | None], now: datetime) -> Iterator[str]:
    yield f"  set {name} {{"
    yield f"    type {kind}; flags {flags};"
    elements = [
        str(one.network_address if one.num_addresses == 1 else one)
        + (f" timeout {max(1, int((end - now).total_seconds()))}s" if end else "")
        for one, end in members.items()
    ]
    if elements:
        yield f"    elements = {{ {', '.join(elements)} }}"
    yield "  }"
