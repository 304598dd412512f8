"""Logs followed as they grow: what they tell is passed on once, with how far was read."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from portward.config.settings import Settings
from portward.config.shipped import shipped
from portward.defense.logs.journald import Entry, Selection, entry_of, finding_of
from portward.defense.logs.matching import Matcher
from portward.defense.logs.passing import Key
from portward.defense.logs.reader import LogReader
from portward.defense.logs.sources import Source, find_host_log
from portward.errors import StoreError
from portward.facts import Fact, HostLoginFailed, LogUnreadable

FAILED = "Failed password for ann from 203.0.113.7 port {port} ssh2\n"


class Kept:
    """As the store: what was kept outlives the reader."""

    def __init__(self) -> None:
        self.positions: dict[Key, Mapping[str, Any]] = {}
        self.facts: list[Fact] = []
        self.full = False

    async def all(self) -> Mapping[Key, Mapping[str, Any]]:
        return dict(self.positions)

    async def retain(self, logs: Collection[str]) -> None:
        self.positions = {key: value for key, value in self.positions.items() if key[0] in logs}

    async def deliver(self, facts: Sequence[Fact], reached: Mapping[Key, Mapping[str, Any]]) -> None:
        self.facts += facts
        if self.full:
            raise StoreError("the disk is full")
        self.positions.update(reached)

    @property
    def addresses(self) -> list[str]:
        return [fact.address for fact in self.facts if isinstance(fact, HostLoginFailed)]


def settings_for(path: str, pattern: str = "sshd") -> Settings:
    logs = [{"name": "auth", "file": path, "pattern": pattern, "header": False}]
    return Settings.model_validate({"defence": {"host-logs": False, "logs": logs}})


def clock() -> datetime:
    return datetime.now(UTC)


async def wait_for(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not seen():
            await asyncio.sleep(0.01)


def live(kept: Kept, settings: Settings, scene: Callable[[LogReader], Awaitable[None]]) -> None:
    """One life of a reader; it ends as a kill ends it."""

    async def run() -> None:
        reader = LogReader(kept, lambda: settings, kept.deliver, clock, host=lambda: Source("host", ()))
        task = asyncio.create_task(reader.run())
        await wait_for(lambda: ("auth", "", "seen") in kept.positions or task.done())
        await scene(reader)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


def append(path: Path, *ports: int) -> None:
    with path.open("a") as file:
        file.write("".join(FAILED.format(port=port) for port in ports))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    append(path, 1, 2)
    return path


def test_what_comes_is_told_and_what_was_there_before_is_not(path: Path) -> None:
    kept = Kept()

    async def scene(reader: LogReader) -> None:
        append(path, 3)
        await wait_for(lambda: len(kept.addresses) == 1)
        path.rename(path.with_name("auth.log.1"))
        append(path, 4)
        await wait_for(lambda: len(kept.addresses) == 2)
        (tally,) = reader.report()
        assert (tally["log"], tally["matched"], tally["problem"]) == ("auth", 2, "")

    live(kept, settings_for(str(path)), scene)


def test_between_two_lives_nothing_is_lost_and_nothing_is_told_twice(path: Path) -> None:
    kept = Kept()

    async def first(_: LogReader) -> None:
        append(path, 3)
        await wait_for(lambda: len(kept.addresses) == 1)

    async def second(_: LogReader) -> None:
        await wait_for(lambda: len(kept.addresses) >= 3)
        append(path, 6)
        await wait_for(lambda: len(kept.addresses) >= 4)

    live(kept, settings_for(str(path)), first)
    append(path, 4)
    path.rename(path.with_name("auth.log.1"))
    append(path, 5)
    live(kept, settings_for(str(path)), second)
    assert len(kept.addresses) == 4


def test_files_that_match_wildcards_are_found_as_they_come(path: Path) -> None:
    kept = Kept()

    async def scene(_: LogReader) -> None:
        append(path.with_name("other.log"), 1)
        await wait_for(lambda: len(kept.addresses) == 1)

    live(kept, settings_for(str(path.with_name("*.log"))), scene)


def test_a_file_that_is_not_there_is_told_of_once_and_waited_for(tmp_path: Path) -> None:
    kept, path = Kept(), tmp_path / "auth.log"

    def told() -> list[LogUnreadable]:
        return [fact for fact in kept.facts if isinstance(fact, LogUnreadable)]

    async def scene(reader: LogReader) -> None:
        await wait_for(lambda: len(told()) == 1)
        assert "no such file" in reader.report()[0]["problem"]
        append(path, 1)
        await wait_for(lambda: len(kept.addresses) == 1 and len(told()) == 2)
        assert reader.report()[0]["problem"] == ""

    live(kept, settings_for(str(path)), scene)


def test_what_can_not_be_kept_is_judged_all_the_same(path: Path) -> None:
    kept = Kept()

    async def scene(_: LogReader) -> None:
        kept.full = True
        append(path, 3)
        await wait_for(lambda: len(kept.addresses) == 1)
        kept.full = False
        append(path, 4)
        await wait_for(lambda: len(kept.addresses) == 2)

    live(kept, settings_for(str(path)), scene)
    append(path, 5)

    async def second(_: LogReader) -> None:
        await wait_for(lambda: len(kept.addresses) >= 3)

    live(kept, settings_for(str(path)), second)
    assert len(kept.addresses) == 3


def test_other_settings_hold_at_once(path: Path) -> None:
    kept, other = Kept(), path.with_name("other.log")
    settings = [settings_for(str(path))]

    async def run() -> None:
        reader = LogReader(kept, lambda: settings[0], kept.deliver, clock, host=lambda: Source("host", ()))
        task = asyncio.create_task(reader.run())
        await wait_for(lambda: ("auth", "", "seen") in kept.positions)
        settings[0] = settings_for(str(other))
        reader.follow()
        await wait_for(lambda: reader.report()[0]["place"] == str(other))
        append(other, 1)
        await wait_for(lambda: len(kept.addresses) == 1)
        settings[0] = Settings.model_validate({"defence": {"host-logs": False}})
        reader.follow()
        await wait_for(lambda: reader.report() == [])
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())


ENTRY = (
    '{{"MESSAGE":{message},"_COMM":"{comm}","_UID":"{uid}","_SYSTEMD_UNIT":"{unit}",'
    '"__REALTIME_TIMESTAMP":"1795201503000000","__CURSOR":"s=1"}}'
)
MESSAGE = '"Invalid user ann from 203.0.113.7 port 40022"'
HOST = Selection(programs=frozenset({"sshd", "sshd-session"}), executables=frozenset({"/usr/bin/sudo"}))


def entry(message: str = MESSAGE, comm: str = "sshd", uid: str = "0", unit: str = "ssh.service") -> bytes:
    return ENTRY.format(message=message, comm=comm, uid=uid, unit=unit).encode()


def test_an_entry_of_the_journal_counts_when_root_wrote_it_through_that_program() -> None:
    found = entry_of(entry(), HOST)
    assert found is not None
    assert found.at == datetime(2026, 11, 20, 19, 5, 3, tzinfo=UTC)
    finding = finding_of(found, [Matcher("sshd", shipped("sshd"), host=True)])
    assert finding is not None
    assert finding.address == "203.0.113.7"


@pytest.mark.parametrize("forged", [entry(uid="1000"), entry(comm="logger"), entry(comm="logger", uid="0")])
def test_what_a_local_user_sends_with_logger_counts_for_nothing(forged: bytes) -> None:
    assert entry_of(forged, HOST) is None


def test_the_last_words_of_a_program_of_roots_count_though_journald_found_it_gone() -> None:
    last = entry().replace(b'"_COMM":"sshd"', b'"SYSLOG_IDENTIFIER":"sshd"')
    found = entry_of(last, HOST)
    assert found is not None
    assert found.program == "sshd"
    assert entry_of(last.replace(b'"_UID":"0"', b'"_UID":"1000"'), HOST) is None
    assert entry_of(last.replace(b'"sshd"', b'["sshd","x"]'), HOST) is None


def test_what_sudo_writes_for_its_caller_is_told_by_its_path() -> None:
    by_sudo = entry(comm="sudo", uid="1000").replace(b'"_UID"', b'"_EXE":"/usr/bin/sudo","_UID"')
    found = entry_of(by_sudo, HOST)
    assert found is not None
    assert found.program == "sudo"
    assert entry_of(by_sudo.replace(b"/usr/bin", b"/home/ann"), HOST) is None


def test_an_entry_of_a_unit_counts_whoever_in_it_wrote_it() -> None:
    selection = Selection(unit="vault.service")
    assert entry_of(entry(comm="python3", uid="997", unit="vault.service"), selection) is not None
    assert entry_of(entry(comm="python3", uid="997", unit="user@1000.service"), selection) is None


@pytest.mark.parametrize("line", [b"", b"no JSON", b"{}", b"[]", entry("null"), entry("5"), entry('[300,"x"]')])
def test_entries_that_can_not_be_read_are_passed_over(line: bytes) -> None:
    assert entry_of(line, HOST) is None


def test_a_message_of_bytes_is_read_and_one_of_several_lines_is_not() -> None:
    assert entry_of(entry("[97,255]"), HOST) == Entry("a�", "sshd", datetime(2026, 11, 20, 19, 5, 3, tzinfo=UTC), "s=1")
    assert entry_of(entry('"x\\nInvalid user"'), HOST) is None


JOURNALCTL = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
case "$*" in
*"-n 1 "*) echo '{"__CURSOR":"s=0"}' ;;
*"--cursor s=0"*) cat "$(dirname "$0")/first" ;;
*) cat "$(dirname "$0")/second"; exec sleep 60 ;;
esac
"""


