"""PuTTY's sessions on Unix: one file each in `~/.putty/sessions`, named with `%XX`, holding `Key=value` lines.

read(b"HostName=gate.example.com\\nPortForwardings=L80=a:80\\n", "my%20gate", "/home/ann/.putty/sessions/my%20gate")
write(profile)                              # Exported("Present=1\\nProtocol=ssh\\n…", …)
filename("my gate")                         # 'my%20gate'
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from portward.errors import ConfigError, Mistake
from portward.tunnels.profiles.exchange import Exported, Imported
from portward.tunnels.profiles.profile import Profile
from portward.tunnels.profiles.putty import Setting, from_session, to_session


def directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where PuTTY keeps its sessions (unix/storage.c, make_filename)."""
    if sessions := environ.get("PUTTYSESSIONS"):
        return Path(sessions)
    if own := environ.get("PUTTYDIR"):
        return Path(own) / "sessions"
    home = Path(environ.get("HOME") or Path.home())
    xdg = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "putty"
    return (xdg if xdg.exists() else home / ".putty") / "sessions"


def filename(name: str) -> str:
    """The name of a session's file: all but letters, digits and `+-.@_` as `%XX`."""
    return re.sub(rb"[^A-Za-z0-9+.@_-]", lambda match: b"%%%02X" % match[0][0], name.encode()).decode()


def name_of(file: str) -> str:
    """The session's name from that of its file. Bytes that are no UTF-8 are taken for Windows-1252."""
    return decode(re.sub(rb"%([0-9A-Fa-f]{2})", lambda match: bytes([int(match[1], 16)]), os.fsencode(file)))


def decode(data: bytes) -> str:
    """Text as PuTTY saved it, in whatever its locale was."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def read(data: bytes, name: str, file: str) -> Imported:
    """The tunnel of a session file. Raises `ConfigError` for a line that has no `=`."""
    settings: dict[str, Setting] = {}
    for number, line in enumerate(decode(data).split("\n"), start=1):
        key, equals, value = line.rstrip("\r").partition("=")
        if not equals and key:
            raise ConfigError((Mistake(file, number, "", "is no line of a PuTTY session", "Key=value"),))
        if key and key not in settings:
            settings[key] = Setting(value, number)
    return from_session(name, settings, file)


def write(profile: Profile) -> Exported:
    """The text of a session file."""
    session = to_session(profile)
    return Exported("".join(f"{key}={value}\n" for key, value in session.values.items()), session.notes)
