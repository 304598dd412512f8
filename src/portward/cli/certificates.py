"""Certificates: certificate list, show, issue, renew, revoke, check; certificate account rotate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, fields, json_line, print_json, printable, table
from portward.errors import NotFound, PortwardError

app = typer.Typer(
    help="The certificates that hosts show, and the authorities that they come from.", no_args_is_help=True
)
account = typer.Typer(help="Our account at each ACME authority.", no_args_is_help=True)
app.add_typer(account, name="account")

Hosts = Annotated[list[str] | None, typer.Argument(metavar="HOST…", help="Default: all of them.")]
_REASONS = {"unspecified": 0, "key-compromise": 1, "superseded": 4, "cessation": 5}
_FINE = {"issued", "done"}
_COLUMNS = {"host": "host", "source": "source", "issuer": "issuer", "expires": "expires", "problem": "problem"}
_FIELDS = {
    "host": "host",
    "source": "source",
    "names": "names",
    "issuer": "issuer",
    "serial": "serial",
    "fingerprint": "fingerprint",
    "test service": "staging",
    "since": "since",
    "expires": "expires",
    "renewal": "renew_at",
    "file": "file",
    "failures": "failures",
    "problem": "problem",
    "way out": "way_out",
    "next attempt": "next_attempt",
}


@app.command("list", epilog="Example: portward certificate list --json")
def list_(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List what each host shows, where it comes from, until when it is good, and what is wrong."""
    found = _all(state)
    if json:
        print_json(found)
        return
    table(found, {**_COLUMNS, "next attempt": "next_attempt"}, empty="no host is published yet; see `portward publish`")


@app.command(epilog="Example: portward certificate show wiki.example.com")
def show(
    host: Annotated[str, typer.Argument(help="A published host.")],
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Show one host's certificate, and how it stands with its renewal."""
    found = next((one for one in _all(state) if one["host"] == host.lower()), None)
    if found is None:
        raise NotFound("published host", host, way_out="`portward certificate list` names those that exist")
    if json:
        print_json(found)
        return
    fields(found, _FIELDS)


@app.command(epilog="Example: portward certificate issue wiki.example.com --dry-run")
def issue(
    hosts: Hosts = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask the authority's staging environment, and keep nothing.")
    ] = False,
    skip_checks: Annotated[bool, typer.Option("--skip-checks", help="Don't look at DNS and ports before.")] = False,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Order certificates now, whatever the back-off says."""
    _ask(state, {"task": "issue", "hosts": hosts or [], "rehearsal": dry_run, "preflight": not skip_checks}, json=json)


@app.command(epilog="Example: portward certificate renew")
def renew(hosts: Hosts = None, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Renew these hosts' certificates now; with none named, those that are due."""
    _ask(state, {"task": "renew", "hosts": hosts or []}, json=json, nothing="no certificate is due")


@app.command(epilog="Example: portward certificate check wiki.example.com")
def check(
    hosts: Hosts = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Go the whole way with the authority's staging environment.")
    ] = False,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Look at DNS, CAA, ports and clock, without asking the authority for anything."""
    task = {"task": "issue", "rehearsal": True} if dry_run else {"task": "check"}
    _ask(state, {**task, "hosts": hosts or []}, json=json)


@app.command(epilog="Example: portward certificate revoke wiki.example.com --reason key-compromise")
def revoke(
    host: Annotated[str, typer.Argument(help="A published host.")],
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(_REASONS)}.")] = "unspecified",
    state: StateDirectory = STATE,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Revoke the certificate that a host shows; another with a new key is ordered at once."""
    from portward.cli.client import keeper

    if reason not in _REASONS:
        raise typer.BadParameter(f"give one of {', '.join(_REASONS)}")
    confirm(f"Revoke the certificate of {host}?", yes=yes)
    with keeper(state) as running:
        results = running.post("/certificates/revoke", {"host": host.lower(), "reason": _REASONS[reason]})["results"]
    _print(results, json=json, done="revoked")


@account.command(epilog="Example: portward certificate account rotate")
def rotate(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Give our account at every authority a new key."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        results = running.post("/certificates/rotate")["results"]
    _print(results, json=json, done="has a new key")


def _all(state: Path) -> list[dict[str, Any]]:
    from portward.cli.client import keeper

    with keeper(state) as running:
        return list(running.get("/certificates")["certificates"])


def _ask(state: Path, order: dict[str, Any], *, json: bool, nothing: str = "nothing was to do") -> None:
    from portward.cli.client import keeper

    with keeper(state) as running:
        results = list(_followed(running.post_lines("/certificates/ask", order), json=json))
    if not results and not json:
        print(nothing)
    _print(results, json=json, done="fine" if order["task"] == "check" or order.get("rehearsal") else "issued")


def _followed(lines: Iterable[dict[str, Any]], *, json: bool) -> Iterable[dict[str, Any]]:
    """The outcomes; what happens on the way there is printed as it comes."""
    for line in lines:
        say = line.pop("say")
        if say == "outcome":
            yield line
        elif say == "error":
            raise _Refused(line["message"], way_out=line["way_out"], code=line["exit_code"])
        elif say == "step" and not json:
            print(f"{line['name']}: {line['text']}", flush=True)


def _print(results: list[dict[str, Any]], *, json: bool, done: str) -> None:
    """Each outcome. Raises `PortwardError` when one of them is no good one."""
    for result in results:
        if json:
            print(json_line(result))
        else:
            _print_one(result, done)
    if bad := [result["name"] for result in results if result["outcome"] not in _FINE]:
        raise PortwardError(f"{len(bad)} of {len(results)} did not succeed: {', '.join(bad)}")


def _print_one(result: dict[str, Any], done: str) -> None:
    fine = result["outcome"] in _FINE
    print(f"{result['name']}: {done if fine else printable(result['problem']) or result['outcome']}")
    for warning in result["warnings"]:
        print(f"  {printable(warning)}")
    if result["way_out"]:
        print(f"  → {printable(result['way_out'])}")


class _Refused(PortwardError):
    """What the keeper refused, with the exit code that it had there."""

    def __init__(self, message: str, *, way_out: str, code: int) -> None:
        super().__init__(message, way_out=way_out)
        self.exit_code = code
