"""What `portward connect` publishes: NAME=TARGET, in the words of the command line.

parse("blog=1313")               # Target("blog", Tcp("localhost", 1313))
parse("files=./public")          # Target("files", Folder(Path("/home/ann/public")))
parse("3000")                    # Target("", Tcp("localhost", 3000)): the gateway makes up a name
"""

import re
from dataclasses import dataclass
from pathlib import Path

from portward.errors import Invalid
from portward.tunnels.profiles.profile import Endpoint, Tcp, Unix
from portward.tunnels.profiles.spelling import parse_target, spell_endpoint

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory that is served, read-only."""

    path: Path


@dataclass(frozen=True, slots=True)
class Target:
    """`name` is the service's; empty where the gateway makes one up."""

    name: str
    to: Endpoint | Folder

    @property
    def title(self) -> str:
        """What people call it."""
        return self.name or spell_target(self)


def parse(word: str) -> Target:
    """A target is a port, `HOST:PORT`, `unix:/PATH`, or a directory. Raises `Invalid`."""
    name, mark, text = word.rpartition("=")
    if mark and not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} can't be a service's name", way_out="lower-case letters, digits and dashes, at most 63"
        )
    return Target(name, _to(text))


def parse_all(words: list[str]) -> tuple[Target, ...]:
    """Raises `Invalid` for two of one name as well."""
    targets = tuple(parse(word) for word in words)
    names = [target.title for target in targets]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise Invalid(f"{twice} is named twice", way_out="one target for each name")
    return targets


def spell_target(target: Target) -> str:
    """What `parse` reads back, without the name."""
    if isinstance(target.to, Folder):
        return str(target.to.path)
    return spell_endpoint(target.to)


def _to(text: str) -> Endpoint | Folder:
    if text.startswith(("/", "./", "../", "~")) or text in (".", ".."):
        return _folder(text)
    try:
        end = parse_target(text)
    except Invalid:
        if text and Path(text).is_dir():
            return _folder(text)
        raise Invalid(
            f"{text!r} is nothing that can be published", way_out="write 3000, localhost:3000, unix:/PATH or ./public"
        ) from None
    if isinstance(end, Tcp) and not end.port:
        raise Invalid("port 0 is nothing that can be published", way_out="write the port of the service")
    return end


def _folder(text: str) -> Endpoint | Folder:
    path = Path(text).expanduser().absolute()
    if path.is_socket():
        return Unix(str(path))
    if not path.is_dir():
        raise Invalid(f"{path} is no directory", way_out="name a directory, or write NAME=PORT")
    return Folder(path)
