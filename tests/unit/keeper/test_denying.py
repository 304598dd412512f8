"""Files of `defence.deny-files` are read when they are new, and not again before they change."""

import os
from pathlib import Path

import pytest

from portward.config.reading import parse
from portward.config.settings import Settings
from portward.errors import Invalid
from portward.keeper.denying import DenyFiles


def settings_with(*names: Path) -> Settings:
    files = ", ".join(f'"{name}"' for name in names)
    return parse(f"[defence]\ndeny-files = [{files}]\n", names[0].with_name("portward.toml"), {})


def test_a_file_is_read_once_and_again_when_it_has_changed(tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("198.51.100.0/24\n")
    other.write_text("203.0.113.7\n")
    settings, files = settings_with(one, other), DenyFiles()
    before = files.read(settings)
    assert [b"198.51.100.0/24" in before[0], b"203.0.113.7" in before[1]] == [True, True]
    one.write_text("192.0.2.0/24\n192.0.2.7\n")
    after = files.read(settings)
    assert b"192.0.2.0/24" in after[0]
    assert after[1] is before[1]


def test_a_file_that_became_unusable_is_told(tmp_path: Path) -> None:
    one = tmp_path / "one.txt"
    one.write_text("198.51.100.0/24\n")
    settings, files = settings_with(one), DenyFiles()
    files.read(settings)
    os.unlink(one)
    with pytest.raises(Invalid, match=r"one\.txt"):
        files.read(settings)
