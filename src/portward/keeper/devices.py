"""What devices need of the keeper: whose the edge believes, what is revoked, and what is done by the clock.

trust_of(settings, enroller)                    # Trust(authorities=…, issuer='Portward devices 1f2e3d4c')
await lists_of(settings, devices)               # revocation lists, ours first, PEM
"""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from portward.config import Settings
from portward.config.devices import certificates_in, lists_in
from portward.edge.devices import DeviceGuard
from portward.edge.patrol import Patrol
from portward.edge.trust import NOBODY, Trust, asking_hosts
from portward.errors import Invalid
from portward.identity.devices import Devices
from portward.keeper.chores import Chore, every
from portward.pki.enroller import Enroller

_SEEN_EVERY = 60.0


def trust_of(settings: Settings, enroller: Enroller) -> Trust:
    """Raises `Environment` for an authority of ours, `Invalid` for one of others that can't be used."""
    if not asking_hosts(settings.routes):
        return NOBODY
    ours, others = enroller.authority, settings.devices.authorities
    return Trust(
        authorities=ours.pem + b"".join(_content(name, certificates_in) for name in others),
        issuer=ours.title,
        others=bool(others),
        lists=not others or bool(settings.devices.crl_files),
    )


async def lists_of(settings: Settings, devices: Devices) -> bytes:
    """PEM. Raises as `trust_of`."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    ours = x509.load_der_x509_crl(await devices.revocation_list()).public_bytes(Encoding.PEM)
    return ours + b"".join(_content(name, lists_in) for name in settings.devices.crl_files)


class DeviceChores:
    def __init__(self, devices: Devices, guard: DeviceGuard, patrol: Patrol, settings: Callable[[], Settings]) -> None:
        self._devices, self._guard, self._patrol, self._settings = devices, guard, patrol, settings

    def all(self) -> list[Chore]:
        return [
            Chore("noticing devices in use", every(_SEEN_EVERY), self.notice),
            Chore("forgetting closed streams of devices", every(30), self._guard.forget_closed),
            Chore("reminding of devices that expire", every(600), self._devices.tidy),
        ]

    async def report(self) -> dict[str, int] | None:
        """How many are trusted and how many wait, and what was refused; None where no service asks for any."""
        if not asking_hosts(self._settings().routes):
            return None
        known = await self._devices.list()
        counts = Counter("waiting" if device.state == "requested" else device.state for device in known)
        refused = await self._patrol.refused_devices()
        return {"active": counts["active"], "waiting": counts["waiting"], **refused}

    async def notice(self) -> None:
        if asking_hosts(self._settings().routes):
            seen = await self._patrol.active_devices(within_seconds=2 * _SEEN_EVERY)
            await self._devices.used(sorted(seen))


def _content(name: str, check: Callable[[bytes], object]) -> bytes:
    try:
        content = Path(name).read_bytes()
        check(content)
    except (OSError, ValueError) as error:
        raise Invalid(f"{name}, which `devices` names, can't be used: {error}") from error
    return content.rstrip() + b"\n"
