"""Bans: ban add, list, show, remove, flush, import, export. They work without a running keeper, too."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory, Yes
from portward.cli.output import confirm, fields, print_json, printable, spell, table, terminal_address

if TYPE_CHECKING:
    from portward.cli.ban_files import ReadBan
    from portward.cli.client import Keeper

app = typer.Typer(help="Who is shut out, and why.", no_args_is_help=True)

Source = Annotated[str, typer.Argument(metavar="ADDRESS|NETWORK", help="203.0.113.7, 203.0.113.0/24, 2001:db8::/64 …")]
_COLUMNS = {"source": "source", "reason": "reason", "by": "by", "since": "since", "until": "ends", "times": "count"}
_PAGE = 5000
_AT_ONCE = 5000
_EVIDENCE_AT_ONCE = 2_000_000
"""Characters in one request, which may have 4 MB; evidence is all that can be long."""
_FORMATS = ("json", "plain", "nft", "csv")


@app.command(epilog="Example: portward ban add 203.0.113.0/24 --for 12h --reason 'guesses passwords'")
def add(
    source: Source,
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="30m, 12h, 7d. Default: for good.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Stands in the list.")] = "banned by hand",
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Shut a source out from now on, and cut what it holds open. Says why where it is exempt.

    Asks before it shuts out the address that you come from, and names the accounts that are logged in from there.
    """
    from portward.cli.ledger import ledger
    from portward.defense.exempt import network_of

    if (own := terminal_address()) and network_of(own).network_address in network_of(source):
        confirm(f"You are connected from {own}, and would be shut out yourself. Go on?", yes=yes)
    body = {"source": source, "reason": reason, **({"for": for_} if for_ else {})}
    with ledger(state, config) as running:
        answer = running.post("/bans", body)
    ban, hit = answer["ban"], answer["logged_in"]
    if json:
        print_json({**ban, "logged_in": hit})
        return
    print(f"{ban['source']} is shut out {_until(ban)}")
    if hit:
        print(f"logged in from there: {', '.join(hit)}; `portward ban remove {ban['source']}` lets them in again")


