"""The options that describe a saved tunnel, and what of a profile they change.

changes = forwards(["5432:db.internal:5432"], None, None) | login("~/.ssh/id_db", None, None)
changed(profile, changes)
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

if TYPE_CHECKING:
    from portward.tunnels.profiles.profile import Profile

Name = Annotated[str, typer.Argument(help="The tunnel's name.")]
Names = Annotated[list[str] | None, typer.Argument(help="Names of saved tunnels.")]
File = Annotated[
    Path | None,
    typer.Option("--file", envvar="PORTWARD_TUNNELS", metavar="FILE", help="Default: ~/.config/portward/tunnels.toml."),
]
Local = Annotated[
    list[str] | None,
    typer.Option("--local", "-L", metavar="[BIND:]PORT:HOST:PORT", help="Listen here, connect from there; as for ssh."),
]
Remote = Annotated[
    list[str] | None,
    typer.Option(
        "--remote", "-R", metavar="[BIND:]PORT:HOST:PORT", help="Listen there, connect from here; as for ssh."
    ),
]
Dynamic = Annotated[
    list[str] | None, typer.Option("--dynamic", "-D", metavar="[BIND:]PORT", help="A SOCKS proxy here.")
]
User = Annotated[str, typer.Option("--user", "-l", help="The user there.")]
Port = Annotated[int | None, typer.Option("--port", "-p", help="The SSH server's port.")]
Key = Annotated[str | None, typer.Option("--key", "-i", metavar="FILE", help="The private key; no other is offered.")]
Certificate = Annotated[str | None, typer.Option(metavar="FILE", help="An OpenSSH certificate for the key.")]
Agent = Annotated[bool | None, typer.Option("--agent/--no-agent", help="Whether keys of the SSH agent are offered.")]
JumpHosts = Annotated[
    list[str] | None, typer.Option("--jump", "-J", metavar="[USER@]HOST[:PORT]", help="Go through this server first.")
]
ProxyAddress = Annotated[str | None, typer.Option("--proxy", metavar="KIND://HOST:PORT", help="socks5, socks4, http.")]
ProxyCommand = Annotated[str | None, typer.Option(metavar="COMMAND", help="A command that connects; %h, %p.")]
AddressFamily = Annotated[str | None, typer.Option(metavar="FAMILY", help="any, ipv4 or ipv6.")]
Compression = Annotated[bool | None, typer.Option("--compression/--no-compression", "-C", help="Compress.")]
Keepalive = Annotated[str | None, typer.Option(metavar="TIME", help="Ask the server this often: 15s, 2m, off.")]
KeepaliveCount = Annotated[int | None, typer.Option(help="Give up after so many unanswered ones.")]
Open = Annotated[
    bool | None,
    typer.Option("--accept-others/--refuse-others", help="Whether local ports accept connections from other hosts."),
]
AtLogin = Annotated[
    bool | None, typer.Option("--start-at-login/--no-start-at-login", help="A systemd unit of the user brings it up.")
]
AcceptedKeys = Annotated[
    list[str] | None,
    typer.Option("--accept-host-key", metavar="SHA256:…", help="The fingerprint of a host that is not known yet."),
]
Retries = Annotated[int | None, typer.Option(help="Give up after so many failures in a row. Default: never.")]
Background = Annotated[bool, typer.Option("--background", "-b", help="Return when it is up, and keep it up.")]


Changes = dict[str, Any]


def forwards(local: list[str] | None, remote: list[str] | None, dynamic: list[str] | None) -> Changes:
    """Each kind is replaced as a whole; a single empty text leaves none of it."""
    from portward.tunnels.client import words

    found: Changes = {}
    for name, texts, parse in (("local", local, words.forward), ("remote", remote, words.forward)):
        if texts is not None:
            found[name] = tuple(parse(text) for text in texts if text)
    if dynamic is not None:
        found["dynamic"] = tuple(words.dynamic(text) for text in dynamic if text)
    return found


def login(key: str | None, certificate: str | None, agent: bool | None) -> Changes:
    found = {"key_file": _place(key), "certificate_file": _place(certificate), "agent": agent}
    return {name: value for name, value in found.items() if value is not None}


def way(jump: list[str] | None, proxy: str | None, proxy_command: str | None, family: str | None) -> Changes:
    """Of the ways through something, the one that is named takes the place of the others."""
    from portward.tunnels.client import words
    from portward.tunnels.profiles.spelling import parse_proxy

    found: Changes = {}
    if jump is not None or proxy is not None or proxy_command is not None:
        found = {
            "jumps": words.jumps(jump or []),
            "proxy": parse_proxy(proxy) if proxy else None,
            "proxy_command": proxy_command or "",
        }
    if family is not None:
        found["family"] = _family(family)
    return found


def manners(
    compression: bool | None, keepalive: str | None, keepalive_count: int | None, start_at_login: bool | None
) -> Changes:
    from portward.tunnels.profiles.spelling import parse_keepalive

    found = {
        "compression": compression,
        "keepalive": parse_keepalive(keepalive) if keepalive is not None else None,
        "keepalive_count": keepalive_count,
        "start_at_login": start_at_login,
    }
    return {name: value for name, value in found.items() if value is not None}


def changed(profile: "Profile", changes: Changes, *, accept_others: bool | None) -> "Profile":
    """Raises `Invalid` when they don't go together."""
    from portward.tunnels.client.opening import closed, opened

    profile = replace(profile, **changes)
    if accept_others is None:
        return profile
    return opened(profile) if accept_others else closed(profile)


def _place(file: str | None) -> str | None:
    """A file that is named from where the user stands, as it is found from anywhere; `~` stays as it is."""
    return str(Path(file).absolute()) if file and not file.startswith("~") else file


def _family(text: str) -> str:
    from portward.errors import Invalid
    from portward.tunnels.profiles.profile import Family

    if text not in get_args(Family):
        raise Invalid(f"{text!r} is no family of addresses", way_out="choose any, ipv4 or ipv6")
    return text
