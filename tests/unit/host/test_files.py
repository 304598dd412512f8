"""Files that are whole or not there."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from portward.host.files import create, private_directory, replace


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"old")
    path.chmod(0o644)
    replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600


def test_a_file_that_others_read_gets_the_mode_asked_for(tmp_path: Path) -> None:
    replace(tmp_path / "page", b"", mode=0o644)
    assert mode(tmp_path / "page") == 0o644


def test_a_failed_replacement_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace(tmp_path / "taken", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_of_many_creators_exactly_one_wins_and_all_see_its_file(tmp_path: Path) -> None:
    path = tmp_path / "root.key"

    def attempt(number: int) -> tuple[bool, bytes]:
        return create(path, str(number).encode() * 100_000), path.read_bytes()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(attempt, range(8)))
    assert sum(made for made, _ in results) == 1
    assert len({content for _, content in results}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["root.key"]


def test_a_private_directory_is_closed_to_others_even_if_it_was_open(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir(mode=0o755)
    assert mode(private_directory(tmp_path / "a")) == 0o700
    assert mode(private_directory(tmp_path / "b" / "c")) == 0o700
