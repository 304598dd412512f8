"""A log that is renamed, emptied, compressed and made anew, and a reader that dies in between: every line once."""

import gzip
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portward.defense.logs.matching import LONGEST
from portward.defense.logs.position import Position
from portward.defense.logs.tail import Tail

NOW = datetime(2026, 11, 20, 19, 5, tzinfo=UTC)


def lines_of(tail: Tail, now: datetime = NOW) -> list[str]:
    return [line for batch in tail.read(now) for line in batch.chunk.decode().splitlines()]


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


@pytest.fixture
def tail(path: Path) -> Tail:
    path.write_text("long ago, before anybody listened to this log\n")
    tail = Tail(path, {})
    assert lines_of(tail) == []
    return tail


def reborn(tail: Tail, path: Path) -> Tail:
    """As after `kill -9`: only what the store keeps is left."""
    kept = {slot: Position.read(position.spell()) for slot, position in tail.positions().items()}
    tail.close()
    return Tail(path, kept)


def test_what_was_there_at_first_is_not_judged_and_what_comes_is(tail: Tail, path: Path) -> None:
    append(path, "one\ntwo\n")
    assert lines_of(tail) == ["one", "two"]
    assert lines_of(tail) == []


def test_a_line_counts_when_it_is_whole(tail: Tail, path: Path) -> None:
    append(path, "from 203.0.113.1")
    assert lines_of(tail) == []
    append(path, "17\n")
    assert lines_of(tail) == ["from 203.0.113.117"]


def test_the_rest_of_a_line_that_was_half_there_at_first_is_no_line(path: Path) -> None:
    path.write_text("first ha")
    tail = Tail(path, {})
    assert lines_of(tail) == []
    append(path, "lf\nwhole\n")
    assert lines_of(tail) == ["whole"]


def test_a_file_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    tail = Tail(path, {})
    assert lines_of(tail) == []
    assert tail.problem == "there is no such file"
    append(path, "one\n")
    assert lines_of(tail) == ["one"]
    assert tail.problem == ""


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(tail: Tail, path: Path) -> None:
    append(path, "one\n")
    path.rename(path.with_suffix(".log.1"))
    append(path, "three\n")
    assert lines_of(tail) == ["one", "three"]


def test_a_program_may_go_on_writing_to_a_renamed_file_for_a_while(tail: Tail, path: Path) -> None:
    old = path.open("a")
    path.rename(path.with_suffix(".log.1"))
    append(path, "new\n")
    assert lines_of(tail) == ["new"]
    old.write("late\n")
    old.close()
    assert lines_of(tail, NOW + timedelta(seconds=30)) == ["late"]
    assert lines_of(tail, NOW + timedelta(seconds=90)) == []


def test_an_emptied_file_begins_anew(tail: Tail, path: Path) -> None:
    append(path, "one\n")
    assert lines_of(tail) == ["one"]
    path.write_text("")
    append(path, "two\n")
    assert lines_of(tail) == ["two"]


def test_a_file_emptied_and_filled_beyond_where_it_was_is_seen_to_be_another(tail: Tail, path: Path) -> None:
    append(path, "one\n")
    assert lines_of(tail) == ["one"]
    path.write_text("".join(f"line {number} of the new one\n" for number in range(50)))
    assert len(lines_of(tail)) == 50


def test_what_was_copied_away_before_the_log_was_emptied_is_read_from_the_copy(tail: Tail, path: Path) -> None:
    append(path, "one\n")
    assert lines_of(tail) == ["one"]
    append(path, "two\n")
    shutil.copyfile(path, path.with_suffix(".log.1"))
    os.truncate(path, 0)
    append(path, "three\n")
    assert lines_of(tail) == ["two", "three"]


def test_a_hole_left_by_a_program_that_does_not_append_is_no_line(tail: Tail, path: Path) -> None:
    with path.open("r+") as program:
        program.seek(0, os.SEEK_END)
        program.write("one\n")
        program.flush()
        assert lines_of(tail) == ["one"]
        os.truncate(path, 0)
        program.write("two\n")
    assert lines_of(tail) == ["two"]