def test_the_journal_is_followed_from_where_it_was_also_when_its_child_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for journalctl, which dies when it is told to, and tells the cursor's own entry again."""
    monkeypatch.setattr("portward.defense.logs.entries._AGAIN_SECONDS", 0.01)
    program = tmp_path / "journalctl"
    program.write_text(JOURNALCTL)
    program.chmod(0o755)
    (tmp_path / "first").write_bytes(entry() + b"\n" + entry(uid="1000") + b"\n")
    (tmp_path / "second").write_bytes(
        entry() + b"\n" + entry().replace(b"40022", b"40023").replace(b"s=1", b"s=2") + b"\n"
    )
    kept = Kept()
    source = Source("host", [Matcher("sshd", shipped("sshd"), host=True)], selection=HOST, journalctl=str(program))

    async def run() -> None:
        reader = LogReader(kept, Settings, kept.deliver, clock, host=lambda: source)
        task = asyncio.create_task(reader.run())
        await wait_for(lambda: len(kept.addresses) == 2)
        assert kept.positions["host", "journal", "now"]["cursor"] == "s=2"
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    calls = (tmp_path / "calls").read_text()
    assert "--cursor s=1" in calls
    assert "_UID=0 _COMM=sshd _COMM=sshd-session + _UID=0 SYSLOG_IDENTIFIER=sshd " in calls
    assert "+ _EXE=/usr/bin/sudo" in calls
    assert len(kept.addresses) == 2


def test_the_machines_own_log_is_found(tmp_path: Path) -> None:
    assert "neither a journal nor" in find_host_log(tmp_path).problem
    log = tmp_path / "var" / "log" / "auth.log"
    log.parent.mkdir(parents=True)
    log.touch()
    assert find_host_log(tmp_path).files == (str(log),)


def test_a_log_that_this_user_may_not_read_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "var" / "log" / "auth.log"
    log.parent.mkdir(parents=True)
    log.touch()
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, as whom tests may run, may read everything
    assert "add it to the groups" in find_host_log(tmp_path).problem
