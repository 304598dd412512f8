"""Maps on disk: what is added stands there, what is removed never comes back."""

from pathlib import Path

import pytest

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