@pytest.mark.parametrize("how", ["stays", "renamed", "compressed", "copied"])
def test_after_a_kill_the_reading_goes_on_where_it_was(tail: Tail, path: Path, how: str) -> None:
    append(path, "one\n")
    assert lines_of(tail) == ["one"]
    tail = reborn(tail, path)
    append(path, "two\nthree\n")
    old = path.with_suffix(".log.1")
    match how:
        case "renamed":
            path.rename(old)
        case "compressed":
            path.with_suffix(".log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
        case "copied":
            shutil.copyfile(path, old)
            os.truncate(path, 0)
    append(path, "four\n")
    assert lines_of(tail) == ["two", "three", "four"]
    assert lines_of(reborn(tail, path)) == []


def test_after_a_kill_a_file_that_only_has_the_same_inode_is_another(tail: Tail, path: Path) -> None:
    append(path, "one\n")
    assert lines_of(tail) == ["one"]
    tail = reborn(tail, path)
    path.write_text("a new log with the inode of the one before, and longer than that one was\n")
    assert lines_of(tail) == ["a new log with the inode of the one before, and longer than that one was"]


def test_a_kill_amid_a_rotation_loses_nothing(tail: Tail, path: Path) -> None:
    old = path.open("a")
    path.rename(path.with_suffix(".log.1"))
    append(path, "new\n")
    assert lines_of(tail) == ["new"]
    tail = reborn(tail, path)
    old.write("late\n")
    old.close()
    append(path, "newer\n")
    assert lines_of(tail) == ["late", "newer"]


def test_a_kill_amid_a_backlog_repeats_and_loses_nothing(tail: Tail, path: Path) -> None:
    text = "".join(f"line {number:07}\n" for number in range(60_000))
    append(path, text)
    path.rename(path.with_suffix(".log.1"))
    append(path, "last\n")
    seen: list[str] = []
    for _ in range(20):
        for batch in tail.read(NOW):
            seen += batch.chunk.decode().splitlines()
            break
        tail = reborn(tail, path)
    assert seen == [*text.splitlines(), "last"]


def test_a_line_without_end_is_skipped_and_counted(tail: Tail, path: Path) -> None:
    append(path, "x" * (3 * LONGEST))
    assert lines_of(tail) == []
    append(path, "x" * (3 * LONGEST) + "\nnext\n")
    assert lines_of(tail) == ["next"]
    assert tail.too_long == 1


def test_a_place_that_can_not_be_read_is_said_and_tried_again(path: Path) -> None:
    path.mkdir()
    tail = Tail(path, {})
    assert lines_of(tail) == []
    assert tail.problem
    path.rmdir()
    path.write_text("who knows from when\n")
    assert lines_of(tail) == []
    append(path, "one\n")
    assert lines_of(tail) == ["one"]


def test_lines_are_no_older_than_the_last_look(tail: Tail, path: Path) -> None:
    assert lines_of(tail, NOW + timedelta(minutes=1)) == []
    append(path, "one\n")
    (batch,) = tail.read(NOW + timedelta(minutes=2))
    assert batch.since == NOW + timedelta(minutes=1)


STEP = st.sampled_from(["write", "half", "rename", "copytruncate", "compress", "look", "kill", "look a little"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=25))
def test_whatever_happens_in_whatever_order_each_line_is_read_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("log") / "app.log"
    path.write_text("before anything else, a line that tells this file from others\n")
    tail, seen, written, rotations = Tail(path, {}), [], 0, 0
    seen += lines_of(tail)
    for step in steps:
        match step:
            case "write":
                append(path, "".join(f"line {written + number} is of some length\n" for number in range(3)))
                written += 3
            case "half":
                append(path, f"line {written} is")
                seen += lines_of(tail)
                append(path, " of some length\n")
                written += 1
            case "rename" | "compress" | "copytruncate":
                rotations += 1
                old = path.with_name(f"app.log-{rotations:03}")
                if step == "copytruncate":
                    shutil.copyfile(path, old)
                    os.truncate(path, 0)
                else:
                    path.rename(old)
                    path.touch()
                append(path, f"line {written} is of some length\n")
                written += 1
                if step == "compress":
                    old.with_name(old.name + ".gz").write_bytes(gzip.compress(old.read_bytes()))
                    old.unlink()
                # More than one rotation between two looks is beyond what is promised.
                seen += lines_of(tail)
            case "look":
                seen += lines_of(tail)
            case "look a little":
                for batch in tail.read(NOW):
                    seen += batch.chunk.decode().splitlines()
                    break
            case "kill":
                tail = reborn(tail, path)
    seen += lines_of(tail)
    tail.close()
    assert seen == [f"line {number} is of some length" for number in range(written)]


def test_positions_are_kept_as_text(tail: Tail) -> None:
    kept: Mapping[str, Position] = tail.positions()
    assert {slot: Position.read(position.spell()) for slot, position in kept.items()} == kept
