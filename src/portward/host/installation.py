"""`portward install` and `uninstall`: a systemd service on this machine, or in the tree of an image (`root`).

installation = Installation(prefix=Path("/opt/portward/.venv"))
installation.install(domain="example.com")        # ['made /etc/systemd/system/portward.service', …]
installation.uninstall()                          # data, configuration and user stay
"""

import compileall
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from portward.config.starter import STARTER
from portward.errors import Environment
from portward.host import systemd
from portward.host.files import create, replace
from portward.host.processes import find_program

_UNIT = Path("/etc/systemd/system/portward.service")
_WANTS = Path("/etc/systemd/system/multi-user.target.wants/portward.service")
_SYSUSERS = Path("/etc/sysusers.d/portward.conf")
_COMMAND = Path("/usr/local/bin/portward")
_MACHINE = Path("/")
_HIDDEN = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - what the unit's sandbox hides


@dataclass(frozen=True, slots=True)
class Installation:
    """One service. `prefix` is the virtual environment that it runs from; `root` the tree that it is written to."""

    prefix: Path = field(default_factory=lambda: Path(sys.prefix))
    root: Path = _MACHINE

    def install(self, domain: str | None = None) -> list[str]:
        """Write unit, user, command and, where there is none, a configuration; enable the unit.

        Can be repeated, and keeps a configuration that is there. Returns what was done, in sentences. Raises
        `Environment` without root, without systemd, or when the service's user could not reach the program.
        """
        self._require_rights()
        self._require_reach()
        self._write(_SYSUSERS, systemd.sysusers())
        _compile()
        self._run("systemd-sysusers", *self._tree(), os.fspath(self._at(_SYSUSERS)))
        self._write(_UNIT, systemd.unit(self.prefix))
        self._write(_COMMAND, systemd.command(self.prefix), mode=0o755)
        made = self._write_configuration(domain)
        self._reload()
        self._run("systemctl", *self._tree(), "enable", "--quiet", _UNIT.name)
        configuration = f"made {self._at(systemd.CONFIG)}" if made else f"kept {self._at(systemd.CONFIG)} as it is"
        return [f"made {self._at(_UNIT)} and enabled it", f"made {self._at(_COMMAND)}", configuration]

    def uninstall(self) -> list[str]:
        """Stop the service and take away unit and command. Returns what was done and what stays, in sentences."""
        self._require_rights()
        if not self._at(_UNIT).exists():
            return ["nothing was installed here"]
        now = ("--now",) if self.root == _MACHINE else ()
        self._run("systemctl", *self._tree(), "disable", "--quiet", *now, _UNIT.name)
        for path in (_UNIT, _COMMAND, _SYSUSERS):
            self._at(path).unlink(missing_ok=True)
        self._reload()
        return [
            f"removed {self._at(_UNIT)} and {self._at(_COMMAND)}",
            f"kept {self._at(systemd.STATE)} (data), {self._at(systemd.CONFIG.parent)} (configuration) "
            f"and the user {systemd.USER}",
        ]

    def _at(self, path: Path) -> Path:
        return self.root / path.relative_to("/")

    def _tree(self) -> tuple[str, ...]:
        return () if self.root == _MACHINE else (f"--root={self.root}",)

    def _require_rights(self) -> None:
        if self.root != _MACHINE:
            return
        if os.geteuid() != 0:
            raise Environment("a service of the whole machine can be installed by root only", way_out="use sudo")
        if not Path("/run/systemd/system").is_dir():
            raise Environment(
                "systemd does not run on this machine",
                way_out="`portward up` runs in the foreground, under any service manager; "
                "--root DIR writes the files for an image",
            )

    def _require_reach(self) -> None:
        """The service runs as a user of its own, with homes hidden from it."""
        for path in (self.prefix / "bin" / "portward", Path(os.path.realpath(self.prefix / "bin" / "python"))):
            hidden = next((place for place in _HIDDEN if self.root == _MACHINE and path.is_relative_to(place)), None)
            closed = next((str(parent) for parent in path.parents if not parent.stat().st_mode & 0o001), None)
            if hidden or closed:
                raise Environment(
                    f"the service could not reach {path}: its user can't look into {hidden or closed}",
                    way_out="clone Portward to /opt/portward, run `/opt/portward/scripts/up --help` there as root "
                    "with the system's python3, and install from there",
                )

    def _write(self, path: Path, text: str, mode: int = 0o644) -> None:
        target = self._at(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        replace(target, text.encode(), mode=mode)

    def _write_configuration(self, domain: str | None) -> bool:
        target = self._at(systemd.CONFIG)
        target.parent.mkdir(parents=True, exist_ok=True)
        return create(target, configuration(domain).encode(), mode=0o644)

    def _reload(self) -> None:
        if self.root == _MACHINE:
            self._run("systemctl", "daemon-reload")

    def _run(self, program: str, *arguments: str) -> None:
        result = subprocess.run(  # noqa: S603 - systemd's own tools, and no shell
            [find_program(program), *arguments], capture_output=True, text=True, check=False
        )
        if result.returncode != 0:
            raise Environment(f"{program} {' '.join(arguments)} failed: {result.stderr.strip()}")


def configuration(domain: str | None) -> str:
    """The starter configuration for a server: the usual ports, and its own domain."""
    text = STARTER.replace('":8443"', '":443"').replace('":8080"', '":80"')
    return re.sub(r'^domain = ".*"$', f'domain = "{domain}"', text, flags=re.MULTILINE) if domain else text


def _compile() -> None:
    """The service's user may not write beside the program, and Python would compile it anew at each start."""
    compileall.compile_dir(Path(__file__).parents[1], quiet=2)
