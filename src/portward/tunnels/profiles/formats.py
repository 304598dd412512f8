"""All formats by the name that the command line gives them, and what a file to import is.

FORMATS["plink"].write(profile).text
kind_of(data)                      # "registry"
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from portward.tunnels.profiles import openssh, plink, ppk, putty_files, registry, task, unit
from portward.tunnels.profiles.exchange import Exported
from portward.tunnels.profiles.profile import Profile

Kind = Literal["registry", "key", "session", "ssh-config"]


@dataclass(frozen=True, slots=True)
class Format:
    """How a tunnel is written, and the words that say what for."""

    about: str
    write: Callable[[Profile], Exported]


FORMATS: dict[str, Format] = {
    "ssh-config": Format("a Host for ~/.ssh/config, or a file for ssh -F", openssh.config),
    "ssh": Format("a command line of OpenSSH", openssh.command),
    "autossh": Format("a command line of autossh", openssh.autossh),
    "systemd": Format("a systemd user unit", unit.write),
    "putty": Format("a session file of PuTTY on Unix", putty_files.write),
    "reg": Format("a registry file of PuTTY on Windows", registry.write),
    "plink": Format("a command line of PuTTY's plink", plink.command),
    "windows-task": Format("a task for Windows' Task Scheduler", task.write),
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
