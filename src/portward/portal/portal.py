"""What the portal's pages work with, wired by the keeper.

portal = Portal(identity, store, lambda: settings, record, clock, control, devices, root, release, mailer)
portal.hosts                       # {'hello.example.com', …}: where a login may lead
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from portward.config import Settings
from portward.defense.release import Release
from portward.host.mail import Mailer
from portward.identity.devices import Devices
from portward.identity.gatekeeper import Record
from portward.identity.identity import Identity
from portward.store import Store
from portward.tunnels.control import Control


@dataclass(frozen=True, slots=True)
class Portal:
    """`settings` is asked at each request, so that a saved portward.toml takes effect at once."""

    identity: Identity
    store: Store
    settings: Callable[[], Settings]
    record: Record
    clock: Callable[[], datetime]
    control: Control
    devices: Devices
    root: bytes
    """The local authority's root certificate, in PEM."""
    release: Release
    mailer: Mailer

    @property
    def hosts(self) -> frozenset[str]:
        """Every host with a service on it."""
        return frozenset(route.host for route in self.settings().routes)

    @property
    def host(self) -> str:
        """The host of the login itself."""
        return self.settings().portal_host
