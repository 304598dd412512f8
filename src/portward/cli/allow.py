"""Networks that nothing shuts out: allow add, list, remove. They stand in `defence.allow` of portward.toml."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from portward.cli.editing import alone, apply, require_same_file, said, save
from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory, Yes
from portward.cli.output import confirm, print_json, table, terminal_address

app = typer.Typer(help="Networks that no ban, list or limit shuts out.", no_args_is_help=True)

Network = Annotated[str, typer.Argument(metavar="ADDRESS|NETWORK", help="192.0.2.7, 192.0.2.0/24, 2001:db8::/64 …")]


@app.command(epilog="Example: portward allow add 198.51.100.7 --comment 'the office'")
def add(
    network: Network,
    comment: Annotated[str, typer.Option(help="Stands behind it in the file.")] = "",
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Write a network into portward.toml and apply that: no ban holds it from now on. It still has to log in."""
    from portward.config.allowing import allow
    from portward.config.reading import text_of

    require_same_file(config, state)
    with alone(config):
        save(allow(text_of(config), network, comment), config, state)
    _tell(f"allowed {network}", apply(state), config, json=json)


@app.command("list")
def list_(config: ConfigFile = CONFIG, json: AsJson = False) -> None:
    """List what portward.toml allows."""
    from portward.config.allowing import allowed_in
    from portward.config.reading import text_of

    found = [{"network": str(network)} for network in allowed_in(text_of(config))]
    if json:
        print_json(found)
    else:
        table(found, {"network": "network"}, empty="none yet; `portward allow add ADDRESS` adds one")


@app.command(epilog="Example: portward allow remove 198.51.100.7")
def remove(
    network: Network,
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Take a network out of portward.toml, and apply that. Asks before it takes away the one that you come from."""
    from portward.config.allowing import disallow
    from portward.config.reading import text_of

    require_same_file(config, state)
    if address := _own_address_in(disallow(text_of(config), network), config):
        confirm(f"You are connected from {address}, and could then be banned from it. Go on?", yes=yes)
    with alone(config):
        save(disallow(text_of(config), network), config, state)
    _tell(f"removed {network} from the allowed networks", apply(state), config, json=json)


def _own_address_in(without: str, config: Path) -> str:
    """Where this terminal's SSH session comes from, when the file allows that address and `without` does not."""
    from portward.config.allowing import allowed_in
    from portward.config.reading import text_of

    if not (came_from := terminal_address()):
        return ""
    address = ip_address(came_from)
    now, then = (any(address in network for network in allowed_in(text)) for text in (text_of(config), without))
    return came_from if now and not then else ""


def _tell(what: str, applied: dict[str, object] | None, config: Path, *, json: bool) -> None:
    if json:
        print_json({"done": what, "file": str(config), "applied": applied})
    else:
        print(f"{what}\n{said(applied, config)}")
