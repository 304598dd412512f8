"""Saved tunnels: tunnel add, edit, show, list, remove; what tunnel_running.py and tunnel_formats.py have besides.

What people keep in PuTTY's sessions, ~/.ssh/config and autossh commands, in one file, against any SSH server.
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portward.cli import tunnel_formats, tunnel_running
from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, fields, print_json, table
from portward.cli.tunnel_options import (
    AddressFamily,
    Agent,
    AtLogin,
    Certificate,
    Compression,
    Dynamic,
    File,
    JumpHosts,
    Keepalive,
    KeepaliveCount,
    Key,
    Local,
    Name,
    Open,
    Port,
    ProxyAddress,
    ProxyCommand,
    Remote,
    User,
    changed,
    forwards,
    login,
    manners,
    way,
)
from portward.cli.tunnel_running import find, status_of, warn

if TYPE_CHECKING:
    from portward.tunnels.profiles.profile import Profile

app = typer.Typer(help="Saved tunnels to any SSH server, kept up.", no_args_is_help=True)


@app.command()
def add(
    name: Name,
    server: Annotated[str, typer.Argument(metavar="[USER@]HOST[:PORT]", help="The SSH server.")],
    local: Local = None,
    remote: Remote = None,
    dynamic: Dynamic = None,
    user: User = "",
    port: Port = None,
    key: Key = None,
    certificate: Certificate = None,
    agent: Agent = None,
    jump: JumpHosts = None,
    proxy: ProxyAddress = None,
    proxy_command: ProxyCommand = None,
    family: AddressFamily = None,
    compression: Compression = None,
    keepalive: Keepalive = None,
    keepalive_count: KeepaliveCount = None,
    accept_others: Open = None,
    start_at_login: AtLogin = None,
    file: File = None,
) -> None:
    """Save a tunnel: portward tunnel add db ann@bastion.example.com -L 5432:db.internal:5432"""
    from portward.errors import Conflict
    from portward.tunnels.client import words
    from portward.tunnels.profiles import saved
    from portward.tunnels.profiles.profile import Profile

    path = file or saved.default_file()
    if name in saved.read(path):
        raise Conflict(f"there is a tunnel named {name!r} already", way_out=f"portward tunnel edit '{name}' …")
    place = words.destination(server, port, user)
    profile = changed(
        Profile(name, host=place.host, port=place.port, user=place.user),
        forwards(local, remote, dynamic)
        | login(key, certificate, agent)
        | way(jump, proxy, proxy_command, family)
        | manners(compression, keepalive, keepalive_count, start_at_login),
        accept_others=accept_others,
    )
    _save(profile, path)
    print(f"saved {name} in {path}; `portward tunnel up '{name}'` brings it up")


@app.command()
def edit(
    name: Name,
    server: Annotated[str, typer.Option(metavar="[USER@]HOST[:PORT]", help="Another SSH server.")] = "",
    local: Local = None,
    remote: Remote = None,
    dynamic: Dynamic = None,
    user: User = "",
    port: Port = None,
    key: Key = None,
    certificate: Certificate = None,
    agent: Agent = None,
    jump: JumpHosts = None,
    proxy: ProxyAddress = None,
    proxy_command: ProxyCommand = None,
    family: AddressFamily = None,
    compression: Compression = None,
    keepalive: Keepalive = None,
    keepalive_count: KeepaliveCount = None,
    accept_others: Open = None,
    start_at_login: AtLogin = None,
    file: File = None,
) -> None:
    """Change a saved tunnel. What an option names replaces what was there; an empty text takes it away.

    Forwards are replaced as a whole: portward tunnel edit db -L 5432:db.internal:5432 -L 8080:intranet:80
    """
    from portward.tunnels.client import words
    from portward.tunnels.profiles import saved

    path = file or saved.default_file()
    profile = find(name, path)
    place: dict[str, Any] = {}
    if server:
        said = words.destination(server, port, user)
        place = {"host": said.host, "port": said.port, "user": said.user}
    else:
        place = ({"port": port} if port is not None else {}) | ({"user": user} if user else {})
    changes = (
        place
        | forwards(local, remote, dynamic)
        | login(key, certificate, agent)
        | way(jump, proxy, proxy_command, family)
        | manners(compression, keepalive, keepalive_count, start_at_login)
    )
    _save(changed(profile, changes, accept_others=accept_others), path)
    print(
        f"changed {name}"
        + ("; what is up keeps its old settings until it is brought up again" * (status_of(name) is not None))
    )


@app.command()
def show(name: Name, file: File = None, json: AsJson = False) -> None:
    """Show a saved tunnel, and how it is doing."""
    from portward.tunnels.client.opening import openings
    from portward.tunnels.profiles import saved
    from portward.tunnels.profiles.table import to_table

    profile = find(name, file or saved.default_file())
    status = status_of(name)
    row = {"name": name, **to_table(profile), "state": status.state if status else "down"}
    if json:
        print_json(row)
        return
    fields(row, {key.replace("-", " "): key for key in row})
    warn(openings(profile))


@app.command("list")
def list_(file: File = None, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List saved tunnels; and, where a gateway runs here, the live ones that come in to it."""
    from portward.tunnels.profiles import saved
    from portward.tunnels.profiles.spelling import spell_endpoint, spell_forward
    from portward.tunnels.profiles.table import to_table

    profiles = saved.read(file or saved.default_file()).values()
    states = {profile.name: status_of(profile.name) for profile in profiles}
    rows = [
        {
            "name": profile.name,
            **to_table(profile),
            "state": found.state if (found := states[profile.name]) else "down",
            "forwards": [
                *(spell_forward(forward) for forward in (*profile.local, *profile.remote)),
                *(f"SOCKS at {spell_endpoint(end)}" for end in profile.dynamic),
            ],
        }
        for profile in profiles
    ]
    live = _live(state)
    if json:
        print_json({"saved": rows, "live": live})
        return
    columns = {"tunnel": "name", "server": "host", "state": "state", "forwards": "forwards"}
    table(rows, columns, empty="no saved tunnels yet: portward tunnel add NAME [USER@]HOST -L 8080:intranet:80")
    if live:
        print()
        shown = {"service": "service", "key": "key", "account": "account", "from": "address", "client": "version"}
        table(live, {**shown, "since": "since", "requests": "requests", "health": "health"}, empty="")


