"""Keeps tunnels up in the foreground: asks what has to be asked, then shows how they are doing until Ctrl-C.

doors = prepare([profile], accepted=[])
end(follow(Keeping("tunnel", [Wanted(profile, doors[profile.name])]), display(json=False)))
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from portward.cli.live import Display
    from portward.errors import PortwardError
    from portward.tunnels.client.keeping import Keeping
    from portward.tunnels.client.link import Door
    from portward.tunnels.client.trust import UnknownHostKey
    from portward.tunnels.profiles.profile import Profile


def follow(
    keeping: "Keeping", shown: "Display", around: AbstractAsyncContextManager[None] | None = None
) -> "list[PortwardError]":
    """Until all tunnels have ended; `around` lasts as long. Returns what ended those that failed."""

    async def run() -> "list[PortwardError]":
        async with around or nullcontext():
            return await shown.follow(keeping)

    return asyncio.run(run())


def end(failures: "Sequence[PortwardError]") -> None:
    """Say what failed, and end with the exit code of the first."""
    for error in failures:
        print(f"portward: {error}", file=sys.stderr)
    if failures:
        raise typer.Exit(failures[0].exit_code)


def prepare(profiles: Sequence["Profile"], accepted: Sequence[str]) -> "dict[str, Door]":
    """Load keys, and meet hosts that are not known yet. Raises what stands in the way."""
    from portward.tunnels.client.credentials import credentials
    from portward.tunnels.client.introduction import introduce
    from portward.tunnels.client.knownhosts import KnownHosts
    from portward.tunnels.client.link import Door
    from portward.tunnels.client.paths import own_known_hosts

    hosts = KnownHosts(own_known_hosts())
    passphrases = _Passphrases()
    doors = {profile.name: Door(hosts, credentials(profile, passphrases)) for profile in profiles}
    for profile in profiles:
        asyncio.run(introduce(profile, doors[profile.name], lambda error: decide(error, accepted)))
    return doors


def decide(error: "UnknownHostKey", accepted: Sequence[str]) -> bool:
    """Whether a host key that nothing is known of is the right one: as the options say, or the user at the terminal."""
    if error.fingerprint in accepted:
        return True
    if accepted or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{error.message}\nCompare it with what whoever runs that server tells you.", file=sys.stderr)
    return typer.confirm("Is it this one? It is remembered then, and no other is accepted.", err=True)


class _Passphrases:
    """Asks once for each file, at the terminal; silent where there is none."""

    def __init__(self) -> None:
        self._said: dict[Path, str] = {}

    def __call__(self, file: Path) -> str:
        if file not in self._said:
            self._said[file] = self._ask(file)
        return self._said[file]

    def _ask(self, file: Path) -> str:
        from getpass import getpass

        return getpass(f"passphrase of {file}, or nothing to ask the agent: ") if sys.stdin.isatty() else ""
