"""The table [defence]: who is shut out before anything else is looked at, and who never is.

Defence.model_validate({"allow": ["192.0.2.0/24"]})
"""

from typing import Literal

from pydantic import Field

from portward.config.blocklists import BlockLists
from portward.config.countries import Countries
from portward.config.detectors import Detectors
from portward.config.logpatterns import Pattern
from portward.config.logs import LogSettings
from portward.config.section import Section
from portward.config.values import Flag, ListFile, Network, ServiceName

Way = Literal["passkey", "mail"]
"""How somebody who was banned by mistake gets free."""


class Defence(Section):
    """Address lists of gate 2. `allow` is looked at first."""

    allow: tuple[Network, ...] = ()
    """Networks that no list and no limit of gate 2 shuts out. They still have to log in."""
    deny: tuple[Network, ...] = ()
    """Networks whose connections are dropped before TLS."""
    deny_files: tuple[ListFile, ...] = ()
    """Files with more of them, one a line; HAProxy reads them, so they may be long."""
    answer: Literal["silence", "page"] = "silence"
    """What a banned source gets from the edge: nothing at all, or a page with the reason and the end of its ban."""
    kernel: Flag = True
    """Whether the kernel drops all packets of banned sources too, where Portward may change its packet filter."""
    protect_private: Flag = True
    """Whether addresses of private networks can't be banned, such as those of a LAN or of a VPN."""
    release: tuple[Way, ...] = ()
    """With what somebody gets free whom a detector banned by mistake: `passkey`, `mail`. Empty: with nothing."""
    probe_paths: ListFile | None = None
    """A file with a path on each line, in place of the list of scanners' paths that ships with Portward."""
    detectors: Detectors = Field(default_factory=Detectors)
    """How many signs of each kind get a source banned, and for how long."""
    host_logs: Flag = True
    """Whether logins at this machine's own SSH server and sudo are judged, where their log may be read."""
    logs: tuple[LogSettings, ...] = ()
    """Other logs of this machine that are judged."""
    patterns: dict[ServiceName, Pattern] = Field(default={})
    """Patterns of your own, by name."""
    lists: BlockLists = ()
    """Block lists that somebody else keeps, and that are taken over again and again."""
    countries: Countries | None = None
    """From which countries, and networks (AS), one may come at all."""
