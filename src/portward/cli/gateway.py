"""The gateway as a whole: up, check, schema, version."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory
from portward.cli.output import fields, print_json, table

if TYPE_CHECKING:
    from portward.config import Settings

app = typer.Typer()


@app.command()
def up(config: ConfigFile = CONFIG, state: StateDirectory = STATE) -> None:
    """Run Portward in the foreground, until Ctrl-C.

    Writes a commented portward.toml where the default file does not exist.
    """
    _warn_of_root()
    _write_starter(config)
    _require_configuration(config, state)
    # Absolute, so that a file that is deleted later is a mistake, and not a wish for the starter's.
    places = ["--config", str(config.absolute()), "--state", str(state.absolute())]
    command = [sys.executable, "-m", "portward.supervisor", *places]
    # The supervisor lives long, and has no use for what the command line has loaded.
    os.execv(sys.executable, command)  # noqa: S606


@app.command()
def check(
    file: Annotated[Path | None, typer.Argument(help="Default: --config.", show_default=False)] = None,
    config: ConfigFile = CONFIG,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Print every mistake in the configuration; exit code 2 when there is one."""
    from portward.config import read
    from portward.errors import ConfigError

    path = file or config
    try:
        settings = read(path, state=state)
    except ConfigError as error:
        if not json:
            raise
        print_json({"fine": False, "file": str(path), "mistakes": [_as_dict(mistake) for mistake in error.mistakes]})
        raise typer.Exit(error.exit_code) from None
    report = {**_report(path, settings), "owners_shut_out": _owners_shut_out(settings, state)}
    if json:
        print_json(report)
    else:
        _print_report(report)


@app.command()
def schema() -> None:
    """Print the JSON Schema of portward.toml, with which editors complete the file."""
    from portward.config.schema import json_schema

    print_json(json_schema())


@app.command()
def version(json: AsJson = False) -> None:
    """Show the versions of Portward, Python and HAProxy."""
    found = {"portward": _version(), "python": sys.version.split()[0], "haproxy": _engine()["haproxy"]}
    if json:
        print_json(found)
    else:
        fields(found, {name: name for name in found})


def _require_configuration(config: Path, state: Path) -> None:
    """Raises ConfigError, unless there is a last good configuration: a slip in the file must keep no gate shut.

    A file that was in force last is not read here, which would take as long as all else that this program does.
    """
    from portward.errors import ConfigError
    from portward.host.paths import State

    last_good = State(state).last_good
    if _is_as(config, last_good):
        return
    from portward.config import read

    try:
        read(config, state=state)
    except ConfigError as error:
        if not last_good.exists():
            raise
        print(f"{error}\n{config} is not used; the last good configuration is", file=sys.stderr)


def _is_as(config: Path, last_good: Path) -> bool:
    return config.is_file() and last_good.is_file() and config.read_bytes() == last_good.read_bytes()


def _warn_of_root() -> None:
    if os.geteuid() == 0:
        print(
            "warning: this runs as root, and whoever broke into it would be root as well\n"
            "  → `portward install` makes a service with a user of its own; without systemd, start it as such a user",
            file=sys.stderr,
        )


def _write_starter(config: Path) -> None:
    """Where the default file is missing, it begins with what would have been used without it."""
    if config != CONFIG or config.exists():
        return
    from portward.config.starter import STARTER
    from portward.errors import Environment
    from portward.host.files import create

    try:
        made = create(config, STARTER.encode(), mode=0o644)
    except OSError as error:
        raise Environment(
            f"{config} can't be written: {error.strerror}", way_out="choose a file with --config, or another directory"
        ) from None
    if made:
        print(f"wrote {config}, which says what runs")


def _as_dict(mistake: object) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(mistake)  # type: ignore[call-overload,no-any-return]


