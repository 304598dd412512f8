"""Which gateway `portward connect` goes to, and what it publishes at login: a small file that people may edit.

save(default_file(), Gate(Jump("gate.example.com", 2222)))
read(default_file()).server.host             # 'gate.example.com'

    gate = "gate.example.com:2222"

    [publish]
    blog = "1313"
"""

import os
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from portward.errors import ConfigError, Invalid, Mistake
from portward.host.files import private_directory, replace
from portward.tunnels.client.paths import configuration
from portward.tunnels.client.targets import Target, parse, spell_target
from portward.tunnels.profiles.profile import Jump
from portward.tunnels.profiles.spelling import bracket, parse_jump

PORT = 2222
_HEADING = "# What `portward connect` remembers; yours to edit.\n"


@dataclass(frozen=True, slots=True)
class Gate:
    """`publish` is what is published where no words say otherwise; `key` is a file, or empty for our own."""

    server: Jump
    publish: tuple[Target, ...] = ()
    key: str = ""

    @property
    def title(self) -> str:
        """`gate.example.com`, with the port where it is not the usual one."""
        host, port = bracket(self.server.host), self.server.port
        return host if port == PORT else f"{host}:{port}"


def default_file() -> Path:
    return configuration() / "connect.toml"


def parse_gate(text: str) -> Jump:
    """`HOST`, `HOST:PORT` or `USER@HOST:PORT`; port 2222 where none is named. Raises `Invalid`."""
    said = parse_jump(text.removeprefix("ssh://").removeprefix("https://").rstrip("/"))
    named = re.search(r":[0-9]+$", text) and not text.endswith(said.host)
    return said if named else Jump(said.host, PORT, said.user)


def read(file: Path) -> Gate | None:
    """None where nothing is remembered. Raises `ConfigError` with every mistake."""
    try:
        text = file.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError((Mistake(str(file), 0, "", f"can't be read: {error}"),)) from None
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((Mistake(str(file), 0, "", f"is no TOML: {error}"),)) from None
    return _read(said, file)


def save(file: Path, gate: Gate) -> None:
    """Comments that somebody wrote are kept."""
    import tomlkit

    private_directory(file.parent)
    document = tomlkit.parse(file.read_text() if file.exists() else _HEADING)
    server = gate.server
    document["gate"] = f"{server.user}@" * bool(server.user) + f"{bracket(server.host)}:{server.port}"
    if gate.key:
        document["key"] = gate.key
    if gate.publish:
        document["publish"] = {target.name: spell_target(target) for target in gate.publish}
    else:
        document.pop("publish", None)
    replace(Path(os.path.realpath(file)), tomlkit.dumps(document).encode())


def _read(said: dict[str, object], file: Path) -> Gate:
    mistakes = [
        Mistake(str(file), 0, key, "is not known here", "gate, key or publish")
        for key in said
        if key not in ("gate", "key", "publish")
    ]
    server, targets = None, []
    try:
        server = parse_gate(str(said["gate"]))
    except KeyError:
        mistakes.append(Mistake(str(file), 0, "gate", "is missing", '"gate.example.com:2222"'))
    except Invalid as error:
        mistakes.append(Mistake(str(file), 0, "gate", error.message, error.way_out))
    publish = said.get("publish", {})
    if not isinstance(publish, dict):
        mistakes.append(Mistake(str(file), 0, "publish", "is no table", "[publish]"))
        publish = {}
    for name, text in publish.items():
        try:
            targets.append(parse(f"{name}={text}"))
        except Invalid as error:
            mistakes.append(Mistake(str(file), 0, f"publish.{name}", error.message, "", error.way_out))
    if mistakes or not server:
        raise ConfigError(tuple(mistakes))
    return Gate(server, tuple(targets), str(said.get("key", "")))
