"""Start at login: a systemd unit of the user (systemd.unit(5)), one template for all tunnels, linked for each.

at_login = AtLogin(user_units())
at_login.enable_tunnel("database")      # writes portward-tunnel@.service, links it into default.target.wants
at_login.disable_tunnel("database")
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from portward.host.files import replace
from portward.tunnels.client.paths import configuration

_LITERAL = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:_")
_WANTS = "default.target.wants"

_UNIT = """\
# Written by `portward {verb}`.
[Unit]
Description={description}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=30
# Nothing mends these but a person: a mistake, a host key or a key that is refused.
RestartPreventExitStatus=2 4 5 6 10 11

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class AtLogin:
    """`directory` is where the user's units lie."""

    directory: Path

    def enable_tunnel(self, name: str) -> Path:
        """Returns the link. Can be repeated."""
        text = _UNIT.format(
            verb="tunnel add --start-at-login",
            description="Tunnel %I, kept up by Portward",
            command=f'"{program()}" tunnel up -- %I',
        )
        return self._enable("portward-tunnel@.service", text, f"portward-tunnel@{escape(name)}.service")

    def disable_tunnel(self, name: str) -> bool:
        """Returns whether it was enabled."""
        return self._disable(f"portward-tunnel@{escape(name)}.service")

    def enable_connect(self) -> Path:
        """What `portward connect` remembers, at each login."""
        text = _UNIT.format(
            verb="connect install",
            description="Services of this machine, published through a Portward gateway",
            command=f'"{program()}" connect',
        )
        return self._enable("portward-connect.service", text, "portward-connect.service")

    def disable_connect(self) -> bool:
        return self._disable("portward-connect.service")

    def _enable(self, file: str, text: str, name: str) -> Path:
        link = self.directory / _WANTS / name
        link.parent.mkdir(parents=True, exist_ok=True)
        replace(self.directory / file, text.encode(), mode=0o644)
        link.unlink(missing_ok=True)
        link.symlink_to(self.directory / file)
        self._reload()
        return link

    def _disable(self, name: str) -> bool:
        link = self.directory / _WANTS / name
        if not link.is_symlink():
            return False
        link.unlink()
        self._reload()
        return True

    def _reload(self) -> None:
        """Where the user's systemd runs. Elsewhere the next login reads the units anyway."""
        if os.environ.get("XDG_RUNTIME_DIR") and (systemctl := which("systemctl")):
            subprocess.run([systemctl, "--user", "daemon-reload"], capture_output=True, check=False)  # noqa: S603


def user_units() -> Path:
    """`$XDG_CONFIG_HOME/systemd/user`."""
    return configuration().parent / "systemd" / "user"


def escape(name: str) -> str:
    """As systemd-escape does: what a unit's `%I` turns back into the name."""
    return "".join(_escape(char, first=not index) for index, char in enumerate(name))


def program() -> Path:
    """The `portward` command of this installation."""
    return Path(sys.prefix) / "bin" / "portward"


def _escape(char: str, *, first: bool) -> str:
    if char == "/":
        return "-"
    if char in _LITERAL or (char == "." and not first):
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode())