def _report(path: Path, settings: "Settings") -> dict[str, Any]:
    from portward.config.values import spell_access

    return {
        "fine": True,
        "file": str(path),
        "written": path.exists(),
        "domain": settings.domain,
        "portal": settings.url(settings.portal_host),
        "services": [
            {
                "service": route.service,
                "url": settings.url(route.host, route.path),
                "upstream": str(route.upstream),
                "access": spell_access(route.access),
                "second_factor": route.access.second_factor,
            }
            for route in settings.routes
        ]
        + [_tcp_row(settings, name) for name in settings.tcp_services],
        "certificate_files": _certificate_files(settings),
        "uncovered": _uncovered(settings),
        **_engine(),
    }


def _certificate_files(settings: "Settings") -> list[dict[str, Any]]:
    """What `tls.files` holds now, which may be mended at any time and so is no mistake of the configuration."""
    if not settings.tls.files:
        return []
    from datetime import UTC, datetime

    from portward.pki.inspection import inspect

    found = inspect(settings.tls.files, _hosts(settings), datetime.now(UTC))
    return [
        {"file": one.file, "names": list(one.names), "problem": one.problem, "remarks": list(one.remarks)}
        for one in found
    ]


def _uncovered(settings: "Settings") -> list[str]:
    """Hosts that no usable file covers, where all certificates should come from files."""
    if settings.tls.mode != "files":
        return []
    from portward.pki.choice import covered

    names = {name for file in _certificate_files(settings) if not file["problem"] for name in file["names"]}
    return [host for host in _hosts(settings) if not covered(host, names)]


def _owners_shut_out(settings: "Settings", state: Path) -> list[dict[str, Any]]:
    """Owners whom the rule about countries would lock out, as far as a running keeper knows where they are.

    Raises `Invalid` where there are no data for the rules.
    """
    from portward.defense.geo.rules import GATEWAY, rules_of

    rules = rules_of(settings)
    if not rules:
        return []
    from dataclasses import asdict

    from portward.cli.client import keeper
    from portward.defense.geo.geography import Geography
    from portward.errors import NotRunning
    from portward.host.paths import State

    Geography(State(state).geo).require(rules)
    if GATEWAY not in rules:
        return []
    try:
        with keeper(state) as running:
            return list(running.post("/geo/shut-out", {"rule": asdict(rules[GATEWAY])})["owners"])
    except NotRunning:
        return []


def _hosts(settings: "Settings") -> list[str]:
    return list(dict.fromkeys((settings.portal_host, *(route.host for route in settings.routes))))


def _tcp_row(settings: "Settings", name: str) -> dict[str, Any]:
    service = settings.services[name]
    return {
        "service": name,
        "url": settings.tcp_url(name),
        "upstream": str(service.upstream or "tunnel"),
        "access": [str(network) for network in service.allow],
        "second_factor": False,
    }


def _print_report(report: dict[str, Any]) -> None:
    print(f"{report['file']} is fine" if report["written"] else f"{report['file']} does not exist; the starter is fine")
    fields(report, {"people log in at": "portal", "HAProxy": "haproxy"})
    for feature, reason in report["off"].items():
        print(f"off: {feature} ({reason})")
    for file in report["certificate_files"]:
        for problem in filter(None, (file["problem"] and f"not usable: {file['problem']}", *file["remarks"])):
            print(f"{file['file']}: {problem}")
    for host in report["uncovered"]:
        print(f"no file covers {host}, so that the local authority's certificate stands in")
    for owner in report["owners_shut_out"]:
        print(
            f"[defence.countries] refuses {owner['address']}, where the owner {owner['account']} is logged in: "
            f"{owner['why']}; that session stays an exception, and no other way in from there does"
        )
    columns = {"service": "service", "address": "url", "upstream": "upstream", "access": "access"}
    table(report["services"], {**columns, "second factor": "second_factor"}, empty="no services yet")


def _engine() -> dict[str, Any]:
    """The HAProxy of this machine and what it lacks. A file may be checked where there is none."""
    from portward.edge.engine import find_engine
    from portward.errors import Environment

    try:
        engine = find_engine()
    except Environment as error:
        return {"haproxy": error.message, "off": {}}
    return {"haproxy": engine.name.removeprefix("HAProxy "), "off": engine.missing()}


def _version() -> str:
    from importlib.metadata import version as installed

    return installed("portward")
