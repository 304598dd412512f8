"""Tunnels that come in, beside those that are there: which is saved under which name.

merge({"work"}, imported, replace=False, rename=True)      # [Profile("work 2", …)]
"""

from collections.abc import Collection, Iterable
from dataclasses import replace as replaced

from portward.errors import Conflict
from portward.tunnels.profiles.profile import Profile


def merge(names: Collection[str], incoming: Iterable[Profile], *, replace: bool, rename: bool) -> list[Profile]:
    """The tunnels to save. `replace` lets one that comes in stand for the old one of its name, `rename` beside it.

    Raises `Conflict` with every name that is taken, when neither is wished. Two that come in with one name are two
    tunnels, also with `replace`.
    """
    taken = set(names)
    seen: set[str] = set()
    kept: list[Profile] = []
    refused: list[str] = []
    for profile in incoming:
        if rename or (replace and profile.name in seen):
            profile = replaced(profile, name=_free(profile.name, taken | seen))
        elif profile.name in seen or (profile.name in taken and not replace):
            refused.append(profile.name)
        seen.add(profile.name)
        kept.append(profile)
    if refused:
        raise Conflict(
            f"there are tunnels of these names already: {', '.join(dict.fromkeys(refused))}",
            way_out="--replace puts the new ones in their place, --rename saves them beside",
        )
    return kept


def _free(name: str, taken: set[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name[:95].rstrip()} {number}"
    return free
