"""What a person sees of their tunnels: those that stand, and how to bring the first one up.

tunnels = await Tunnels.of(portal, "ann")
tunnels.lines[0].url                       # 'https://blog.example.com'
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from portward.config import Settings
from portward.errors import NotRunning
from portward.model import own_prefix
from portward.portal.portal import Portal
from portward.portal.wording import ago, moment
from portward.tunnels.control import Live

_PATIENCE = 1.5
_STATES = {"up": "Answers", "failing": "Does not answer", "unknown": "Just opened"}


@dataclass(frozen=True, slots=True)
class TunnelLine:
    """A live tunnel as home shows it. `link` is empty where a browser can't open it."""

    service: str
    url: str
    link: str
    key: str
    address: str
    since: datetime
    since_text: str
    state: str
    well: bool


@dataclass(frozen=True, slots=True)
class Tunnels:
    """`lines` is None while the SSH server does not answer."""

    lines: Sequence[TunnelLine] | None
    command: str

    @classmethod
    async def of(cls, portal: Portal, account: str) -> "Tunnels":
        """The tunnels of an account. Takes 1.5 s at most: home is not to wait for a server that hangs."""
        command = example(portal.settings(), account)
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await portal.control.live()
        except (NotRunning, TimeoutError):
            return cls(None, command)
        return cls(lines([live for live in found if live.account == account], portal.clock()), command)


def lines(found: Sequence[Live], now: datetime) -> list[TunnelLine]:
    return [_line(live, now) for live in found]


def example(settings: Settings, account: str) -> str:
    """A command that publishes a local port under a name that the account's keys may use."""
    port = settings.tunnel_policy.listen[0].port
    elsewhere = "" if port == 22 else f"-p {port} "
    return f"ssh {elsewhere}-R {own_prefix(account)}blog:80:localhost:3000 {settings.portal_host}"


def _line(live: Live, now: datetime) -> TunnelLine:
    return TunnelLine(
        service=live.service,
        url=live.url.removeprefix("https://"),
        link=live.url if live.url.startswith("https://") else "",
        key=live.key,
        address=live.address,
        since=live.since,
        since_text=f"{moment(live.since)} ({ago(now, live.since)})",
        state=_STATES[live.health],
        well=live.health != "failing",
    )
