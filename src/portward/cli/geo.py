"""Countries and networks: geo show, status, update."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory
from portward.cli.output import fields, print_json, table

app = typer.Typer(help="Which country and which network (AS) an address belongs to.", no_args_is_help=True)

Addresses = Annotated[list[str], typer.Argument(metavar="ADDRESS...", help="IPv4 or IPv6.")]
File = Annotated[
    Path | None, typer.Option(metavar="FILE", help="mmdb, CSV or TSV, plain or packed; the gateway's user reads it.")
]
Url = Annotated[str | None, typer.Option(metavar="URL", help="The same over https.")]
Networks = Annotated[bool, typer.Option("--networks", help="Data about networks (AS) instead of countries.")]
Licence = Annotated[str, typer.Option(metavar="TEXT", help="Under which the data may be used, for `geo status`.")]
Date = Annotated[str, typer.Option(metavar="DAY", help="Of which day the data are; default: as the file says.")]
Anyway = Annotated[bool, typer.Option("--anyway", help="Take data with less than half of what is in use.")]

_PATIENCE = 1000.0
_COLUMNS = {"address": "address", "country": "country", "": "name", "network": "network", "refused": "refused"}
_OF_DATA = {
    "data": "kind",
    "source": "source",
    "licence": "licence",
    "date": "date",
    "age": "age",
    "ranges": "ranges",
    "size": "size",
    "taken over": "taken_at",
    "file": "file",
}


@app.command(epilog="Example: portward geo show 192.0.2.1 2001:db8::1")
def show(
    addresses: Addresses, config: ConfigFile = CONFIG, state: StateDirectory = STATE, json: AsJson = False
) -> None:
    """Show where addresses are, and which rules of portward.toml refuse them. Needs no network, and no gateway."""
    from portward.config import read
    from portward.defense.geo.describing import describe
    from portward.defense.geo.geography import Geography
    from portward.defense.geo.rules import rules_of
    from portward.host.paths import State

    rules = rules_of(read(config, state=state))
    geography = Geography(State(state).geo)
    found = [describe(geography, rules, address) for address in addresses]
    if json:
        print_json(found)
        return
    table([_row(one) for one in found], _COLUMNS, empty="name an address")
    if not geography.about():
        print("there are no data yet; `portward geo update` brings them")


@app.command(epilog="Example: portward geo status")
def status(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show which data are in use: source, licence, date, age and size."""
    from portward.defense.geo.geography import Geography
    from portward.host.paths import State

    found = Geography(State(state).geo).about()
    if json:
        print_json(found)
        return
    for about in found.values():
        fields({**about, "age": _age(about["date"]), "size": f"{about['size'] / 1e6:.1f} MB"}, _OF_DATA)
        print()
    if "countries" not in found:
        print("no data about countries; `portward geo update` brings them")
    if "networks" not in found:
        print("no data about networks (AS); `portward geo update --networks --file FILE` takes them from a file")


@app.command(epilog="Example: portward geo update --file GeoLite2-Country.mmdb")
def update(
    file: File = None,
    url: Url = None,
    networks: Networks = False,
    licence: Licence = "",
    date: Date = "",
    anyway: Anyway = False,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Take new data into use, if they are good; else those in use stay.

    Without --file and --url: those that set-up installs.
    """
    from portward.cli.client import keeper

    body = {
        "kind": "networks" if networks else "countries",
        "file": str(file.absolute()) if file else "",
        "url": url or "",
        "licence": licence,
        "date": date,
        "anyway": anyway,
    }
    with keeper(state) as running:
        about = running.post("/geo/update", body, seconds=_PATIENCE)["about"]
    if json:
        print_json(about)
        return
    of = f" of {about['date']}" if about["date"] else ""
    print(f"in use: {about['ranges']} ranges about {about['kind']} from {about['source']}{of}")


def _row(found: dict[str, Any]) -> dict[str, Any]:
    where = "private" if found["private"] else found["country"] or "unknown"
    refused = "; ".join(f"{rule}: {why}" for rule, why in found["refused"].items())
    return {**found, "country": where, "refused": refused}


def _age(date: str) -> str:
    try:
        days = (datetime.now(UTC).date() - datetime.fromisoformat(date).date()).days
    except ValueError:
        return ""
    return f"{days} days"