@app.command()
def remove(name: Name, yes: Yes = False, file: File = None) -> None:
    """Forget a saved tunnel; it is brought down first."""
    from portward.tunnels.client import background, paths
    from portward.tunnels.client.unit import AtLogin as Units
    from portward.tunnels.client.unit import user_units
    from portward.tunnels.profiles import saved

    path = file or saved.default_file()
    find(name, path)
    confirm(f"Forget the tunnel {name}?", yes=yes)
    saved.change(path, lambda text: saved.remove(text, name))
    Units(user_units()).disable_tunnel(name)
    background.stop(paths.running("tunnel", name))
    print(f"forgot {name}")


def _save(profile: "Profile", path: Path) -> None:
    from portward.tunnels.client.opening import openings
    from portward.tunnels.profiles import saved

    saved.change(path, lambda text: saved.put(text, profile))
    follow_login(profile)
    warn(openings(profile))


def follow_login(profile: "Profile") -> None:
    """Have the user's systemd bring the tunnel up at login, or no longer, as it says."""
    from portward.tunnels.client.unit import AtLogin as Units
    from portward.tunnels.client.unit import user_units

    units = Units(user_units())
    if profile.start_at_login:
        units.enable_tunnel(profile.name)
    else:
        units.disable_tunnel(profile.name)


def _live(state: Path) -> list[dict[str, Any]]:
    """The tunnels that come in to the gateway of this machine; none where none runs."""
    import asyncio

    from portward.errors import NotRunning
    from portward.host.paths import State
    from portward.tunnels.control import Control

    try:
        live = asyncio.run(Control(State(state).tunnels_socket).live())
    except NotRunning:
        return []
    return [{**asdict(one), "since": one.since.isoformat()} for one in live]


app.registered_commands += tunnel_running.app.registered_commands
app.registered_commands += tunnel_formats.app.registered_commands
