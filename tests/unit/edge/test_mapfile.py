"""Maps on disk: what is added stands there, what is removed never comes back."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portward.edge.mapfile import MapFile


@pytest.fixture
def sessions(tmp_path: Path) -> MapFile:
    file = MapFile(tmp_path / "sessions.map")
    file.begin()
    return file


def test_nothing_is_removed_from_a_new_map(sessions: MapFile) -> None:
    sessions.remove([])
    sessions.remove(["A1"])
    assert sessions.read() == {}


def test_the_first_entry_of_a_new_map_can_be_removed(sessions: MapFile) -> None:
    sessions.add({"A1": "1765000000|ann|s1|0", "A12": "1765000000|ann|s2|0"})
    sessions.remove(["A1"])
    assert sessions.read() == {"A12": "1765000000|ann|s2|0"}


def test_the_first_entry_of_a_new_map_can_be_changed(sessions: MapFile) -> None:
    sessions.add({"A1": "1|ann|s1|0"})
    sessions.change({"A1": "2|ann|s1|0"})
    assert sessions.read() == {"A1": "2|ann|s1|0"}


def test_beginning_anew_keeps_what_is_there(sessions: MapFile) -> None:
    sessions.add({"A1": "1|ann|s1|0"})
    sessions.begin()
    assert sessions.read() == {"A1": "1|ann|s1|0"}


def test_a_map_that_is_an_empty_file_is_begun(tmp_path: Path) -> None:
    (tmp_path / "sessions.map").touch()
    sessions = MapFile(tmp_path / "sessions.map")
    sessions.begin()
    sessions.add({"A1": "1|ann|s1|0"})
    sessions.remove(["A1"])
    assert sessions.read() == {}


KEYS = st.sampled_from(["A", "A1", "A12", "B", "host/a/", "host/a/b/"])
VALUES = st.sampled_from(["", "1", "A1", "A 1", "1|ann|s1|0", "# dead", "é"])
STEPS = st.lists(st.tuples(st.sampled_from(["put", "remove", "write"]), KEYS, VALUES), max_size=30)


@settings(max_examples=50)
@given(STEPS)
def test_a_map_says_what_a_dict_says_whatever_was_done_to_it(steps: list[tuple[str, str, str]]) -> None:
    with TemporaryDirectory() as directory:
        file, expected = MapFile(Path(directory) / "some.map"), dict[str, str]()
        file.begin()
        for step, key, value in steps:
            match step:
                case "put" if key in expected:
                    file.change({key: value})
                    expected[key] = value
                case "put":
                    file.add({key: value})
                    expected[key] = value
                case "remove":
                    file.remove([key])
                    expected.pop(key, None)
                case _:
                    expected = {key: value}
                    file.write(expected)
            assert file.read() == expected


def test_a_file_of_mostly_dead_lines_is_to_be_written_anew(tmp_path: Path) -> None:
    sessions = MapFile(tmp_path / "sessions.map")
    assert sessions.differs({"A": "1"})
    sessions.write({"A": "1"})
    assert not sessions.differs({"A": "1"})
    dead = {f"B{number}": "2" for number in range(1100)}
    sessions.add(dead)
    sessions.remove(dead)
    assert sessions.read() == {"A": "1"}
    assert sessions.differs({"A": "1"})
