"""The defence as a whole: defence lists, defence report, defence status."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portward.cli.options import STATE, AsJson, StateDirectory
from portward.cli.output import fields, print_json, spell, table

app = typer.Typer(help="Detectors, block lists and what enforces them.", no_args_is_help=True)
lists_app = typer.Typer(help="Block lists that somebody else keeps.", invoke_without_command=True)
app.add_typer(lists_app, name="lists")


@app.command(epilog="Example: portward defence status login")
def status(
    detector: Annotated[
        str | None, typer.Argument(metavar="DETECTOR", help="Show one, and whom it has banned.")
    ] = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Show what each detector has seen and banned, what enforces bans, and how old block lists are."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get(f"/defence/detectors/{quote(detector, safe='')}" if detector else "/defence")
    if json:
        print_json(found)
    elif detector:
        _print_detector(found)
    else:
        _print(found)


@app.command(epilog="Example: portward defence report --since 7d")
def report(
    since: Annotated[str, typer.Option(help="From when on: ago (12h, 7d), or a time (2026-01-31T12:00).")] = "30d",
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Say what detectors and lists in shadow mode would have refused, from the access log: is it safe to enforce?"""
    from portward.cli.shadows import looked_back

    found = looked_back(state, since)
    if json:
        print_json(found)
    else:
        _print_report(found)


@lists_app.callback()
def lists(context: typer.Context, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show block lists: how many networks, how old, and what is wrong."""
    from portward.cli.client import keeper

    if context.invoked_subcommand:
        return
    with keeper(state) as running:
        found = running.get("/defence/lists")["lists"]
    if json:
        print_json(found)
    else:
        _print_lists(found)


@lists_app.command(epilog="Example: portward defence lists refresh drop")
def refresh(
    name: Annotated[str, typer.Argument(help="The list's name.")],
    force: Annotated[bool, typer.Option("--force", help="Take it although it has shrunk by nine tenths.")] = False,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Look at a block list now. Exit code 1 when it can't be had or used: then the old one stays."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        answer = running.post(f"/defence/lists/{quote(name, safe='')}", {"force": force})
    if json:
        print_json(answer)
    elif answer["outcome"] == "refused":
        print(f"{name} stays as it was: {spell(answer['list']['problem'])}")
    else:
        print(f"{name}: {answer['list']['entries']} networks, {answer['added']} added, {answer['removed']} removed")
    if answer["outcome"] == "refused":
        raise typer.Exit(1)


def _print_report(found: Mapping[str, Any]) -> None:
    if not found["detectors"]:
        print("nothing in shadow mode would have refused anybody; docs/defence.md says how to put one into it")
        return
    for one in found["detectors"]:
        print(f"{one['detector']} would have refused {_toll(one)}, from {_count(one['sources'], 'source')}")
        for account, requests in one["accounts"].items():
            print(f"  {account}: {requests}")
        if one["samples"]:
            print(f"  such as {', '.join(one['samples'])}")
    if len(found["detectors"]) > 1:
        print(f"together they would have refused {_toll(found)}")


def _toll(toll: Mapping[str, Any]) -> str:
    text = f"{_count(toll['requests'], 'request')}, {toll['of_accounts']} of them from accounts of yours"
    return f"{text} ({toll['anyway']} were refused by another rule anyway)" if toll["anyway"] else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print(found: Mapping[str, Any]) -> None:
    print(f"{found['bans']} sources are banned; `portward ban list` lists them")
    print("edge: on, before TLS; the SSH server too, where it runs")
    print(f"kernel: {_kernel(found['kernel'])}")
    print(f"countries and lists in the kernel: {_walls(found['walls'])}\n")
    columns = {"detector": "detector", "mode": "mode", "seen": "seen", "current": "current", "bans": "total"}
    table(found["detectors"], {**columns, "banned now": "banned"}, empty="every detector is off")
    print()
    _print_logs(found["logs"])
    print()
    _print_lists(found["lists"])


def _kernel(found: Mapping[str, Any]) -> str:
    if found["on"]:
        return "on, before any program of this machine"
    way_out = f"; {spell(found['way_out'])}" if found["way_out"] else ""
    return f"off ({spell(found['why'])}{way_out})"


def _walls(found: Mapping[str, Any]) -> str:
    if found["on"]:
        dropped = found["dropped"]
        return f"on; packets refused: {dropped.get('listed', 0)} by lists, {dropped.get('abroad', 0)} by countries"
    return _kernel(found) if found["why"] else "nothing to hold"


def _print_detector(found: Mapping[str, Any]) -> None:
    rule = {"detector": "detector", "mode": "mode", "tries": "tries", "within": "within", "ban": "ban", "of": "scope"}
    fields(found, {**rule, "seen": "seen", "current": "current", "bans": "total", "banned now": "banned"})
    print()
    columns = {"source": "source", "since": "since", "until": "until", "times": "count"}
    table(found["list"], columns, empty="nobody is banned by it now")


def _print_logs(found: list[dict[str, Any]]) -> None:
    columns = {"log": "log", "lines": "lines", "count": "matched", "doubtful": "doubtful", "from": "place"}
    table(found, columns, empty="no logs are read; docs/logs.md says which could be")
    for one in found:
        if one["problem"]:
            print(f"\nNOT READ: {one['log']}: {spell(one['problem'])}")


def _print_lists(found: list[dict[str, Any]]) -> None:
    columns = {"list": "name", "mode": "mode", "networks": "entries", "taken": "taken_at", "next look": "due_at"}
    table(found, {**columns, "from": "source"}, empty="no block lists; docs/defence.md says how to subscribe to one")
    for one in found:
        if one["problem"]:
            print(f"\nNOT TAKEN: {one['name']}: {spell(one['problem'])}; what it said before stays in force")
        if one["unreadable"]:
            print(f"{one['name']}: {one['unreadable']} lines are no network; {spell(one['first_unreadable'])}")
