"""Tunnels that are up: tunnel up, down, status.

portward tunnel up database intranet        # a live table, until Ctrl-C
"""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portward.cli.options import AsJson
from portward.cli.output import print_json
from portward.cli.tunnel_options import AcceptedKeys, Background, File, Names, Retries

if TYPE_CHECKING:
    from portward.tunnels.client.background import Report
    from portward.tunnels.client.status import Status
    from portward.tunnels.profiles.profile import Profile

app = typer.Typer()


@app.command()
def up(
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Every saved tunnel.")] = False,
    background: Background = False,
    retries: Retries = None,
    accept_host_key: AcceptedKeys = None,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Bring saved tunnels up and keep them up, until Ctrl-C: portward tunnel up db intranet"""
    from portward.errors import Invalid
    from portward.tunnels.client.opening import openings
    from portward.tunnels.profiles import saved

    path = file or saved.default_file()
    known = list(saved.read(path)) if everything else []
    profiles = [find(name, path) for name in dict.fromkeys([*(names or []), *known])]
    if not profiles:
        raise Invalid("no tunnel is named", way_out="`portward tunnel list` names those that are saved; --all is all")
    warn(sentence for profile in profiles for sentence in openings(profile))
    if background:
        _send_to_background(profiles, path, retries, accept_host_key or [])
    else:
        _keep_up(profiles, retries=retries, accepted=accept_host_key or [], json=json)


@app.command()
def down(
    names: Names = None, everything: Annotated[bool, typer.Option("--all", help="Every tunnel that is up.")] = False
) -> None:
    """Bring tunnels down: portward tunnel down db"""
    from portward.errors import NotFound
    from portward.tunnels.client import background, paths

    for name in _running() if everything else names or []:
        if not background.stop(paths.running("tunnel", name)):
            raise NotFound("tunnel that is up", name, way_out="`portward tunnel status` names those that are")
        print(f"{name} is down")


@app.command()
def status(names: Names = None, json: AsJson = False) -> None:
    """Show how the tunnels that are up are doing; with names, exit code 4 unless each of them is up."""
    from portward.cli.live import print_statuses
    from portward.errors import NotFound

    found = [status for name in names or _running() if (status := status_of(name))]
    if json:
        print_json([status.as_dict() for status in found])
    else:
        print_statuses(found, empty="no tunnel is up: portward tunnel up NAME")
    for missing in set(names or []) - {status.name for status in found}:
        raise NotFound("tunnel that is up", missing, way_out=f"portward tunnel up '{missing}'")


def find(name: str, path: Path) -> "Profile":
    """Raises `NotFound`."""
    from portward.errors import NotFound
    from portward.tunnels.profiles import saved

    profiles = saved.read(path)
    if name not in profiles:
        raise NotFound("saved tunnel", name, way_out="`portward tunnel list` names those that exist")
    return profiles[name]


def status_of(name: str) -> "Status | None":
    """None when it is not up."""
    from portward.tunnels.client import background, paths

    return background.status_of(paths.running("tunnel", name))


def warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        print(f"warning: {sentence}", file=sys.stderr)


def _running() -> list[str]:
    from portward.tunnels.client import paths
    from portward.tunnels.client.alone import holders

    return [holder.name for holder in holders(paths.state() / "running", "tunnel")]


def _keep_up(profiles: Sequence["Profile"], *, retries: int | None, accepted: Sequence[str], json: bool) -> None:
    from portward.cli.keeping import end, follow, prepare
    from portward.cli.live import display
    from portward.tunnels.client.keeping import Keeping, Wanted

    doors = prepare(profiles, accepted)
    shown = display(json=json)
    wanted = [Wanted(profile, doors[profile.name]) for profile in profiles]
    end(follow(Keeping("tunnel", wanted, tell=shown.tell, retries=retries), shown))


def _send_to_background(
    profiles: Sequence["Profile"], path: Path, retries: int | None, accepted: Sequence[str]
) -> None:
    """A process for each, so that they are brought down one by one. What has to be asked is asked here."""
    from portward.cli.keeping import prepare
    from portward.tunnels.client import background, paths

    prepare(profiles, accepted)
    options = ["--file", str(path.absolute()), *(["--retries", str(retries)] if retries is not None else [])]
    for profile in profiles:
        lock, log = paths.running("tunnel", profile.name), paths.log("tunnel", profile.name)
        report(profile.name, background.start(["tunnel", "up", *options, "--", profile.name], lock, log), log)


def report(name: str, started: "Report", log: Path) -> None:
    """Say how it went. Ends with the exit code of what ended at once."""
    if started.code is not None:
        print(started.said, file=sys.stderr)
        raise typer.Exit(started.code or 1)
    if started.status and started.status.state == "up":
        print(f"{name} is up")
    else:
        problem = started.status.problem if started.status else ""
        print(f"{name} is not up yet{f' ({problem})' if problem else ''}; it goes on trying, and says so in {log}")
