"""What is published: services, publish, unpublish."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portward.cli.editing import alone, apply, require_same_file, said, save
from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory, Yes
from portward.cli.output import confirm, print_json, table

if TYPE_CHECKING:
    from portward.config import Settings

app = typer.Typer()


@app.command()
def services(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List the services that the running gateway has."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get("/services")["services"]
    if json:
        print_json(found)
        return
    columns = {"service": "service", "address": "url", "upstream": "upstream", "access": "access"}
    table(found, {**columns, "second factor": "second_factor", "from": "source"}, empty="no services yet")


@app.command()
def publish(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits and dashes.")],
    upstream: Annotated[str, typer.Argument(help="http://HOST:PORT, https://…, h2c://…, unix:/PATH, tunnel or demo.")],
    host: Annotated[str, typer.Option(help="The public name. Default: NAME before the domain.")] = "",
    path: Annotated[str, typer.Option(help="Only this prefix of the host.")] = "",
    access: Annotated[
        list[str] | None,
        typer.Option(help="public, members, owners, group:NAME or account:NAME; several times for several."),
    ] = None,
    second_factor: Annotated[bool, typer.Option("--second-factor", help="Ask for a second factor.")] = False,
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Publish a service: write it into portward.toml, and apply that."""
    from portward.config.editing import Publication
    from portward.config.editing import publish as published
    from portward.config.reading import text_of

    require_same_file(config, state)
    words = tuple(word for words in access or () for word in words.split(",") if word)
    publication = Publication(upstream, host=host, path=path, access=words, second_factor=second_factor)
    with alone(config):
        settings = save(published(text_of(config), name, publication), config, state)
    _tell(f"published {name}", _address(settings, name), apply(state), config, json=json)


@app.command()
def unpublish(
    name: Annotated[str, typer.Argument()],
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    yes: Yes = False,
    json: AsJson = False,
) -> None:
    """Take a service out of portward.toml, and apply that."""
    from portward.config.editing import unpublish as unpublished
    from portward.config.reading import text_of

    require_same_file(config, state)
    unpublished(text_of(config), name)
    confirm(f"Take {name} and its settings out of {config}?", yes=yes)
    with alone(config):
        save(unpublished(text_of(config), name), config, state)
    _tell(f"unpublished {name}", None, apply(state), config, json=json)


def _address(settings: "Settings", name: str) -> str:
    route = next(route for route in settings.routes if route.service == name)
    return settings.url(route.host, route.path)


def _tell(what: str, url: str | None, applied: dict[str, object] | None, config: Path, *, json: bool) -> None:
    if json:
        print_json({"done": what, "url": url, "file": str(config), "applied": applied})
        return
    print(f"{what}: {url}" if url else what)
    print(said(applied, config))
