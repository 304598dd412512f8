"""Public keys with which tunnels come in: key add, list, show, change, remove."""

import re
import sys
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, fields, print_json, table

app = typer.Typer(help="Public SSH keys, with which tunnels come in.", no_args_is_help=True)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_NONE = "none"

Name = Annotated[str, typer.Argument(help="The key's name.")]
Publish = Annotated[
    list[str] | None,
    typer.Option(metavar="NAMES", help="Services it may carry: blog,wiki · ann-* · *. Default: ACCOUNT-*."),
]
Reach = Annotated[
    list[str] | None,
    typer.Option(metavar="DESTINATIONS", help="Where it may jump to: db.internal:5432,*.lab:22,10.0.0.0/8:22."),
]
From = Annotated[
    list[str] | None,
    typer.Option("--from", metavar="NETWORKS", help="Networks that it may come from. Default: anywhere."),
]
Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="When it ends: 30d from now, 2026-12-31T18:00, or none.")
]
Deadline = Annotated[
    str | None, typer.Option(metavar="DURATION", help="How long one connection may last: 8h, or none.")
]


@app.command(epilog="Example: portward key add laptop ~/.ssh/id_ed25519.pub --account ann --publish blog,ann-*")
def add(
    name: Name,
    file: Annotated[Path, typer.Argument(metavar="FILE.pub", help="The public key; - reads standard input.")],
    account: Annotated[str, typer.Option(help="Whose key it is.")],
    publish: Publish = None,
    reach: Reach = None,
    sources: From = None,
    until: Until = None,
    deadline: Deadline = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Let a public key in, and say what it may do: words with commas between, or the option several times."""
    from portward.cli.client import keeper

    body = {"name": name, "account": account, "key": _public(file)}
    with keeper(state) as running:
        answer = running.post("/keys", {**body, **_rights(publish, reach, sources, until, deadline)})
    _print(answer, json=json)


@app.command("list")
def list_(
    account: Annotated[str | None, typer.Option(help="Only this account's.")] = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """List all keys and what they may do."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get("/keys", account=account)["keys"]
    if json:
        print_json(found)
        return
    columns = {"key": "name", "account": "account", "may publish": "publish", "may reach": "reach", "from": "sources"}
    more = {"until": "expires_at", "deadline": "deadline", "fingerprint": "fingerprint"}
    table(found, {**columns, **more}, empty="no keys yet; `portward key add NAME FILE.pub --account ACCOUNT` adds one")


@app.command(epilog="Example: portward key show laptop")
def show(name: Name, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show one key."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        _print(running.get(_path(name)), json=json)


@app.command(epilog="Example: portward key change laptop --publish blog,wiki --until none")
def change(
    name: Name,
    publish: Publish = None,
    reach: Reach = None,
    sources: From = None,
    until: Until = None,
    deadline: Deadline = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Replace what is given; an empty word takes all of a kind away."""
    from portward.cli.client import keeper

    given = _rights(publish, reach, sources, until, deadline)
    if not given:
        raise typer.BadParameter("give what to change: --publish, --reach, --from, --until or --deadline")
    with keeper(state) as running:
        _print(running.patch(_path(name), given), json=json)


@app.command(epilog="Example: portward key remove laptop")
def remove(name: Name, state: StateDirectory = STATE, yes: Yes = False) -> None:
    """Forget a key, and cut its connections."""
    from portward.cli.client import keeper

    confirm(f"Remove the key {name}, and cut its connections?", yes=yes)
    with keeper(state) as running:
        running.delete(_path(name))
    print(f"removed the key {name}")


def _public(file: Path) -> str:
    """The text of a public key, looked at before anything of it goes anywhere. Raises `Invalid`, `NotFound`."""
    from portward.config.publickeys import LARGEST, read_public_key
    from portward.errors import Invalid, NotFound

    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as opened:
            content = opened.read(LARGEST + 1)
    except OSError as error:
        way_out = "`ssh-keygen -t ed25519` makes a pair of keys, and prints where they lie"
        raise NotFound("readable file", str(file), way_out=way_out) from error
    try:
        return read_public_key(content.decode("utf-8-sig", "replace")).line
    except Invalid as error:
        beside = file.with_name(f"{file.name}.pub")
        raise Invalid(
            f"{file}: {error.message}", way_out=f"give {beside}" if beside.exists() else error.way_out
        ) from None


def _rights(
    publish: list[str] | None,
    reach: list[str] | None,
    sources: list[str] | None,
    until: str | None,
    deadline: str | None,
) -> dict[str, Any]:
    """What was given, as the admin API takes it."""
    lists = {"publish": publish, "reach": reach, "sources": sources}
    given: dict[str, Any] = {name: _words(values) for name, values in lists.items() if values is not None}
    if until is not None:
        given["expires_at"] = None if until == _NONE else _moment(until)
    if deadline is not None:
        given["deadline"] = None if deadline == _NONE else deadline
    return given


def _words(values: list[str]) -> list[str]:
    return [word for value in values for word in re.split(r"[,\s]+", value) if word]


def _moment(text: str) -> str:
    """A length of time from now, or a moment in local time, as ISO 8601 in UTC."""
    if match := re.fullmatch(r"([0-9]{1,6})([smhd])", text):
        return (datetime.now(UTC) + timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat()
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{text!r} is neither a length of time such as 30d nor a time") from None


def _print(answer: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(answer)
        return
    names = {"key": "name", "account": "account", "fingerprint": "fingerprint", "comment": "comment"}
    may = {"may publish": "publish", "may reach": "reach", "from": "sources"}
    fields(answer["key"], {**names, **may, "since": "created_at", "until": "expires_at", "deadline": "deadline"})


def _path(name: str) -> str:
    return f"/keys/{quote(name, safe='')}"
