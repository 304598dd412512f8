from pathlib import Path

import pytest

from portward.errors import Invalid
from portward.tunnels.client.targets import Folder, Target, parse, parse_all, spell_target
from portward.tunnels.profiles.profile import Tcp, Unix


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("blog=1313", Target("blog", Tcp("localhost", 1313))),
        ("hooks=localhost:3000", Target("hooks", Tcp("localhost", 3000))),
        ("nas=[2001:db8::1]:80", Target("nas", Tcp("2001:db8::1", 80))),
        ("app=unix:/run/app.sock", Target("app", Unix("/run/app.sock"))),
        ("8000", Target("", Tcp("localhost", 8000))),
    ],
)
def test_a_target_is_a_port_a_host_or_a_socket(word: str, target: Target) -> None:
    assert parse(word) == target
    assert parse(f"{target.name}={spell_target(target)}".removeprefix("=")) == target


def test_a_folder_is_a_target_from_wherever_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "public").mkdir()
    monkeypatch.chdir(tmp_path)
    wanted = Target("files", Folder(tmp_path / "public"))
    assert [parse(f"files={text}") for text in ("./public", "public", str(tmp_path / "public"))] == [wanted] * 3
    assert parse(f"files={spell_target(wanted)}") == wanted


@pytest.mark.parametrize(
    "word", ["", "blog=", "Blog=1313", "-x=1", "a b=1", "blog=0", "blog=70000", "blog=./missing", "blog=http://x:1"]
)
def test_what_can_not_be_published_is_refused(word: str) -> None:
    with pytest.raises(Invalid):
        parse(word)


def test_two_targets_of_one_name_are_refused() -> None:
    with pytest.raises(Invalid, match="twice"):
        parse_all(["blog=1313", "blog=1314"])
