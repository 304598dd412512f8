"""Follows a file that people edit: in place, by a new file in its place, or behind symbolic links.

    async for _ in changes_of(Path("portward.toml"), stop):
        await configuration.reload()

What tells is the directory of the file, and of each link on the way to it. What the kernel does not tell of (a network
file system, the moment in which links moved elsewhere) is seen within a few seconds.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path

from watchfiles import awatch

from portward.host.files import signature_of
from portward.pki.own_files import OwnFiles

_LINKS = 40
"""As many as Linux itself follows (path_resolution(7))."""
_LOOK_EACH = 5000
"""Milliseconds between two looks of our own."""
_LOOK_AGAIN = 100
"""Milliseconds after which watchfiles looks whether the kernel has told of anything (more)."""


async def changes_of(path: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """Yields whenever the file may have changed, until `stop`. A file that is away is waited for."""
    seen = signature_of(path)
    while not stop.is_set():
        way = way_to(path)
        watched = {place.parent for place in way if place.parent.is_dir()}
        watching = awatch(
            *watched,
            watch_filter=partial(_is_one_of, {str(place) for place in way}),
            stop_event=stop,
            recursive=False,
            debounce=200,
            step=_LOOK_AGAIN,
            rust_timeout=_LOOK_EACH,
            yield_on_timeout=True,
        )
        async with aclosing(watching):
            async for happened in watching:
                now = signature_of(path)
                if now is not None and (happened or now != seen):
                    seen = now
                    yield
                if way_to(path) != way:
                    break


def way_to(path: Path) -> tuple[Path, ...]:
    """Every symbolic link on the way to a file, and at last the file itself; each in a directory that is no link."""
    found: list[Path] = []
    place = Path("/")
    parts = list(path.absolute().parts[1:])
    while parts:
        part = parts.pop(0)
        step = place.parent if part == ".." else place / part
        if step.is_symlink() and len(found) < _LINKS:
            found.append(step)
            target = Path(os.readlink(step))
            place = Path("/") if target.is_absolute() else place
            parts = [*target.parts[target.is_absolute() :], *parts]
        else:
            place = step
    return (*found, place)


def _is_one_of(names: set[str], _: object, changed: str) -> bool:
    return changed in names


async def follow_own_files(own_files: OwnFiles) -> None:
    """Certificates that somebody else renews are taken over when their files change. Until cancelled."""
    while True:
        own_files.moved.clear()
        if directories := own_files.directories():
            watching = awatch(
                *directories,
                stop_event=own_files.moved,
                recursive=False,
                debounce=200,
                step=_LOOK_AGAIN,
                rust_timeout=_LOOK_EACH,
                yield_on_timeout=True,
            )
            async for _ in watching:
                await own_files.follow()
        else:
            await own_files.moved.wait()
