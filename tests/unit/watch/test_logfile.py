"""A log file that takes whole lines, rotates at line ends, and survives a full disk."""

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from portward.host.paths import State
from portward.watch.logfile import LogFile
from portward.watch.retention import Retention

DAY = 86400.0


class Clock:
    def __init__(self) -> None:
        self.now = time.time() // DAY * DAY + 3600

    def __call__(self) -> float:
        return self.now


class Log:
    """A log under test: its file, its clock, and what it complained about."""

    def __init__(self, path: Path, retention: Retention) -> None:
        self.path = path
        self.clock = Clock()
        self.complaints: list[str] = []
        self.file = LogFile(path, retention, complain=self.complaints.append, clock=self.clock)

    def append(self, text: str) -> None:
        self.file.append(memoryview(text.encode()))

    def rotated(self) -> list[str]:
        return sorted(path.name for path in self.path.parent.glob("access-*.log"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "access.log", Retention(rotate_mb=0.00001, keep=timedelta(days=3)))
    yield log
    log.file.close()


def test_lines_are_appended_to_what_is_there_and_private(log: Log) -> None:
    log.path.write_text("old\n")
    log.append("new\n")
    assert log.path.read_text() == "old\nnew\n"
    log.path.unlink()
    log.clock.now += 60
    log.append("again\n")
    assert log.path.stat().st_mode & 0o777 == 0o600


def test_a_full_file_makes_room_at_a_line_end(log: Log) -> None:
    for _ in range(3):
        log.append("123456789\n")
    assert log.path.read_text() == "123456789\n"
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(log.clock.now))
    assert log.rotated() == [f"access-{stamp}.1.log", f"access-{stamp}.log"]


def test_a_new_day_begins_a_new_file(log: Log) -> None:
    log.append("a\n")
    log.clock.now += DAY
    log.append("b\n")
    assert log.path.read_text() == "b\n"
    assert len(log.rotated()) == 1


def test_a_quiet_day_ends_too(log: Log) -> None:
    log.append("a\n")
    log.clock.now += DAY
    log.file.prune()
    assert not log.path.exists()
    assert len(log.rotated()) == 1


def test_old_files_are_deleted_and_younger_ones_and_others_kept(log: Log) -> None:
    for name, days in (("access-1.log", 4), ("access-2.log", 2), ("other.log", 4)):
        path = log.path.with_name(name)
        path.touch()
        os.utime(path, (log.clock.now - days * DAY,) * 2)
    log.file.prune()
    assert sorted(path.name for path in log.path.parent.iterdir()) == ["access-2.log", "other.log"]


def test_a_file_that_somebody_moved_away_is_made_anew(log: Log) -> None:
    log.append("a\n")
    log.path.rename(log.path.with_name("taken"))
    log.clock.now += 6
    log.append("b\n")
    assert log.path.read_text() == "b\n"


def test_a_file_that_can_not_be_written_is_told_once_and_lines_are_counted(log: Log) -> None:
    log.path.mkdir()
    for _ in range(3):
        log.append("a\nb\n")
    assert log.file.lost == 6
    assert len(log.complaints) == 1
    log.path.rmdir()
    log.clock.now += 2
    log.append("c\n")
    assert log.path.read_text() == "c\n"
    assert log.complaints[1:] == ["the access log is written again; 6 lines were lost"]


def test_half_a_write_on_a_full_disk_is_cut_off_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append("whole\n")
    real_write, room = os.write, [3]

    def write_until_full(handle: int, data: memoryview) -> int:
        if not room:
            raise OSError(28, "No space left on device")
        return real_write(handle, data[: room.pop()])

    monkeypatch.setattr(os, "write", write_until_full)
    log.append("torn\n")
    monkeypatch.undo()
    log.append("next\n")
    assert log.path.read_text() == "whole\nnext\n"
    assert log.file.lost == 1
    assert "No space left" in log.complaints[0]


def test_the_keepers_settings_reach_the_recorder(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.prepare()
    assert Retention.load(state) == Retention()
    Retention(5, timedelta(hours=7)).save(state)
    assert Retention.load(state) == Retention(5, timedelta(hours=7))


@pytest.mark.parametrize("text", ["", "[]", '{"rotate_mb": 1}', '{"rotate_mb": "1", "keep_seconds": 2}'])
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    state = State(tmp_path)
    state.prepare()
    state.recorder_settings.write_text(text)
    with pytest.raises(ValueError, match=r".+"):
        Retention.load(state)
