"""The local authority: ca show, export, trust, untrust, renew."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from portward.cli.options import CONFIG, STATE, AsJson, ConfigFile, StateDirectory
from portward.cli.output import fields, print_json

if TYPE_CHECKING:
    from cryptography import x509

    from portward.host.trust import Command, TrustStore
    from portward.pki.authority import Authority

app = typer.Typer(help="The gateway's own certificate authority, and who trusts it.", no_args_is_help=True)

RootFile = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="A root certificate that was downloaded.")
]
Only = Annotated[
    Literal["system", "browser"] | None, typer.Option("--store", help="Only the system's store, or the browsers'.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")]
Device = Annotated[
    Literal["windows", "macos", "ios", "android", "firefox", "linux"] | None,
    typer.Option("--for", help="Print instructions for a device of this kind instead."),
]


@app.command()
def show(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show the authority: its fingerprint, where its root's key is, and which names it may sign for.

    Example: portward ca show --json
    """
    report = _report(_authority(state))
    if json:
        print_json(report)
        return
    names = ("root", "sha256", "expires", "key", "signs for", "intermediate until")
    keys = ("name", "sha256", "expires", "root_key", "permitted", "intermediate_expires")
    fields(report, dict(zip(names, keys, strict=True)))
    for hint in report["hints"]:
        print(hint)


@app.command()
def export(
    state: StateDirectory = STATE,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Default: print it.")] = None,
    der: Annotated[bool, typer.Option("--der", help="Binary, as some devices want it.")] = False,
) -> None:
    """Print the root certificate, which devices must trust; it holds no secret.

    Example: portward ca export --out portward-root.crt
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    content = _authority(state).root.public_bytes(Encoding.DER if der else Encoding.PEM)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    out.write_bytes(content)
    print(f"wrote {out}")


@app.command()
def trust(
    state: StateDirectory = STATE,
    file: RootFile = None,
    store: Only = None,
    dry_run: DryRun = False,
    device: Device = None,
) -> None:
    """Make this machine trust the authority: the system, and this user's Firefox and Chromium.

    Example: portward ca trust --dry-run; portward ca trust --for ios
    """
    if device is not None:
        _print_instructions(device)
        return
    root, path = _root(state, file)
    for found in _stores(store):
        _do(found, found.trust(_name(root), path), dry_run=dry_run)
    print(f"the authority's SHA-256 fingerprint is {_fingerprint(root)}")


@app.command()
def untrust(state: StateDirectory = STATE, file: RootFile = None, store: Only = None, dry_run: DryRun = False) -> None:
    """Take that trust back.

    Example: portward ca untrust --store browser
    """
    root, _ = _root(state, file)
    for found in _stores(store):
        _do(found, found.untrust(_name(root)), dry_run=dry_run)


@app.command()
def renew(state: StateDirectory = STATE, config: ConfigFile = CONFIG) -> None:
    """Make the intermediate anew, for the domain and the hosts that are published now; needs the root's key.

    Example: portward ca renew
    """
    from portward.config import read

    settings = read(config, state=state)
    hosts = {settings.portal_host, *(route.host for route in settings.routes)}
    _authority(state).renew(hosts, settings.domain, datetime.now(UTC))
    print("renewed; certificates that were issued before stay valid")


def _authority(state: Path) -> "Authority":
    from portward.errors import NotFound
    from portward.host.paths import State
    from portward.pki.authority import Authority

    directory = State(state).authority
    if not (directory / "root.crt").exists():
        raise NotFound("authority", str(directory), way_out="`portward up` makes one; or name its place with --state")
    return Authority.open(directory, datetime.now(UTC))


def _report(authority: "Authority") -> dict[str, Any]:
    issuer = authority.present()
    away = not authority.key_file.exists()
    hints = []
    if authority.direct:
        hints.append("This root was made by an earlier version and signs hosts itself, so its key must stay here.")
    elif not away:
        hints.append(f"The root's key may be taken offline: move {authority.key_file} to a safe place.")
    return {
        "name": _name(authority.root),
        "sha256": _fingerprint(authority.root),
        "expires": authority.root.not_valid_after_utc.isoformat(),
        "root_key": "away" if away else str(authority.key_file),
        "direct": authority.direct,
        "permitted": sorted(issuer.permitted) if issuer else [],
        "intermediate_expires": issuer.certificate.not_valid_after_utc.isoformat() if issuer else None,
        "file": str(authority.root_file),
        "hints": hints,
    }


def _root(state: Path, file: Path | None) -> "tuple[x509.Certificate, Path]":
    from cryptography import x509

    from portward.errors import Invalid

    if file is None:
        authority = _authority(state)
        return authority.root, authority.root_file
    try:
        return x509.load_pem_x509_certificate(file.read_bytes()), file
    except (OSError, ValueError) as error:
        raise Invalid(f"{file} is no certificate in PEM: {error}") from None


def _stores(only: str | None) -> "list[TrustStore]":
    from portward.errors import Environment
    from portward.host.trust import stores

    found = [store for store in stores(Path.home()) if only in (None, store.kind)]
    if not found:
        raise Environment(
            "there is no store of trusted authorities here",
            way_out="start the browser once, or install ca-certificates; `portward ca export` gives the certificate",
        )
    return found


def _do(store: "TrustStore", commands: "list[Command]", *, dry_run: bool) -> None:
    """Print or run them. A store that can't be changed does not hold up the others."""
    import os
    import shlex
    import subprocess

    from portward.errors import PortwardError
    from portward.host.processes import find_program

    for command in commands:
        if dry_run:
            print(shlex.join(command))
    if dry_run or not commands:
        return
    if not os.access(store.place, os.W_OK):
        print(f"{store.place}: not allowed; as root: sudo portward ca trust --store {store.kind}", file=sys.stderr)
        return
    for command in commands:
        try:
            argv = [find_program(command[0]), *command[1:]]
        except PortwardError as error:
            print(f"{store.place}: {error}", file=sys.stderr)
            return
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=120)  # noqa: S603
        if done.returncode:
            print(f"{store.place}: {(done.stderr or done.stdout).strip()}", file=sys.stderr)
            return
    print(f"{store.place}: done")


def _print_instructions(device: str) -> None:
    from portward.pki.instructions import INSTRUCTIONS

    print("Get the file: `portward ca export --out portward-root.crt`, or from the portal, page “Trust”. Then:")
    for number, step in enumerate(INSTRUCTIONS[device].steps, 1):
        print(f"{number}. {step}")


def _name(root: "x509.Certificate") -> str:
    from portward.pki.minting import common_name

    return common_name(root.subject)


def _fingerprint(root: "x509.Certificate") -> str:
    from portward.pki.minting import fingerprint

    return fingerprint(root)
