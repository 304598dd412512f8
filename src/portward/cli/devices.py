"""Devices that hold a certificate: device list, show, enrol, approve, refuse, renew, rename, revoke."""

from base64 import b64decode
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from portward.cli.options import STATE, AsJson, StateDirectory, Yes
from portward.cli.output import confirm, fields, print_json, table

app = typer.Typer(help="Phones, laptops and programs that hold a certificate.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The device; the beginning of its id is enough.")]
OfAccount = Annotated[str | None, typer.Option("--account", metavar="NAME", help="Only of this account.")]
Csr = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A signing request that the device made: its key never leaves it."),
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Where the certificate goes; default: it is printed.")]
P12 = Annotated[
    Path | None, typer.Option("--p12", metavar="FILE", help="Make the key here, and write it into this PKCS#12 file.")
]
Old = Annotated[bool, typer.Option("--old", help="PKCS#12 as Apple and Windows before 10 1709 read it: 3DES, SHA-1.")]
Mobileconfig = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Make the key here, and write it into a profile for Apple devices.")
]

_COLUMNS = {"device": "name", "account": "account", "state": "state", "until": "expires_at", "last used": "used_at"}
_MORE = {"id": "id", "since": "issued_at", "revoked": "revoked_at", "own key": "own_key", "fingerprint": "fingerprint"}


@app.command("list", epilog="Example: portward device list --account ann")
def list_(account: OfAccount = None, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """List devices, and what waits for approval."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.get("/devices", account=account)["devices"]
    if json:
        print_json(found)
        return
    way = "no devices yet; `portward device enrol NAME --account ACCOUNT --csr FILE` adds one, or people do at home"
    table(found, {**_COLUMNS, "id": "id"}, empty=way)


@app.command(epilog="Example: portward device show 4f1c")
def show(device: Id, state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show one device and its certificate."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        answer = running.get(_path(device))
    if json:
        print_json(answer)
        return
    fields(answer["device"], {**_COLUMNS, **_MORE})
    if answer["certificate"]:
        print(f"\n{answer['certificate']}", end="")


@app.command(epilog="Example: portward device enrol laptop --account ann --csr laptop.csr --out laptop.pem")
def enrol(
    name: Annotated[str, typer.Argument(help="What the device is called.")],
    account: Annotated[str, typer.Option(help="Whose it is.")],
    csr: Csr = None,
    out: Out = None,
    p12: P12 = None,
    old: Old = False,
    mobileconfig: Mobileconfig = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Enrol a device: with its own signing request, or with a file that holds a key made here.

    On the device: openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout laptop.key -out
    laptop.csr -subj /CN=laptop
    """
    from portward.cli.client import keeper

    target = _target(csr, p12, mobileconfig)
    body = {"account": account, "name": name, **_order(csr, p12, old=old, mobileconfig=mobileconfig)}
    with keeper(state) as running:
        answer = running.post("/devices", body)
    _give(answer, target or out, json=json)


@app.command(epilog="Example: portward device renew 4f1c --out laptop.pem")
def renew(
    device: Id,
    csr: Csr = None,
    out: Out = None,
    p12: P12 = None,
    old: Old = False,
    mobileconfig: Mobileconfig = None,
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Issue another certificate for a device, which keeps its own key unless another --csr is given."""
    from portward.cli.client import keeper

    given = csr or p12 or mobileconfig
    target = _target(csr, p12, mobileconfig) if given else None
    body = _order(csr, p12, old=old, mobileconfig=mobileconfig) if given else {}
    with keeper(state) as running:
        answer = running.post(f"{_path(device)}/renew", body)
    _give(answer, target or out, json=json)


@app.command(epilog="Example: portward device approve 4f1c")
def approve(device: Id, state: StateDirectory = STATE) -> None:
    """Let a device have the certificate that its account asked for."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        found = running.post(f"{_path(device)}/approve")["device"]
    print(f"approved {found['name']} of {found['account']}, who finds it at home on the portal")


@app.command(epilog="Example: portward device refuse 4f1c")
def refuse(device: Id, state: StateDirectory = STATE) -> None:
    """Forget what an account asked for."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        running.post(f"{_path(device)}/refuse")
    print("refused")


@app.command(epilog='Example: portward device rename 4f1c "old laptop"')
def rename(
    device: Id, name: Annotated[str, typer.Argument(help="The new name.")], state: StateDirectory = STATE
) -> None:
    """Call a device something else; its certificate stays as it is."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        running.patch(_path(device), {"name": name})
    print(f"renamed to {name}")


@app.command(epilog="Example: portward device revoke 4f1c")
def revoke(device: Id, state: StateDirectory = STATE, yes: Yes = False, json: AsJson = False) -> None:
    """Refuse a device from now on, with all its renewals, and cut what it holds open."""
    from portward.cli.client import keeper

    confirm(f"Revoke the device {device}?", yes=yes)
    with keeper(state) as running:
        gone = running.delete(_path(device))["revoked"]
    if json:
        print_json(gone)
    else:
        print(f"revoked {gone[0]['name']} of {gone[0]['account']}" if gone else "it was revoked already")


def _target(csr: Path | None, p12: Path | None, mobileconfig: Path | None) -> Path | None:
    """Where a key that is made here goes. It is looked at before anything is made."""
    given = [path for path in (csr, p12, mobileconfig) if path]
    if len(given) != 1:
        raise typer.BadParameter("give one of --csr, --p12 and --mobileconfig")
    target = p12 or mobileconfig
    if target and target.exists():
        raise typer.BadParameter(f"{target} exists already")
    return target


def _order(csr: Path | None, p12: Path | None, *, old: bool, mobileconfig: Path | None) -> dict[str, str]:
    if csr:
        return {"csr": _text_of(csr)}
    if mobileconfig:
        return {"form": "mobileconfig"}
    return {"form": "p12-old" if old else "p12"}


def _text_of(file: Path) -> str:
    from portward.errors import Invalid

    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} can't be read as a signing request: {error}") from None


def _give(answer: dict[str, Any], target: Path | None, *, json: bool) -> None:
    """Write what was issued; a key is shown to nobody but in its file."""
    package = answer.pop("package", None)
    content = b64decode(package["content"]) if package else answer["certificate"].encode()
    if target:
        _write(target, content)
    if json:
        print_json({**answer, **({"password": package["password"]} if package else {})})
    elif package:
        print(f"wrote {target}\nIts password, which is shown this once:\n\n  {package['password']}\n")
    else:
        print(f"wrote {target}" if target else answer["certificate"], end="\n" if target else "")


def _write(target: Path, content: bytes) -> None:
    from portward.errors import Environment
    from portward.host.files import replace

    try:
        replace(target, content)
    except OSError as error:
        way_out = "the device is enrolled all the same: revoke it, or `portward device show` prints its certificate"
        raise Environment(f"{target} can't be written: {error.strerror}", way_out=way_out) from None


def _path(device: str) -> str:
    return f"/devices/{quote(device, safe='')}"
