"""A tunnel as a command line of plink, PuTTY's own for tunnels.

    command(profile).text           # 'plink -ssh -N -P 2222 -l ann -L 8080:intranet:80 gate.example.com\\n'

Quoted so that a POSIX shell and Windows' cmd.exe read the same wherever that can be.
"""

import re
import shlex
from dataclasses import replace

from portward.tunnels.profiles.exchange import Exported
from portward.tunnels.profiles.profile import EVERYBODY, Profile, Tcp
from portward.tunnels.profiles.putty import to_session
from portward.tunnels.profiles.spelling import bracket

_ALL = "0.0.0.0"  # noqa: S104


def command(profile: Profile) -> Exported:
    """One line. What only a saved session can hold is named: `plink -load` has it."""
    session = to_session(profile)
    notes = [*session.notes, *_only_in_a_session(profile)]
    words = ["plink", *arguments(profile)]
    quoted = [_quote(word) for word in words]
    if any(word.startswith("'") for word in quoted):
        notes.append("it is quoted for a POSIX shell; cmd.exe has no way to write it")
    return Exported(" ".join(quoted) + "\n", tuple(notes))


def arguments(profile: Profile) -> list[str]:
    """The arguments of plink: as many of the tunnel's settings as it has options for."""
    words = ["-ssh", "-N", "-P", str(profile.port)]
    words += ["-l", profile.user] * bool(profile.user)
    words += {"ipv4": ["-4"], "ipv6": ["-6"]}.get(profile.family, [])
    words += ["-i", profile.key_file] * bool(profile.key_file)
    words += ["-cert", profile.certificate_file] * bool(profile.certificate_file)
    words += ["-noagent"] * (not profile.agent) + ["-C"] * profile.compression
    if command := to_session(replace(profile, jumps=(), proxy=None)).values.get("ProxyTelnetCommand"):
        words += ["-proxycmd", str(command)]
    for flag, forwards, everybody in (("-L", profile.local, _ALL), ("-R", profile.remote, EVERYBODY)):
        for forward in forwards:
            if isinstance(forward.listen, Tcp) and isinstance(forward.to, Tcp) and forward.listen.port:
                words += [flag, f"{_listen(forward.listen, everybody)}:{bracket(forward.to.host)}:{forward.to.port}"]
    words += [word for end in profile.dynamic for word in ("-D", _listen(end, _ALL))]
    return [*words, profile.host]


def _only_in_a_session(profile: Profile) -> list[str]:
    """What plink has no option for."""
    lost = []
    if profile.keepalive:
        lost.append("keepalive: plink has it from a saved session alone")
    if profile.jumps or profile.proxy:
        lost.append("jump and proxy: plink has them from a saved session alone")
    ends = [*profile.dynamic, *(forward.listen for forward in profile.local)]
    if any(isinstance(end, Tcp) and end.host == EVERYBODY for end in ends):
        lost.append("`*`: plink listens to others only from a saved session; 0.0.0.0, all of IPv4, stands in for it")
    return lost


def _listen(end: Tcp, everybody: str) -> str:
    host = everybody if end.host == EVERYBODY else end.host
    return f"{bracket(host).lower()}:{end.port}" if host else str(end.port)


def _quote(word: str) -> str:
    """Bare, or in double quotes where both shells take what is in them as it is, or in a POSIX shell's quotes."""
    if re.fullmatch(r"[A-Za-z0-9_./:@+=,\[\]-]+", word):
        return word
    if re.search(r'["$`%!\\]$|["$`%!]|\\\\', word):
        return shlex.quote(word)
    return f'"{word}"'
