"""What happened: events, explain."""

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portward.cli.options import STATE, AsJson, StateDirectory
from portward.cli.output import fields, json_line, print_json, spell, table

_OF_PLACES = ("abroad", "country")
"""Rules about countries; what is known of the address now is told with them."""
app = typer.Typer()

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_COLUMNS = {"time": "time", "event": "kind", "account": "account", "address": "address", "host": "host"}
_DETAILS = {"gate": "gate", "rule": "rule", "request": "request_id", "more": "fields"}


@app.command()
def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens, until Ctrl-C.")] = False,
    kind: Annotated[str | None, typer.Option(help="Only this kind, such as RequestRefused or LoginFailed.")] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    since: Annotated[str | None, typer.Option(help="Ago (15m, 2h, 3d), or a time (2026-01-31T12:00).")] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, help="At most so many: the latest, or with --since the first.")
    ] = 50,
    state: StateDirectory = STATE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one event a line.")] = False,
) -> None:
    """Show refusals, logins and changes, the latest last."""
    from portward.cli.client import keeper

    wanted = {"kind": kind, "account": account, "limit": limit, "since": moment(since), "follow": int(follow) or None}
    with keeper(state) as running, suppress(KeyboardInterrupt):
        found = running.lines("/events", **wanted)
        if json or follow:
            for event in found:
                print(json_line(event) if json else _one_line(event), flush=True)
        else:
            table(list(found), {**_COLUMNS, **_DETAILS}, empty="nothing has happened")


@app.command()
def explain(
    request_id: Annotated[str, typer.Argument(metavar="ID", help="The request id of an error page, or its beginning.")],
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Say why a request was refused: the gate, the rule, and the way out."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get(f"/explain/{quote(request_id, safe='')}")["events"]
        for event in found:
            if event.get("rule") in _OF_PLACES:
                event["place"] = running.get("/geo/place", address=event["address"])
    if json:
        print_json(found)
        return
    for event in found:
        _explain(event)


def _explain(event: dict[str, Any]) -> None:
    explanation = event.get("explanation") or {}
    print(f"{spell(explanation.get('title')) or event['kind']}\n")
    fields(event, {**_COLUMNS, "SNI": "sni", **_DETAILS})
    if place := event.get("place"):
        refused = "; ".join(f"{rule}: {why}" for rule, why in place["refused"].items())
        fields({**place, "refused": refused}, {"country": "country", "network": "network", "rule there": "refused"})
    fields(explanation, {"meaning": "text", "way out": "way_out"})
    print()


def moment(since: str | None) -> str | None:
    """A length of time before now, or a moment in local time, as ISO 8601 in UTC."""
    if since is None:
        return None
    if match := re.fullmatch(r"([0-9]{1,6})([smhd])", since):
        return (datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat()
    try:
        return datetime.fromisoformat(since).astimezone(UTC).isoformat()
    except ValueError:
        raise typer.BadParameter(f"{since!r} is neither a length of time such as 2h nor a time") from None


def _one_line(event: dict[str, Any]) -> str:
    parts = (spell(event.get(key)) for key in (*_COLUMNS.values(), *_DETAILS.values()))
    return "  ".join(part for part in parts if part)