@app.command("list", epilog="Example: portward ban list --detector login")
def list_(
    past: Annotated[bool, typer.Option("--all", help="Those that are over, too: the latest 1000.")] = False,
    detector: Annotated[str | None, typer.Option(metavar="NAME", help="Only those with this reason.")] = None,
    search: Annotated[str | None, typer.Option(metavar="TEXT", help="Part of a source, a reason or a name.")] = None,
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """List who is shut out, the latest first."""
    from portward.cli.ledger import ledger

    wanted = {"reason": detector, "search": search}
    with ledger(state, config) as running:
        found = _latest(running, **wanted) if past else list(_every(running, **wanted))
    if json:
        print_json(found)
        return
    chosen = past or detector or search
    empty = "no such bans" if chosen else "nobody is banned; `portward ban add ADDRESS` bans by hand"
    more = {"over": "lifted_at", "lifted by": "lifted_by"} if past else {}
    table([{**ban, "ends": _ends(ban)} for ban in found], {**_COLUMNS, **more}, empty=empty)


@app.command(epilog="Example: portward ban show 203.0.113.7")
def show(source: Source, config: ConfigFile = CONFIG, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Say what shuts an address out and why, what it was banned for before, and whether it can be banned."""
    from portward.cli.ledger import ledger

    with ledger(state, config) as running:
        found = running.get(_path(source))
    if json:
        print_json(found)
        return
    for ban in found["bans"]:
        _print_ban(ban)
    for name, network in found["lists"].items():
        print(f"{network} stands on the block list {name}: `portward defence lists`")
    if not found["bans"] and not found["lists"]:
        print(f"{found['source']} is not banned")
    print(f"It can't be banned: {found['exempt']}" if found["exempt"] else "It is not exempt from bans")
    if found["history"]:
        print("\nbefore:")
        columns = {"since": "since", "over": "lifted_at", "lifted by": "lifted_by", "reason": "reason", "by": "by"}
        table(found["history"], columns, empty="")


@app.command(epilog="Example: portward ban remove 203.0.113.7")
def remove(source: Source, config: ConfigFile = CONFIG, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Let a source in again, at once. Works without a running gateway as well."""
    from portward.cli.ledger import ledger

    with ledger(state, config) as running:
        ban = running.delete(_path(source))["ban"]
    if json:
        print_json(ban)
    else:
        print(f"{ban['source']} may come again")


@app.command(epilog="Example: portward ban flush --yes")
def flush(config: ConfigFile = CONFIG, state: StateDirectory = STATE, yes: Yes = False, json: AsJson = False) -> None:
    """Let everybody in again. Block lists and `defence.deny` stay."""
    from portward.cli.ledger import ledger

    with ledger(state, config) as running:
        total = running.get("/bans", limit=0)["total"]
        if total:
            confirm(f"Lift all {total} bans?", yes=yes)
        lifted = running.delete("/bans")["lifted"]
    if json:
        print_json({"lifted": lifted})
    else:
        print(f"lifted {lifted} bans")


@app.command("import", epilog="Example: portward ban import /var/lib/fail2ban/fail2ban.sqlite3")
def import_(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="fail2ban's database, a list, or our export; - reads standard input.")
    ],
    for_: Annotated[
        str | None, typer.Option("--for", metavar="DURATION", help="For lists that say no end. Default: for good.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="For lists that say none. Default: the file's name.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what the file holds.")] = False,
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Take over bans: of fail2ban with what is left of their time, of plain and CSV lists, of `ban export`.

    A file of which a line can't be read is left alone as a whole. What is exempt or over by now is skipped, and told.
    """
    from portward.cli.ban_files import read_bans
    from portward.cli.ledger import ledger

    now = datetime.now(UTC)
    found = read_bans(file, now, reason=reason or f"imported from {file.name}", until=_moment(for_, now))
    skipped = [{"source": source, "why": why} for source, why in found.skipped]
    banned: list[str] = []
    if not dry_run:
        with ledger(state, config) as running:
            for some in _in_parts(found.bans):
                answer = running.post("/bans/import", {"bans": [ban.order() for ban in some]})
                banned += answer["banned"]
                skipped += answer["refused"]
    if json:
        print_json({"kind": found.kind, "found": len(found.bans), "banned": banned, "skipped": skipped})
        return
    for one in skipped:
        print(f"skipped {spell(one['source'])}: {spell(one['why'])}")
    done = f"{len(found.bans)} bans" if dry_run else f"banned {len(banned)}"
    print(f"{file} is {found.kind}: {done}, skipped {len(skipped)}")


@app.command(epilog="Example: portward ban export --format plain > banned.txt")
def export(
    format_: Annotated[str, typer.Option("--format", help="json, plain, nft (a script for nft -f) or csv.")] = "json",
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
) -> None:
    """Print all bans that hold. `ban import` reads json, plain and csv back."""
    from portward.cli.ban_files import spell_bans
    from portward.cli.ledger import ledger

    if format_ not in _FORMATS:
        raise typer.BadParameter(f"there is no format {format_!r}; choose one of {', '.join(_FORMATS)}")
    with ledger(state, config) as running:
        sys.stdout.write(spell_bans(list(_every(running)), format_, datetime.now(UTC)))


def _in_parts(bans: Iterable["ReadBan"]) -> Iterator[list["ReadBan"]]:
    part: list[ReadBan] = []
    room = _EVIDENCE_AT_ONCE
    for ban in bans:
        room -= sum(map(len, ban.evidence))
        if part and (len(part) == _AT_ONCE or room < 0):
            yield part
            part, room = [], _EVIDENCE_AT_ONCE - sum(map(len, ban.evidence))
        part.append(ban)
    if part:
        yield part


def _latest(running: "Keeper", **wanted: Any) -> list[dict[str, Any]]:
    return list(running.get("/bans", past=1, limit=1000, **wanted)["bans"])


def _every(running: "Keeper", **wanted: Any) -> Iterator[dict[str, Any]]:
    """Page by page, the latest first."""
    after: str | None = None
    while True:
        page = running.get("/bans", limit=_PAGE, after=after, **wanted)["bans"]
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]["source"]


def _print_ban(ban: Mapping[str, Any]) -> None:
    print(f"{ban['source']} is shut out {_until(ban)}")
    fields(ban, {"reason": "reason", "by": "by", "since": "since", "times": "count"})
    for fact in ban["evidence"]:
        print(f"  {_one_line(fact)}")
    print(f"`portward ban remove {ban['source']}` lets it in again\n")


def _one_line(fact: Any) -> str:
    if not isinstance(fact, dict):
        return printable(str(fact))
    first = [spell(fact.pop(key, None)) for key in ("time", "fact")]
    return "  ".join([*first, *(f"{spell(key)}={spell(value)}" for key, value in fact.items())])


def _until(ban: Mapping[str, Any]) -> str:
    return f"until {spell(ban['until'])}" if ban["until"] else "for good"


def _ends(ban: Mapping[str, Any]) -> str:
    return str(ban["until"]) if ban["until"] else "for good"


def _moment(length: str | None, now: datetime) -> datetime | None:
    from portward.config.spelling import Misspelt, parse_duration

    if length is None:
        return None
    try:
        return now + parse_duration(length)
    except Misspelt as error:
        raise typer.BadParameter(f"{length!r} {error.problem}; write {error.expected}") from None


def _path(source: str) -> str:
    """Raises `Invalid` for what is no address and no network."""
    from portward.defense.exempt import canonical

    return f"/bans/{quote(canonical(source), safe='/:')}"
