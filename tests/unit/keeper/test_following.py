"""A file that people edit is followed, however it is edited and wherever it really lies."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from portward.keeper import following
from portward.keeper.following import changes_of, way_to

Edit = Callable[[], object]


def noticed(path: Path, *edits: Edit) -> int:
    """Make the edits one after the other, each when the one before it was noticed. Returns how many were."""

    async def story() -> int:
        stop, seen = asyncio.Event(), asyncio.Queue[None]()

        async def follow() -> None:
            async for _ in changes_of(path, stop):
                seen.put_nowait(None)

        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            group.create_task(follow())
            for edit in edits:
                await until_noticed(edit, seen)
            stop.set()
        return len(edits)

    return asyncio.run(story())


async def until_noticed(edit: Edit, seen: "asyncio.Queue[None]") -> None:
    """The watch may not stand yet when an edit is made: it is made again until it is seen."""
    while True:
        edit()
        try:
            async with asyncio.timeout(1):
                await seen.get()
        except TimeoutError:
            continue
        while not seen.empty():
            seen.get_nowait()
        return


def replaced(path: Path) -> None:
    """As editors save: a new file in the old one's place."""
    draft = path.with_name("draft")
    draft.write_text("new")
    draft.replace(path)


def relinked(link: Path, target: Path | str) -> None:
    draft = link.with_name("draft-link")
    draft.symlink_to(target)
    draft.replace(link)


def test_a_plain_file_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "portward.toml"
    file.write_text("")
    assert noticed(file, lambda: file.write_text("a"), lambda: replaced(file), lambda: file.write_text("b")) == 3


def test_a_link_edited_at_its_target_is_followed_and_so_is_its_next_target(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "git").mkdir()
    link, target, other = tmp_path / "etc" / "portward.toml", tmp_path / "git" / "gate.toml", tmp_path / "other.toml"
    target.write_text("")
    other.write_text("other")
    link.symlink_to("../git/gate.toml")
    edits = [
        lambda: target.write_text("a"),
        lambda: replaced(target),
        lambda: relinked(link, other),
        lambda: other.write_text("b"),
    ]
    assert noticed(link, *edits) == 4


def test_a_directory_that_is_a_link_may_be_exchanged(tmp_path: Path) -> None:
    """As Kubernetes mounts configuration: `portward.toml` -> `..data/portward.toml`, `..data` -> `..2026`."""
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "portward.toml").write_text(version)
    (tmp_path / "data").symlink_to("one")
    file = tmp_path / "portward.toml"
    file.symlink_to("data/portward.toml")
    inside = tmp_path / "two" / "portward.toml"
    assert noticed(file, lambda: relinked(tmp_path / "data", "two"), lambda: inside.write_text("more")) == 2


def test_a_change_that_nobody_tells_of_is_seen_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel tells of a hard link's change only in the directory whose name was used."""
    monkeypatch.setattr(following, "_LOOK_EACH", 100)
    file, same = tmp_path / "etc" / "portward.toml", tmp_path / "same"
    file.parent.mkdir()
    file.write_text("")
    same.hardlink_to(file)
    assert noticed(file, lambda: same.write_text("a"), lambda: same.write_text("ab")) == 2


def test_the_way_to_a_file_names_every_link(tmp_path: Path) -> None:
    real = Path(os.path.realpath(tmp_path))
    (real / "a").mkdir()
    (real / "a" / "file").write_text("")
    (real / "b").symlink_to("a")
    (real / "c").symlink_to(real / "b" / ".." / "b" / "file")
    assert way_to(real / "a" / "file") == (real / "a" / "file",)
    assert way_to(real / "c") == (real / "c", real / "b", real / "b", real / "a" / "file")


def test_links_in_a_circle_have_an_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert len(way_to(tmp_path / "a")) <= 42
