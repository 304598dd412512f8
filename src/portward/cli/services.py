"""What is published: services, publish, unpublish."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory, Yes
from portward.cli.output import confirm, print_json, spell, table

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

    _require_same_file(config, state)
    words = tuple(word for words in access or () for word in words.split(",") if word)
    publication = Publication(upstream, host=host, path=path, access=words, second_factor=second_factor)
    with _alone(config):
        settings = _save(published(text_of(config), name, publication), config, state)
    _tell(f"published {name}", _address(settings, name), _apply(state), config, json=json)


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

    _require_same_file(config, state)
    unpublished(text_of(config), name)
    confirm(f"Take {name} and its settings out of {config}?", yes=yes)
    with _alone(config):
        _save(unpublished(text_of(config), name), config, state)
    _tell(f"unpublished {name}", None, _apply(state), config, json=json)


def _require_same_file(config: Path, state: Path) -> None:
    """Raises `Conflict` when the running gateway uses another file: what is written here would not be published."""
    from portward.cli.client import keeper
    from portward.errors import Conflict, NotRunning

    try:
        with keeper(state) as running:
            used = running.get("/status")["configuration"]["file"]
    except NotRunning:
        return
    if Path(used).resolve() != config.resolve():
        raise Conflict(f"the running gateway uses {used}, and not {config}", way_out=f"add --config {used}")


@contextmanager
def _alone(config: Path) -> Iterator[None]:
    """One edit at a time: of two at once, neither undoes the other's."""
    from portward.errors import Environment

    try:
        directory = os.open(config.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise Environment(
            f"the directory of {config} can't be opened: {error.strerror}", way_out="name the file with --config"
        ) from None
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _save(text: str, config: Path, state: Path) -> "Settings":
    """Write the text when it can be used. A link is followed, so that the file it points at changes."""
    from portward.config.reading import parse
    from portward.errors import Environment
    from portward.host.files import replace

    settings = parse(text, config, state=state)
    file = config.resolve()
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o644
    try:
        replace(file, text.encode(), mode=mode)
    except OSError as error:
        raise Environment(
            f"{config} can't be written: {error.strerror}", way_out="run the command as a user who may write it"
        ) from None
    return settings


def _address(settings: "Settings", name: str) -> str:
    route = next(route for route in settings.routes if route.service == name)
    return settings.url(route.host, route.path)


def _apply(state: Path) -> dict[str, object] | None:
    """What the keeper made of it; None when it does not run."""
    from portward.cli.client import keeper
    from portward.errors import NotRunning

    try:
        with keeper(state) as running:
            return dict(running.post("/reload"))
    except NotRunning:
        return None


def _tell(what: str, url: str | None, applied: dict[str, object] | None, config: Path, *, json: bool) -> None:
    if json:
        print_json({"done": what, "url": url, "file": str(config), "applied": applied})
        return
    print(f"{what}: {url}" if url else what)
    if applied is None:
        print(f"{config} is saved and takes effect at the next start: Portward does not run")
    else:
        print(f"applied: {spell(applied.get('summary')) or 'no difference'}")
