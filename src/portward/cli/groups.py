"""Groups, which access rules name as `group:NAME`: group add, list, remove, join, leave."""

from typing import Annotated
from urllib.parse import quote

import typer

from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, print_json, table

app = typer.Typer(help="Groups of accounts, for access rules.", no_args_is_help=True)

Group = Annotated[str, typer.Argument(help="The group's name.")]
Account = Annotated[str, typer.Argument(help="The account's name.")]


@app.command()
def add(name: Group, state: StateDirectory = STATE) -> None:
    """Add a group without members."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        running.post("/groups", {"name": name})
    print(f"added the group {name}; `portward group join {name} ACCOUNT` lets somebody in")


@app.command("list")
def list_(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List all groups and their members."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get("/groups")["groups"]
    if json:
        print_json(found)
    else:
        table(found, {"group": "name", "members": "members"}, empty="no groups yet")


@app.command()
def remove(name: Group, state: StateDirectory = STATE, yes: Yes = False) -> None:
    """Forget a group; its members lose what it opened."""
    from portward.cli.client import keeper

    confirm(f"Remove the group {name}?", yes=yes)
    with keeper(state) as running:
        running.delete(f"/groups/{quote(name, safe='')}")
    print(f"removed the group {name}")


@app.command()
def join(group: Group, account: Account, state: StateDirectory = STATE) -> None:
    """Put an account into a group."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        running.put(_member(group, account))
    print(f"{account} is in {group}")


@app.command()
def leave(group: Group, account: Account, state: StateDirectory = STATE) -> None:
    """Take an account out of a group."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        running.delete(_member(group, account))
    print(f"{account} is not in {group}")


def _member(group: str, account: str) -> str:
    return f"/groups/{quote(group, safe='')}/members/{quote(account, safe='')}"
