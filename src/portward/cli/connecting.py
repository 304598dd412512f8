"""How `portward connect` comes in to its gateway and stays: key, first meeting, folders, what the gateway says.

keep_open(gate, parse_all(["blog=1313"]), key_of(gate), accepted=[], retries=None, qr=False, json=False)
"""

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from portward.cli.live import Display
    from portward.tunnels.client.gate import Gate
    from portward.tunnels.client.link import Door
    from portward.tunnels.client.targets import Target
    from portward.tunnels.profiles.profile import Endpoint, Profile

KIND = "connect"


def key_of(gate: "Gate") -> Path:
    """The key to come in by. A new one is shown, with how to have it let in."""
    from portward.tunnels.client.ownkey import own_key, place

    if gate.key:
        return Path(gate.key)
    is_new = not place().exists()
    file = own_key()
    if is_new:
        print(f"made a key for this machine: {file}", file=sys.stderr)
        _print_how_to_let_in(gate, file)
        if sys.stdin.isatty():
            typer.prompt("Press Enter when that is done, or now, to be shown a link", default="", show_default=False)
    return file


def _print_how_to_let_in(gate: "Gate", key: Path) -> None:
    import socket

    from portward.tunnels.client.ownkey import public_line

    print(
        f"""
  {public_line(key)}

{gate.title} has to let this key in, by one of these:
  - paste the line above at the gateway's portal, on your page there
  - at the gateway: echo '…' | portward key add {socket.gethostname()} - --account ACCOUNT
  - open the link that is shown next, where the gateway lets people approve keys
""",
        file=sys.stderr,
    )


def _profile(gate: "Gate", targets: "tuple[Target, ...]", key: Path) -> "Profile":
    from portward.tunnels.profiles.profile import Forward, Profile, Tcp

    first, *others = (target.title for target in targets)
    return Profile(
        f"{first} and {len(others)} more" if len(others) > 1 else ", ".join((first, *others)),
        host=gate.server.host,
        port=gate.server.port,
        user=gate.server.user,
        key_file=str(key),
        remote=tuple(Forward(Tcp(target.name, 0), _end(target)) for target in targets),
    )


def _end(target: "Target") -> "Endpoint":
    """A folder is reached by the socket at which we serve it."""
    from portward.tunnels.client.targets import Folder
    from portward.tunnels.profiles.profile import Unix

    return Unix(str(_socket(target))) if isinstance(target.to, Folder) else target.to


def _socket(target: "Target") -> Path:
    import os
    from hashlib import sha256

    from portward.tunnels.client import paths

    return paths.sockets() / f"folder-{os.getpid()}-{sha256(target.title.encode()).hexdigest()[:8]}.sock"


@asynccontextmanager
async def _folders(targets: "tuple[Target, ...]") -> AsyncIterator[None]:
    """The web servers of what is a folder; nothing is loaded for anything else."""
    from portward.tunnels.client.targets import Folder

    async with AsyncExitStack() as stack:
        for target in targets:
            if isinstance(target.to, Folder):
                from portward.tunnels.client.folder import serving_folder

                await stack.enter_async_context(serving_folder(target.to.path, _socket(target)))
        yield


def meet(gate: "Gate", targets: "tuple[Target, ...]", key: Path, accepted: list[str]) -> "dict[str, Door]":
    """See that the gateway is the right one, and lets us in. The first such one is remembered."""
    from portward.cli.keeping import prepare
    from portward.errors import NotAdmitted
    from portward.tunnels.client.gate import default_file, read, save
    from portward.tunnels.client.introduction import is_known

    try:
        doors = prepare([_profile(gate, targets, key)], accepted)
    except NotAdmitted:
        _print_how_to_let_in(gate, key)
        raise
    if not read(default_file()) and all(is_known(gate.server, door.hosts) for door in doors.values()):
        save(default_file(), gate)
        print(f"the gateway is remembered in {default_file()}", file=sys.stderr)
    return doors


def keep_open(
    gate: "Gate",
    targets: "tuple[Target, ...]",
    key: Path,
    *,
    accepted: list[str],
    retries: int | None,
    qr: bool,
    json: bool,
) -> None:
    from portward.cli.keeping import end, follow
    from portward.cli.live import display
    from portward.errors import NotAdmitted
    from portward.tunnels.client.keeping import Keeping, Wanted

    profile = _profile(gate, targets, key)
    shown = display(json=json)
    (door,) = meet(gate, targets, key, accepted).values()
    say = _saying(shown, qr=qr)
    wanted = Wanted(profile, replace(door, say=say), tuple(f"{target.title}@{gate.title}" for target in targets))
    failures = follow(Keeping(KIND, [wanted], tell=shown.tell, hear=say, retries=retries), shown, _folders(targets))
    if any(isinstance(error, NotAdmitted) for error in failures):
        _print_how_to_let_in(gate, key)
    end(failures)


def _saying(shown: "Display", *, qr: bool) -> Callable[[str], None]:
    """Prints what the gateway says, each thing once: after a reconnect it says the same again."""
    from portward.tunnels.client.announcement import address

    said: set[str] = set()

    def say(text: str) -> None:
        if text in said:
            return
        said.add(text)
        shown.say(text)
        found = address(text)
        if qr and found.startswith("https://"):
            shown.say(_qr_code(found))

    return say


def _qr_code(text: str) -> str:
    import io

    import segno

    drawn = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue()
