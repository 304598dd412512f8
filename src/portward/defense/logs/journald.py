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
from pathlib import PurePath
from typing import Any

from portward.defense.logs.matching import LONGEST, Finding, Matcher, Message, repeated

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,_COMM,_EXE,_UID,_SYSTEMD_UNIT"
_LONGEST_ENTRY = 1024 * 1024
_MOST_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Which entries count: those of a `unit`; or those of root's `programs`, and of `executables` by their full path.

    sudo is one of the latter: it acts for its caller, whose user id its entries bear.
    """

    unit: str = ""
    programs: frozenset[str] = frozenset()
    executables: frozenset[str] = frozenset()

    @property
    def arguments(self) -> tuple[str, ...]:
        """As journalctl selects them; fields of one name are alternatives, and so is what stands around a `+`."""
        if self.unit:
            return (f"_SYSTEMD_UNIT={self.unit}",)
        programs = sorted(self.programs)
        return (
            *("_UID=0", *(f"_COMM={program}" for program in programs), "+"),
            *("_UID=0", *(f"SYSLOG_IDENTIFIER={program}" for program in programs)),
            *(word for path in sorted(self.executables) for word in ("+", f"_EXE={path}")),
        )

    def program(self, entry: Mapping[str, Any]) -> str | None:
        """Which program wrote an entry, empty where nobody knows; None for an entry that does not count.

        The last words of a program that ends at once come without `_COMM`, since journald finds it gone
        (https://github.com/systemd/systemd/issues/2913); what root calls itself is believed then.
        """
        path = str(entry.get("_EXE"))
        program = str(entry.get("_COMM") or ("" if self.unit else entry.get("SYSLOG_IDENTIFIER", "")))
        if self.unit:
            return program if entry.get("_SYSTEMD_UNIT") == self.unit else None
        if path in self.executables:
            return PurePath(path).name
        return program if entry.get("_UID") == "0" and program in self.programs else None


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
        cursor, program = str(values["__CURSOR"]), selection.program(values)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    if program is None or "\n" in text or len(text) > LONGEST:
        return None
    return Entry(text, program, at, cursor)


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
    """Lines in batches, as they come, from the cursor's own entry on. The child ends with the block.

    Its output waits in the pipe while nobody reads. The iterator ends when the child does. Raises `OSError`.

    Not `--after-cursor`: where the cursor's entry is not selected, or was vacuumed, that leaves the next one out.
    """
    begin = ("--cursor", cursor) if cursor else ()
    command = (
        *(program, "--no-pager", "--quiet", "--follow", "-n", "all", *begin),
        *("-o", "json", f"--output-fields={_FIELDS}"),
    )
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
