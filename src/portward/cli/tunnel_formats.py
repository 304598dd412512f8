"""Saved tunnels to and from other programs: tunnel export, tunnel import."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from portward.cli.options import AsJson
from portward.cli.output import print_json, printable
from portward.cli.tunnel_options import File

if TYPE_CHECKING:
    from portward.tunnels.profiles.exchange import Exported, Imported
    from portward.tunnels.profiles.profile import Profile

app = typer.Typer()

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would be imported, and change nothing.")]


@app.command("export")
def export_(
    name: Annotated[str, typer.Argument(help="The saved tunnel.")],
    as_: Annotated[
        str,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="ssh-config, ssh, autossh, systemd, putty, reg, plink or windows-task.",
        ),
    ] = "ssh-config",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A new file, or a directory to make it in.")
    ] = None,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Write a saved tunnel in another program's format, and name what that can't say.

    Example: portward tunnel export database --format systemd
    """
    from portward.errors import Invalid, NotFound
    from portward.tunnels.profiles import saved
    from portward.tunnels.profiles.formats import FORMATS

    profiles = saved.read(file or saved.default_file())
    if name not in profiles:
        raise NotFound("saved tunnel", name, way_out="`portward tunnel list` names those that exist")
    if as_ not in FORMATS:
        known = "\n".join(f"    {key:<13} {one.about}" for key, one in FORMATS.items())
        raise Invalid(f"there is no format {as_!r}", way_out=f"choose one of these:\n{known}")
    exported = FORMATS[as_].write(profiles[name])
    written = _write(exported, output / FORMATS[as_].file(name) if output and output.is_dir() else output)
    if json:
        print_json({"text": exported.text, "notes": list(exported.notes), "file": str(written) if written else None})
        return
    if not written:
        _show(exported)
    for note in exported.notes:
        print(f"note: {printable(note)}", file=sys.stderr)
    if written:
        print(f"wrote {written}")


@app.command("import")
def import_(
    source: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="A .reg export, a session of PuTTY, a configuration of OpenSSH, a .ppk key."
        ),
    ] = None,
    putty: Annotated[bool, typer.Option("--putty", help="All sessions that PuTTY has saved on this machine.")] = False,
    ssh_config: Annotated[bool, typer.Option("--ssh-config", help="All hosts of FILE, or of ~/.ssh/config.")] = False,
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only this tunnel; several times for several.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace saved tunnels of the same name.")] = False,
    rename: Annotated[bool, typer.Option("--rename", help="Save beside those of the same name.")] = False,
    dry_run: DryRun = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where a key goes. Default: beside the .ppk, without .ppk.")
    ] = None,
    passphrase_fd: Annotated[
        int | None, typer.Option(metavar="N", help="Read a key's passphrase from this file descriptor.")
    ] = None,
    file: File = None,
    json: AsJson = False,
) -> None:
    """Save tunnels of PuTTY and OpenSSH, or turn a key of PuTTY into OpenSSH's. What can't be carried over is named.

    Example: portward tunnel import sessions.reg --dry-run
    """
    from portward.errors import Invalid
    from portward.tunnels.profiles import formats

    if source and not ssh_config and formats.kind_of(_bytes_of(source)) == "key":
        return _import_key(source, output, passphrase_fd, dry_run=dry_run, json=json)
    if not source and not putty and not ssh_config:
        raise Invalid("nothing to import", way_out="name a file, or add --putty or --ssh-config")
    if replace and rename:
        raise Invalid("--replace and --rename contradict each other")
    found = _only(_read(source, putty=putty, ssh_config=ssh_config), only or [])
    kept = _save(found, file, replace=replace, rename=rename, dry_run=dry_run)
    _tell(kept, found, dry_run=dry_run, json=json)
    return None


def _read(source: Path | None, *, putty: bool, ssh_config: bool) -> "Imported":
    from portward.tunnels.profiles import formats, putty_files, registry
    from portward.tunnels.profiles.exchange import together

    parts = []
    if putty:
        parts.append(_sessions(putty_files.directory()))
    if source and not ssh_config:
        data = _bytes_of(source)
        kind = formats.kind_of(data)
        if kind == "registry":
            parts.append(registry.read(data, str(source)))
        elif kind == "session":
            parts.append(putty_files.read(data, putty_files.name_of(source.name), str(source)))
        else:
            parts.append(_hosts(source))
    elif ssh_config:
        parts.append(_hosts(source or Path.home() / ".ssh" / "config"))
    return together(parts)


def _sessions(directory: Path) -> "Imported":
    from portward.errors import NotFound
    from portward.tunnels.profiles import putty_files
    from portward.tunnels.profiles.exchange import together

    files = sorted(path for path in directory.glob("*") if path.is_file())
    if not files:
        raise NotFound("session of PuTTY in", str(directory), way_out="on Windows, export the registry: docs/putty.md")
    return together(putty_files.read(_bytes_of(file), putty_files.name_of(file.name), str(file)) for file in files)


def _hosts(file: Path) -> "Imported":
    import getpass

    from portward.tunnels.profiles import ssh_config

    return ssh_config.read(file, user=getpass.getuser())


