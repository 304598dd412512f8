"""All formats by the name that the command line gives them, and what a file to import is.

FORMATS["plink"].write(profile).text
kind_of(data)                      # "registry"
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from portward.tunnels.profiles import openssh, plink, ppk, putty_files, registry, task, unit
from portward.tunnels.profiles.exchange import Exported
from portward.tunnels.profiles.profile import Profile
from portward.tunnels.profiles.putty import at_home

Kind = Literal["registry", "key", "session", "ssh-config"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a tunnel is written, the words that say what for, and what a file with it is called."""

    about: str
    write: Callable[[Profile], Exported]
    pattern: str = "{alias}.txt"

    def file(self, name: str) -> str:
        """The name of a file for the tunnel of this name."""
        return self.pattern.format(alias=openssh.alias_of(name), putty=putty_files.filename(name))


def _at_home(write: Callable[[Profile], Exported]) -> Callable[[Profile], Exported]:
    return lambda profile: write(at_home(profile, str(Path.home())))


FORMATS: dict[str, Format] = {
    "ssh-config": Format("a Host for ~/.ssh/config, or a file for ssh -F", openssh.config, "{alias}.conf"),
    "ssh": Format("a command line of OpenSSH", openssh.command),
    "autossh": Format("a command line of autossh", openssh.autossh),
    "systemd": Format("a systemd user unit", unit.write, "portward-tunnel-{alias}.service"),
    "putty": Format("a session file of PuTTY on Unix, for ~/.putty/sessions", _at_home(putty_files.write), "{putty}"),
    "reg": Format("a registry file of PuTTY on Windows", registry.write, "{alias}.reg"),
    "plink": Format("a command line of PuTTY's plink", _at_home(plink.command)),
    "windows-task": Format("a task for Windows' Task Scheduler", task.write, "{alias}.xml"),
}


def kind_of(data: bytes) -> Kind:
    """What a file is, by its first lines; OpenSSH's configuration where nothing else fits."""
    if ppk.is_key(data):
        return "key"
    if registry.is_registry(data):
        return "registry"
    if re.search(rb"^(?:Present|HostName|Protocol|PortForwardings)=", data, re.MULTILINE):
        return "session"
    return "ssh-config"
