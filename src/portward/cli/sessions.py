"""Who is logged in: session list, revoke."""

from typing import Annotated
from urllib.parse import quote

import typer

from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, print_json, table

app = typer.Typer(help="Who is logged in, and from where.", no_args_is_help=True)

OfAccount = Annotated[str | None, typer.Option("--account", metavar="NAME", help="Only of this account.")]


@app.command("list")
def list_(account: OfAccount = None, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List the sessions that are open."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get("/sessions", account=account)["sessions"]
    if json:
        print_json(found)
        return
    columns = {"session": "id", "account": "account", "address": "address", "device": "device"}
    table(found, {**columns, "seen": "seen_at", "until": "expires_at"}, empty="nobody is logged in")


@app.command()
def revoke(
    session: Annotated[str | None, typer.Argument(metavar="ID", help="The session.", show_default=False)] = None,
    account: OfAccount = None,
    state: StateDirectory = STATE,
    yes: Yes = False,
) -> None:
    """End a session, or all sessions of an account: the next request is refused, open sockets are cut."""
    from portward.cli.client import keeper

    if (session is None) == (account is None):
        raise typer.BadParameter("give the ID of a session, or --account NAME")
    if account is not None:
        confirm(f"End all sessions of {account}?", yes=yes)
    with keeper(state) as running:
        if session is not None:
            running.delete(f"/sessions/{quote(session, safe='')}")
        else:
            count = running.delete("/sessions", account=account)["ended"]
    print(f"ended session {session}" if session else f"ended {count} sessions of {account}")
