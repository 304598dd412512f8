"""Portward as a service of this machine: install, uninstall."""

from pathlib import Path
from typing import Annotated

import typer

from portward.cli.options import Yes
from portward.cli.output import confirm

app = typer.Typer()

Root = Annotated[Path, typer.Option("--root", metavar="DIR", help="The tree of an image, instead of this machine.")]
MACHINE = Path("/")


@app.command()
def install(
    domain: Annotated[str | None, typer.Option(help="The domain that a new portward.toml begins with.")] = None,
    root: Root = MACHINE,
) -> None:
    """Install a systemd service: own user, sandbox, low ports, start at boot. Keeps an existing configuration."""
    from portward.config.spelling import Misspelt, parse_host
    from portward.errors import Invalid
    from portward.host.installation import Installation

    try:
        name = parse_host(domain) if domain else None
    except Misspelt as error:
        raise Invalid(f"{domain!r} {error.problem}; expected {error.expected}", way_out=error.way_out) from None
    for sentence in Installation(root=root.absolute()).install(name):
        print(sentence)
    if root == MACHINE:
        print("\nstart it with `systemctl start portward`; `portward recover` then prints the owner's one-time link")


@app.command()
def uninstall(root: Root = MACHINE, yes: Yes = False) -> None:
    """Stop the service and take it away. Data, configuration and user stay."""
    from portward.host.installation import Installation

    confirm("Stop Portward, and take its service away?", yes=yes)
    for sentence in Installation(root=root.absolute()).uninstall():
        print(sentence)
