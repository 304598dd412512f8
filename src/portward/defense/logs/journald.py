"""systemd's journal, followed through `journalctl`.

    async with following(journalctl, selection, cursor) as entries: ...

An entry says who wrote it in fields that journald itself fills in (systemd.journal-fields(7), those with `_` in front):
what any local user can send with `logger -t sshd` counts for nothing, since neither the unit nor the user is right.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from portward.defense.logs.matching import LONGEST, Finding, Matcher, Message, repeated

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = "MESSAGE,_COMM,_UID,_SYSTEMD_UNIT"
_LONGEST_ENTRY = 1024 * 1024
_MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries count: those of a `unit`, or those that programs of root's wrote."""

    unit: str = ""
    programs: frozenset[str] = frozenset()

    @property
    def arguments(self) -> tuple[str, ...]:
        """As journalctl selects them; fields of one name are alternatives."""
        if self.unit:
            return (f"_SYSTEMD_UNIT={self.unit}",)
        return ("_UID=0", *(f"_COMM={program}" for program in sorted(self.programs)))

    def holds(self, entry: Mapping[str, Any]) -> bool:
        if self.unit:
            return bool(entry.get("_SYSTEMD_UNIT") == self.unit)
        return entry.get("_UID") == "0" and entry.get("_COMM") in self.programs


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry says, when, and where it stands."""

    text: str
    program: str
    at: datetime
    cursor: str


def entry_of(line: bytes, selection: Selection) -> Entry | None:
    """One line of `journalctl -o json`; None for what is not selected or has no text."""
    try:
        values = json.loads(line)
        text = _text(values["MESSAGE"])
        at = _EPOCH + timedelta(microseconds=int(values["__REALTIME_TIMESTAMP"]))
        cursor = str(values["__CURSOR"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if not selection.holds(values) or "\n" in text or len(text) > LONGEST:
        return None
    return Entry(text, str(values.get("_COMM", "")), at, cursor)


def finding_of(entry: Entry, matchers: Sequence[Matcher]) -> Finding | None:
    """What the first pattern that knows such a message reads in it."""
    for matcher in matchers:
        if matcher.programs and not matcher.is_json:
            known = entry.program in matcher.programs or not matcher.host
            finding = matcher.judge(repeated(Message(entry.text, entry.program))) if known else None
        else:
            finding = matcher.read(entry.text)
        if finding:
            return finding
    return None


async def last_cursor(program: str) -> str:
    """Where the journal ends now; empty for an empty one. Raises `OSError`."""
    command = (program, "--no-pager", "--quiet", "-n", "1", "-o", "json", "--output-fields=_UID")
    child = await asyncio.create_subprocess_exec(*command, stdout=-1, stderr=-3, stdin=-3)
    output, _ = await child.communicate()
    with suppress(ValueError, KeyError, IndexError, TypeError):
        return str(json.loads(output.splitlines()[-1])["__CURSOR"])
    return ""


@asynccontextmanager
async def following(program: str, selection: Selection, cursor: str) -> AsyncIterator[AsyncIterator[list[bytes]]]:
    """Lines in batches, as they come, those after the cursor first. The child ends with the block.

    Its output waits in the pipe while nobody reads. The iterator ends when the child does. Raises `OSError`.
    """
    after = ("--after-cursor", cursor) if cursor else ("-n", "all")
    command = (program, "--no-pager", "--quiet", "--follow", "-o", "json", f"--output-fields={_FIELDS}", *after)
    child = await asyncio.create_subprocess_exec(
        *command, *selection.arguments, stdout=-1, stderr=-3, stdin=-3, limit=_LONGEST_ENTRY
    )
    try:
        assert child.stdout is not None  # noqa: S101 - asked for
        yield _batches(child.stdout)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def _batches(output: asyncio.StreamReader) -> AsyncIterator[list[bytes]]:
    while True:
        try:
            first = await output.readline()
        except ValueError:  # longer than any entry that counts; the reader has dropped it
            continue
        if not first:
            return
        batch = [first]
        while len(batch) < _MOST_AT_ONCE:
            try:
                batch.append(await asyncio.wait_for(output.readline(), 0.01))
            except (TimeoutError, ValueError):
                break
            if not batch[-1]:
                batch.pop()
                break
        yield batch


def _text(message: Any) -> str:
    """A text, or a list of bytes where it is not UTF-8 or has control characters."""
    if isinstance(message, list):
        return bytes(message).decode(errors="replace")
    if not isinstance(message, str):
        raise TypeError("no text")
    return message
