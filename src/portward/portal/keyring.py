"""What home shows of somebody's SSH keys and tunnels, and what a key may do that is added there.

section = await Keyring(portal).section(ann)         # None where nothing comes in by SSH
granted(ann, form)                                   # Rights(publish=('ann-*',))
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from portward.identity.rights import Rights, own_names
from portward.model import Account, Key, Role
from portward.portal.portal import Portal
from portward.portal.tunnels import Tunnels
from portward.portal.wording import date, moment

_LONGEST = 2048


@dataclass(frozen=True, slots=True)
class KeyLine:
    """A key as home shows it."""

    name: str
    fingerprint: str
    rights: str
    since_text: str
    ended: bool


@dataclass(frozen=True, slots=True)
class KeySection:
    """What home shows of keys and tunnels. `widens` says that the account may choose what its keys publish."""

    lines: Sequence[KeyLine]
    tunnels: Tunnels
    publish: str
    widens: bool


def line(key: Key, now: datetime) -> KeyLine:
    ended = key.expires_at is not None and key.expires_at <= now
    since = date(key.created_at) if key.created_at else ""
    return KeyLine(key.name, key.fingerprint, _allowed(key), since, ended)


def _allowed(key: Key) -> str:
    words = [f"may publish {', '.join(key.publish)}" if key.publish else "may publish nothing"]
    words += [f"may reach {', '.join(key.reach)}"] if key.reach else []
    words += [f"from {', '.join(key.sources)}"] if key.sources else []
    words += [f"until {moment(key.expires_at)}"] if key.expires_at else []
    return "; ".join(words)


def granted(account: Account, form: Mapping[str, str]) -> Rights:
    """What a key may do that is added on the portal: an owner may say so, a member's has the member's own names."""
    if account.role is Role.OWNER and "publish" in form:
        return Rights(publish=tuple(form["publish"][:_LONGEST].replace(",", " ").split()))
    return Rights(publish=own_names(account.name))


class Keyring:
    """Finds what home shows of keys."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def wanted(self) -> bool:
        """Whether keys are of use here: the SSH server runs, or is meant to."""
        return self._portal.settings().asks_for_tunnels or bool(await self._portal.identity.keys.list())

    async def section(self, account: Account) -> KeySection | None:
        """None where nothing comes in by SSH."""
        if not await self.wanted():
            return None
        now, keys = self._portal.clock(), await self._portal.identity.keys.list(account.name)
        return KeySection(
            lines=[line(key, now) for key in keys],
            tunnels=await Tunnels.of(self._portal, account.name),
            publish=" ".join(own_names(account.name)),
            widens=account.role is Role.OWNER,
        )
