"""Devices as home shows them: what each holds, until when, and what can be done about it.

device_lines(await devices.list("ann"), now, remind)[0].detail       # 'until 20 Nov 2027 · last used 3 min ago'
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from portward.identity.devices import needs_renewal
from portward.model import Device
from portward.portal.wording import ago, date


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """`collect`: its file can be taken; `fetch`: its certificate can be; `renew`: it should be renewed."""

    id: str
    name: str
    tag: str
    detail: str
    collect: bool
    fetch: bool
    renew: bool


def device_lines(devices: Sequence[Device], now: datetime, remind: timedelta) -> list[DeviceLine]:
    """What is neither revoked nor long over, the newest certificate of a name first."""
    return [_line(device, devices, now, remind) for device in devices if _is_shown(device, now)]


def _is_shown(device: Device, now: datetime) -> bool:
    return device.state != "revoked" and (device.expires_at is None or device.expires_at > now - timedelta(days=30))


def _line(device: Device, devices: Sequence[Device], now: datetime, remind: timedelta) -> DeviceLine:
    ends_soon = needs_renewal(device, devices, now, remind)
    expired = device.expires_at is not None and device.expires_at <= now
    return DeviceLine(
        id=device.id,
        name=device.name,
        tag="Expired" if expired else "Ends soon" if ends_soon else _TAGS.get(device.state, ""),
        detail=_detail(device, now),
        collect=device.state == "approved",
        fetch=device.state == "active" and device.own_key and not expired,
        renew=ends_soon,
    )


_TAGS = {"requested": "Waits for approval", "approved": "Ready"}


def _detail(device: Device, now: datetime) -> str:
    if device.expires_at is None:
        return f"asked for {ago(now, device.requested_at)}"
    used = f" · last used {ago(now, device.used_at)}" if device.used_at else ""
    return f"until {date(device.expires_at)}{used}"
