"""The file of saved tunnels, `portward/tunnels.toml` in the user's configuration directory.

    profiles = read(default_file())                             # {"database": Profile("database", …)}
    change(default_file(), lambda text: put(text, profile))     # comments and order are kept

A table for each tunnel:

    [tunnels.database]
    host = "bastion.example.com"
    user = "ann"
    local = ["5432 -> db.internal:5432"]
"""

import fcntl
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace as replaced
from pathlib import Path
from typing import Any

from portward.errors import ConfigError, Environment, Mistake, NotFound
from portward.host.files import private_directory, replace
from portward.tunnels.profiles.profile import Profile
from portward.tunnels.profiles.table import KEYS, Problem, from_table, to_table


def default_file(environ: Mapping[str, str] = os.environ) -> Path:
    """`$XDG_CONFIG_HOME/portward/tunnels.toml` (XDG Base Directory Specification 0.8)."""
    configured = environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path(environ.get("HOME") or Path.home()) / ".config"
    return base / "portward" / "tunnels.toml"


def read(file: Path) -> dict[str, Profile]:
    """The saved tunnels by name, in the order of the file; none where there is no file.

    Raises `ConfigError` with every mistake in it: file, line, key, reason.
    """
    return parse(text_of(file), file)


def text_of(file: Path) -> str:
    """The text of the file, empty where there is none. Raises `ConfigError` for one that can't be read."""
    try:
        return file.read_bytes().decode().replace("\r\n", "\n")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError((Mistake(str(file), 0, "", f"can't be read: {error.strerror}"),)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError((Mistake(str(file), line, "", "is not UTF-8"),)) from None


def parse(text: str, file: Path) -> dict[str, Profile]:
    """The saved tunnels in a text; `file` is what mistakes name."""
    data = _toml(text, file)
    profiles: dict[str, Profile] = {}
    found = [Problem((key,), "is not known", "write [tunnels.NAME]") for key in data if key != "tunnels"]
    tables = data.get("tunnels", {})
    if not isinstance(tables, dict):
        tables, found = {}, [*found, Problem(("tunnels",), "is no table", "write [tunnels.NAME]")]
    for name, table in tables.items():
        profile, problems = from_table(name, table)
        found += [replaced(problem, path=("tunnels", name, *problem.path)) for problem in problems]
        if profile:
            profiles[name] = profile
    if found:
        raise ConfigError(_mistakes(found, text, file))
    return profiles


def put(text: str, profile: Profile) -> str:
    """The text with this tunnel in it; one of the same name is changed in place."""
    import tomlkit

    document = tomlkit.parse(text)
    if "tunnels" not in document:
        document["tunnels"] = tomlkit.table(is_super_table=True)
    tables: Any = document["tunnels"]
    wanted = to_table(profile)
    if profile.name not in tables:
        tables[profile.name] = tomlkit.table()
    table = tables[profile.name]
    for key in KEYS:
        if key not in wanted:
            table.pop(key, None)
        elif table.get(key) != wanted[key]:
            table[key] = _item(wanted[key])
    return tomlkit.dumps(document)


def remove(text: str, name: str) -> str:
    """The text without this tunnel. Raises `NotFound`."""
    import tomlkit

    document = tomlkit.parse(text)
    tables: Any = document.get("tunnels", {})
    if name not in tables:
        raise NotFound("saved tunnel", name, way_out="`portward tunnel list` names those that exist")
    del tables[name]
    return tomlkit.dumps(document)


def change(file: Path, edit: Callable[[str], str]) -> dict[str, Profile]:
    """Edit the file in one step, one edit at a time, and return what it holds then. It is its user's alone (0600).

    Raises `ConfigError` where the file has mistakes before or after, `Environment` where it can't be written.
    """
    with _alone(file.parent):
        text = text_of(file)
        parse(text, file)
        text = edit(text)
        profiles = parse(text, file)
        try:
            replace(Path(os.path.realpath(file)), text.encode())
        except OSError as error:
            raise Environment(f"{file} can't be written: {error.strerror}") from None
    return profiles


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    try:
        if not directory.exists():
            private_directory(directory)
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Environment(f"the directory {directory} can't be used: {error.strerror}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _item(value: Any) -> Any:
    """Lists of forwards stand one below the other."""
    import tomlkit

    item = tomlkit.item(value)
    if isinstance(value, list) and len(value) > 1:
        item.multiline(True)
    return item


def _toml(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
        raise ConfigError((Mistake(str(file), line, "", f"is no TOML: {problem}"),)) from None


def _mistakes(found: list[Problem], text: str, file: Path) -> tuple[Mistake, ...]:
    from portward.config.findings import spell_key
    from portward.config.lines import line_of, lines

    known = lines(text)
    placed = [
        Mistake(str(file), line_of(problem.path, known), spell_key(problem.path), problem.problem, "", problem.way_out)
        for problem in found
    ]
    return tuple(sorted(placed, key=lambda mistake: mistake.line))
