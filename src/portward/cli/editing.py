"""Editing portward.toml from the command line: one edit at a time, checked before it is written, applied at once.

require_same_file(config, state)
with alone(config):
    save(publish(text_of(config), "wiki", publication), config, state)
print(said(apply(state), config))
"""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from portward.cli.output import spell

if TYPE_CHECKING:
    from portward.config import Settings


def require_same_file(config: Path, state: Path) -> None:
    """Raises `Conflict` when the running gateway uses another file: what is written here would not be published."""
    from portward.cli.client import keeper
    from portward.errors import Conflict, NotRunning

    try:
        with keeper(state) as running:
            used = running.get("/status")["configuration"]["file"]
    except NotRunning:
        return
    if Path(used).resolve() != config.resolve():
        raise Conflict(f"the running gateway uses {used}, and not {config}", way_out=f"add --config {used}")


@contextmanager
def alone(config: Path) -> Iterator[None]:
    """One edit at a time: of two at once, neither undoes the other's."""
    from portward.errors import Environment

    try:
        directory = os.open(config.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Environment(
            f"the directory of {config} can't be opened: {error.strerror}", way_out="name the file with --config"
        ) from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def save(text: str, config: Path, state: Path) -> "Settings":
    """Write the text when it can be used. A link is followed, so that the file it points at changes."""
    from portward.config.reading import parse
    from portward.errors import Environment
    from portward.host.files import replace

    settings = parse(text, config, state=state)
    file = config.resolve()
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    try:
        replace(file, text.encode(), mode=mode)
    except OSError as error:
        raise Environment(
            f"{config} can't be written: {error.strerror}", way_out="run the command as a user who may write it"
        ) from None
    return settings


def apply(state: Path) -> dict[str, object] | None:
    """What the keeper made of it; None when it does not run."""
    from portward.cli.client import keeper
    from portward.errors import NotRunning

    try:
        with keeper(state) as running:
            return dict(running.post("/reload"))
    except NotRunning:
        return None


def said(applied: Mapping[str, Any] | None, config: Path) -> str:
    """What became of an edit, in a sentence."""
    if applied is None:
        return f"{config} is saved and takes effect at the next start: Portward does not run"
    return f"applied: {spell(applied.get('summary')) or 'no difference'}"
