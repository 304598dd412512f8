"""Publishes what runs here through a Portward gateway: connect, connect status, stop, install, uninstall.

portward connect blog=1313 files=./public
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from portward.cli.connecting import KIND, keep_open, key_of, meet
from portward.cli.options import AsJson
from portward.cli.output import print_json, table
from portward.cli.tunnel_options import AcceptedKeys, Background, Retries

if TYPE_CHECKING:
    from portward.tunnels.client.alone import Holder
    from portward.tunnels.client.gate import Gate
    from portward.tunnels.client.status import Status
    from portward.tunnels.client.targets import Target


class Connect(TyperGroup):
    """Without a verb, what follows is what to publish."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        verb = args[0] if args else ""
        return super().parse_args(ctx, args if verb in (*self.commands, "-h", "--help") else ["open", *args])


app = typer.Typer(
    cls=Connect,
    help="Publish what runs on this machine through a Portward gateway: portward connect blog=1313 files=./public",
)

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME=TARGET]…", help="A target is a port, HOST:PORT, unix:/PATH or a folder; NAME is the service's."
    ),
]
GateAddress = Annotated[str, typer.Option(metavar="HOST[:PORT]", help="The gateway. The first one is remembered.")]
Key = Annotated[str, typer.Option("--key", "-i", metavar="FILE", help="A key of yours. Default: one made for this.")]


@app.command("open")
def open_(
    targets: Targets = None,
    gate: GateAddress = "",
    key: Key = "",
    background: Background = False,
    retries: Retries = None,
    accept_host_key: AcceptedKeys = None,
    qr: Annotated[bool, typer.Option("--qr", help="Show each address as a QR code, too.")] = False,
    json: AsJson = False,
) -> None:
    """Publish until Ctrl-C; the verb may be left out: portward connect blog=1313"""
    from portward.tunnels.client.targets import parse_all

    chosen = _gate(gate, key)
    wanted = parse_all(targets or []) or chosen.publish
    _require_targets(wanted)
    file = key_of(chosen)
    if background:
        _send_to_background(chosen, wanted, file, accept_host_key or [], retries)
        return
    keep_open(chosen, wanted, file, accepted=accept_host_key or [], retries=retries, qr=qr, json=json)


@app.command()
def status(json: AsJson = False) -> None:
    """Show what this machine publishes, where, and how that is doing."""
    from portward.cli.live import as_row

    found = _statuses()
    if json:
        print_json([status.as_dict() for status in found])
        return
    rows = [{**as_row(status), "gate": status.host, "addresses": status.addresses} for status in found]
    columns = {"published": "name", "at": "addresses", "gateway": "gate", "state": "state", "uptime": "uptime"}
    more = {"reconnects": "reconnects", "round trip": "round_trip", "": "problem"}
    table(rows, {**columns, **more}, empty="nothing is published from here: portward connect NAME=PORT")


@app.command()
def stop(names: Annotated[list[str] | None, typer.Argument(help="Default: everything.")] = None) -> None:
    """Stop publishing what was sent to the background, or runs in another terminal."""
    from portward.errors import NotFound
    from portward.tunnels.client import background, paths

    running = {_service(holder.title): holder for holder in _holders()}
    for missing in set(names or []) - running.keys():
        raise NotFound("published service", missing, way_out="`portward connect status` names those that are")
    for service, holder in running.items():
        if (not names or service in names) and background.stop(paths.running(KIND, holder.title)):
            print(f"{service} is no longer published")


@app.command()
def install(
    targets: Targets = None, gate: GateAddress = "", key: Key = "", accept_host_key: AcceptedKeys = None
) -> None:
    """Publish at each login, by a systemd unit of yours: portward connect install blog=1313"""
    from portward.errors import Invalid
    from portward.tunnels.client.gate import default_file, save
    from portward.tunnels.client.targets import parse_all
    from portward.tunnels.client.unit import AtLogin, user_units

    chosen = _gate(gate, key)
    wanted = parse_all(targets or []) or chosen.publish
    _require_targets(wanted)
    if any(not target.name for target in wanted):
        raise Invalid("what is published at login needs a name", way_out="write NAME=TARGET")
    meet(chosen, wanted, key_of(chosen), accept_host_key or [])
    save(default_file(), replace(chosen, publish=wanted))
    link = AtLogin(user_units()).enable_connect()
    names = ", ".join(target.name for target in wanted)
    print(f"{names}: published at each login ({link})")
    print("now: systemctl --user start portward-connect; before you log in, too: loginctl enable-linger")


@app.command()
def uninstall() -> None:
    """No longer publish at login. What is remembered stays."""
    from portward.tunnels.client.unit import AtLogin, user_units

    removed = AtLogin(user_units()).disable_connect()
    print("no longer published at login" if removed else "nothing was published at login")


def _gate(address: str, key: str) -> "Gate":
    """The one that is named, remembered, or told at the terminal."""
    from portward.errors import Invalid
    from portward.tunnels.client.gate import Gate, default_file, parse_gate, read

    known = read(default_file())
    if known and not address:
        return replace(known, key=_place(key)) if key else known
    if not address and sys.stdin.isatty():
        address = typer.prompt("the gateway's address, such as gate.example.com (port 2222 unless you add another)")
    if not address:
        raise Invalid("which gateway is it?", way_out="add --gate gate.example.com; it is remembered")
    return Gate(parse_gate(address), key=_place(key))


def _place(key: str) -> str:
    return str(Path(key).expanduser().absolute()) if key else ""


def _require_targets(targets: "tuple[Target, ...]") -> None:
    from portward.errors import Invalid

    if not targets:
        raise Invalid(
            "nothing is named that could be published", way_out="portward connect blog=1313, or files=./public"
        )


def _send_to_background(
    gate: "Gate", targets: "tuple[Target, ...]", key: Path, accepted: list[str], retries: int | None
) -> None:
    from portward.cli.tunnel_running import report
    from portward.tunnels.client import background, paths
    from portward.tunnels.client.targets import spell_target
    from portward.tunnels.profiles.spelling import spell_jump

    meet(gate, targets, key, accepted)
    title = f"{targets[0].title}@{gate.title}"
    options = ["--gate", spell_jump(gate.server), "--key", str(key)]
    options += ["--retries", str(retries)] if retries is not None else []
    words = [f"{target.name}={spell_target(target)}" if target.name else spell_target(target) for target in targets]
    lock, log = paths.running(KIND, title), paths.log(KIND, title)
    started = background.start(["connect", *options, *words], lock, log)
    report(", ".join(target.title for target in targets), started, log)
    for address in started.status.addresses if started.status else ():
        print(address)


def _holders() -> "list[Holder]":
    from portward.tunnels.client import paths
    from portward.tunnels.client.alone import holders

    return holders(paths.state() / "running", KIND)


def _statuses() -> "list[Status]":
    """One for each process, however many services it publishes."""
    from portward.tunnels.client import background, paths

    first = {holder.socket: holder for holder in reversed(_holders())}
    found = [background.status_of(paths.running(KIND, holder.title)) for holder in first.values()]
    return [status for status in found if status]


def _service(title: str) -> str:
    """`blog` of `blog@gate.example.com`."""
    return title.rpartition("@")[0]