def _only(found: "Imported", names: list[str]) -> "Imported":
    """What was asked for. Raises `NotFound`, and `ConfigError` where something of it is broken."""
    from portward.errors import ConfigError, NotFound
    from portward.tunnels.profiles.exchange import Imported

    known = {profile.name for profile in found.profiles} | {broken.tunnel for broken in found.broken}
    for name in names:
        if name not in known:
            raise NotFound("tunnel", name, way_out=f"there are: {', '.join(sorted(known))}")
    wanted = set(names) or known
    if broken := [broken.mistake for broken in found.broken if broken.tunnel in wanted]:
        raise ConfigError(tuple(broken))
    return Imported(
        tuple(profile for profile in found.profiles if profile.name in wanted),
        tuple(note for note in found.notes if not names or note.tunnel in wanted),
    )


def _save(
    found: "Imported", file: Path | None, *, replace: bool, rename: bool, dry_run: bool
) -> list[tuple[str, "Profile"]]:
    """The tunnels with the name that each had, and as they are, or would be, saved."""
    from portward.tunnels.profiles import saved
    from portward.tunnels.profiles.merging import merge

    path = file or saved.default_file()
    kept: list[Profile] = []

    def edit(text: str) -> str:
        kept.extend(merge(saved.parse(text, path), found.profiles, replace=replace, rename=rename))
        for profile in kept:
            text = saved.put(text, profile)
        return text

    if dry_run or not found.profiles:
        edit(saved.text_of(path))
    else:
        saved.change(path, edit)
    return list(zip((profile.name for profile in found.profiles), kept, strict=True))


def _tell(kept: list[tuple[str, "Profile"]], found: "Imported", *, dry_run: bool, json: bool) -> None:
    from portward.tunnels.profiles.table import to_table

    if json:
        tunnels = [{"name": profile.name, "was": was, **to_table(profile)} for was, profile in kept]
        notes = [{"tunnel": note.tunnel, "text": note.text} for note in found.notes]
        print_json({"imported": tunnels, "notes": notes, "saved": bool(kept) and not dry_run})
        return
    for was, profile in kept:
        what = f"{was} as {profile.name}" if was != profile.name else was
        print(f"{'would import' if dry_run else 'imported'} {printable(what)}")
    if not kept:
        print("nothing was imported")
    for note in found.notes:
        print(f"note: {printable(str(note))}", file=sys.stderr)


def _import_key(source: Path, output: Path | None, descriptor: int | None, *, dry_run: bool, json: bool) -> None:
    from portward.errors import Conflict
    from portward.host.files import create
    from portward.tunnels.profiles import ppk

    if output is None and source.suffix.lower() != ".ppk":
        output = source.with_name(f"{source.name}.openssh")
    target = output or source.with_suffix("")
    key = ppk.read(_bytes_of(source), str(source))
    passphrase = _passphrase(source, descriptor) if key.encrypted else b""
    private, public = ppk.to_openssh(key, passphrase, str(source)), ppk.public_line(key)
    public_file = target.with_name(f"{target.name}.pub")
    if not dry_run:
        if public_file.exists() or not create(target, private):
            raise Conflict(f"{target} or {public_file} is there already", way_out="choose another one with --output")
        create(public_file, public.encode(), mode=0o644)
    if json:
        print_json({"key": str(target), "public": public.strip(), "saved": not dry_run})
        return
    sealed = "under the same passphrase" if key.encrypted else "without a passphrase, as the old one"
    print(f"{'would write' if dry_run else 'wrote'} {target} ({key.algorithm}, {sealed}) and {public_file}")


def _passphrase(source: Path, descriptor: int | None) -> bytes:
    from portward.errors import Invalid

    if descriptor is not None:
        try:
            with os.fdopen(descriptor, "rb") as given:
                return given.readline(4096).rstrip(b"\r\n")
        except OSError as error:
            raise Invalid(f"file descriptor {descriptor} can't be read: {error.strerror}") from None
    if not sys.stdin.isatty():
        raise Invalid(
            f"{source} has a passphrase, and there is no terminal to ask at",
            way_out="give it with --passphrase-fd 3 3<FILE",
        )
    answer: str = typer.prompt(f"Passphrase of {source}", hide_input=True)
    return answer.encode()


def _bytes_of(file: Path) -> bytes:
    from portward.errors import ConfigError, Mistake

    try:
        with file.open("rb") as source:
            return source.read(64 << 20)
    except OSError as error:
        raise ConfigError((Mistake(str(file), 0, "", f"can't be read: {error.strerror}"),)) from None


def _write(exported: "Exported", output: Path | None) -> Path | None:
    from portward.errors import Conflict, Environment
    from portward.host.files import create

    if not output:
        return None
    try:
        made = create(output, exported.text.encode(exported.encoding))
    except OSError as error:
        raise Environment(f"{output} can't be written: {error.strerror}") from None
    if not made:
        raise Conflict(f"{output} is there already", way_out="choose another file, or a directory")
    return output


def _show(exported: "Exported") -> None:
    """To a person as text, to a file or a program in the encoding that the format has."""
    if sys.stdout.isatty():
        sys.stdout.write(exported.text.replace("\r\n", "\n"))
    else:
        sys.stdout.buffer.write(exported.text.encode(exported.encoding))
        sys.stdout.buffer.flush()
