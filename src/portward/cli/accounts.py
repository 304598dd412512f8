"""People: account add, list, show, change, remove, disable, enable, reset."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, fields, print_json, table

app = typer.Typer(help="People who may log in.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The account's name.")]
Email = Annotated[str | None, typer.Option(help="Mail address.")]
DisplayName = Annotated[str | None, typer.Option(help="The name that services show.")]


@app.command()
def add(
    name: Name,
    email: Email = None,
    display_name: DisplayName = None,
    group: Annotated[list[str] | None, typer.Option(help="A group to join; several times for several.")] = None,
    owner: Annotated[bool, typer.Option("--owner", help="May change the gateway itself.")] = False,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from the first line of standard input.")
    ] = False,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Add an account and print the one-time link with which it enrols."""
    body: dict[str, Any] = {
        "name": name,
        "email": email or "",
        "display_name": display_name or "",
        "groups": group or [],
        "role": "owner" if owner else "member",
    }
    if password_stdin:
        body["password"] = _password()
    _print_link(_post(state, "/accounts", body), name, json=json)


@app.command("list")
def list_(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List all accounts."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get("/accounts")["accounts"]
    if json:
        print_json(found)
        return
    columns = {"account": "name", "name": "display_name", "e-mail": "email", "role": "role", "groups": "groups"}
    more = {"TOTP": "has_totp", "passkeys": "passkeys", "disabled": "disabled", "last login": "last_login_at"}
    table(found, {**columns, **more}, empty="no accounts yet; the owner's link stands in what `portward up` printed")


@app.command()
def show(name: Name, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show one account."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        answer = running.get(_path(name))
    if json:
        print_json(answer)
        return
    _print_account(answer["account"])
    fields(answer, {"recovery codes left": "recovery_codes_left"})
    print()
    columns = {"session": "id", "address": "address", "device": "device", "seen": "seen_at", "until": "expires_at"}
    table(answer["sessions"], columns, empty="not logged in")


@app.command()
def change(
    name: Name,
    email: Email = None,
    display_name: DisplayName = None,
    role: Annotated[str | None, typer.Option(help="owner or member.")] = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Change an account's mail address, display name or role."""
    body = {"email": email, "display_name": display_name, "role": role}
    given = {key: value for key, value in body.items() if value is not None}
    if not given:
        raise typer.BadParameter("give what to change: --email, --display-name or --role")
    _patch(name, given, state, json=json)


@app.command()
def disable(name: Name, state: StateDirectory = STATE, yes: Yes = False, json: AsJson = False) -> None:
    """Refuse every login of an account, and end its sessions."""
    confirm(f"Disable {name} and end all of its sessions?", yes=yes)
    _patch(name, {"disabled": True}, state, json=json)


@app.command()
def enable(name: Name, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Let a disabled account log in again."""
    _patch(name, {"disabled": False}, state, json=json)


@app.command()
def remove(name: Name, state: StateDirectory = STATE, yes: Yes = False) -> None:
    """End all sessions of an account, and forget it."""
    from portward.cli.client import keeper

    confirm(f"Remove {name} for good?", yes=yes)
    with keeper(state) as running:
        running.delete(_path(name))
    print(f"removed {name}")


@app.command()
def reset(
    name: Name,
    second_factor: Annotated[
        bool, typer.Option("--second-factor", help="Turn TOTP, passkeys and recovery codes off at once, too.")
    ] = False,
    state: StateDirectory = STATE,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Print a one-time link with which an account chooses a new password.

    The old password stays good until the link is used.
    """
    if second_factor:
        confirm(f"Turn the second factor of {name} off?", yes=yes)
    _print_link(_post(state, f"{_path(name)}/reset", {"second_factor": second_factor}), name, json=json)


def _password() -> str:
    from portward.errors import Invalid

    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Invalid("there is no password on standard input", way_out="pipe it in: `pass show ann | portward …`")
    return password


def _post(state: Path, path: str, body: dict[str, Any]) -> dict[str, Any]:
    from portward.cli.client import keeper

    with keeper(state) as running:
        return dict(running.post(path, body))


def _patch(name: str, body: dict[str, Any], state: Path, *, json: bool) -> None:
    from portward.cli.client import keeper

    with keeper(state) as running:
        answer = running.patch(_path(name), body)
    if json:
        print_json(answer)
    else:
        _print_account(answer["account"])


def _print_account(account: dict[str, Any]) -> None:
    names = {"account": "name", "name": "display_name", "e-mail": "email", "role": "role", "groups": "groups"}
    more = {"password": "has_password", "TOTP": "has_totp", "passkeys": "passkeys", "disabled": "disabled"}
    fields(account, {**names, **more, "since": "created_at", "last login": "last_login_at"})


def _print_link(answer: dict[str, Any], name: str, *, json: bool) -> None:
    if json:
        print_json(answer)
    elif answer.get("link"):
        print(f"{name} chooses a password here, once, within 24 hours:\n\n  {answer['link']}\n")
    else:
        print(f"added {name}, who can log in at once")


def _path(name: str) -> str:
    from urllib.parse import quote

    return f"/accounts/{quote(name, safe='')}"
