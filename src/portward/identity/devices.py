"""Devices: asked for by an account, approved by an owner where that is wanted, issued, renewed, revoked.

    device = await devices.request("ann", "phone", csr=csr, by="ann")        # issued at once, or it waits
    package = await devices.collect(device.id, "p12", by="ann")              # the gateway's key for it, given away once
    await devices.revoke(device.id, by="ann")                                # in force at the edge when it returns

A device is what bears a name: a renewal is another certificate of the same name, and revoking takes all of them.
Whoever calls these has made sure that the visitor may: enrolling asks for a fresh second factor of those who have one.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from portward.config import Settings
from portward.errors import Conflict, Invalid, NotFound
from portward.facts import DeviceChanged, DeviceExpiring
from portward.identity import names
from portward.identity.gatekeeper import Record
from portward.identity.opaque import new_id
from portward.model import Account, Device, Package, PackageForm, Role
from portward.store import Store
from portward.store.devices import Issued, Revoked

MOST = 50
"""Live devices and open requests of one account."""
REQUEST_LIVES = timedelta(days=30)
RECORD_LIVES = timedelta(days=90)
"""How long an expired certificate is still listed."""
STAGES = (7, 1, 0)
"""Days before the end at which one is reminded again, after the first time that the settings name."""
LIST_PATH = "/devices.crl"
_WHICH = "`portward device list` names those that exist"


class Signer(Protocol):
    """Whoever holds the authority for devices. Raises `Invalid` for bad requests, `Environment` when it can't sign."""

    def check(self, csr: str) -> None: ...

    def sign(self, csr: str, device: str, account: str, until: datetime, list_url: str) -> Issued: ...

    def make(
        self, form: PackageForm, device: str, account: str, until: datetime, list_url: str, domain: str
    ) -> tuple[Issued, Package]: ...

    def revocation_list(self, revoked: Sequence[Revoked]) -> bytes: ...


class Guard(Protocol):
    """Whoever lets devices in."""

    async def follow(self) -> None:
        """Let in what the store trusts now and nothing else, and cut what others hold open.

        Raises `EdgeError` when the edge could not be told.
        """


class NullGuard:
    """There is no edge to tell."""

    async def follow(self) -> None:
        """Nobody to tell."""


def waits(account: Account, *, approval: bool) -> bool:
    """Whether an owner must approve what this account enrols by itself."""
    return approval and account.role is not Role.OWNER


def stage(left: timedelta, remind: timedelta) -> int | None:
    """Which reminder is due with so much time left: the days that it names; None when there is time yet."""
    days = max(0, left // timedelta(days=1) + 1) if left > timedelta(0) else 0
    due = [step for step in (remind // timedelta(days=1), *STAGES) if days <= step]
    return min(due) if due else None


def needs_renewal(device: Device, others: Sequence[Device], now: datetime, remind: timedelta) -> bool:
    """Whether a trusted device ends soon, and no newer certificate of its name exists."""
    if device.state != "active" or device.expires_at is None or device.expires_at - now > remind:
        return False
    return not any(
        other.account == device.account
        and other.name == device.name
        and other.state == "active"
        and other.expires_at is not None
        and other.expires_at > device.expires_at
        for other in others
    )


class Devices:
    def __init__(
        self,
        store: Store,
        signer: Signer,
        guard: Guard,
        settings: Callable[[], Settings],
        record: Record,
        clock: Callable[[], datetime],
    ) -> None:
        self._store, self._signer, self._guard = store, signer, guard
        self._settings, self._record, self._clock = settings, record, clock
        self._list: tuple[Sequence[Revoked], datetime, bytes] | None = None

    async def list(self, account: str | None = None) -> Sequence[Device]:
        """By account and name, the newest first; revoked and expired ones too, for a while."""
        return await self._store.devices.list(account)

    async def get(self, wanted: str) -> Device:
        """Raises `NotFound`."""
        device = await self._store.devices.get(wanted)
        if device is None:
            raise NotFound("device", wanted, way_out=_WHICH)
        return device

    async def request(self, account: str, name: str, *, by: str, csr: str = "") -> Device:
        """Ask for a new device. With a `csr` it is issued at once, unless it has to wait for approval.

        What the operator asks for (`by` is not the account) waits for nobody. Raises `Invalid` for a bad name or
        request, `Conflict` for a name in use or too many devices, `NotFound` for an unknown account.
        """
        person, name = await self._person(account), _device_name(name)
        mine = await self._store.devices.list(account)
        if any(device.name == name and self._live(device) for device in mine):
            way_out = "choose another name, renew that one, or revoke it first"
            raise Conflict(f"{account} has a device named {name!r} already", way_out=way_out)
        if sum(self._live(device) for device in mine) >= MOST:
            raise Conflict(f"{account} has {MOST} devices already", way_out="revoke those that are out of use")
        waiting = by == account and waits(person, approval=self._settings().devices.approval)
        return await self._ask(account, name, csr, by, waiting=waiting, change="enrolled")

    async def renew(self, wanted: str, *, by: str, csr: str = "") -> Device:
        """Another certificate for a device, of the same name; the old one counts until its end.

        One that made its own key keeps it, unless another `csr` is given; a key that was approved waits for nobody.
        Raises as `request` does.
        """
        old = await self.get(wanted)
        if old.state != "active":
            raise Conflict(f"the device {old.name!r} holds no certificate that could be renewed", way_out=_WHICH)
        mine = await self._store.devices.list(old.account)
        if any(device.name == old.name and device.state in ("requested", "approved") for device in mine):
            raise Conflict(f"a renewal of {old.name!r} was asked for already", way_out="collect it, or refuse it first")
        person, same_key = await self._person(old.account), old.own_key and not csr
        waiting = by == old.account and not same_key and waits(person, approval=self._settings().devices.approval)
        return await self._ask(old.account, old.name, csr or old.csr, by, waiting=waiting, change="renewed")

    async def approve(self, wanted: str, *, by: str) -> Device:
        """Let a device have what it asked for: one that made its own key gets its certificate now."""
        device = await self.get(wanted)
        if not await self._store.devices.approve(wanted, self._clock()):
            raise Conflict(f"the device {device.name!r} does not wait for approval", way_out=_WHICH)
        await self._note(device, "approved", by)
        if device.own_key:
            return await self._issue(device, self._sign(device), by, "enrolled")
        return await self.get(wanted)

    async def refuse(self, wanted: str, *, by: str) -> None:
        """Forget what a device asked for. Raises `Conflict` for one that has its certificate."""
        device = await self.get(wanted)
        if not await self._store.devices.remove(wanted):
            raise Conflict(f"the device {device.name!r} is enrolled already", way_out="revoke it instead")
        await self._note(device, "refused", by)

    async def collect(self, wanted: str, form: PackageForm, *, by: str) -> Package:
        """Key and certificate of an approved device that could not make its own; this once, and never again."""
        device = await self.get(wanted)
        if device.state != "approved" or device.own_key:
            raise Conflict(f"there is nothing to collect for the device {device.name!r}", way_out=_WHICH)
        until, url, domain = self._until(), self._list_url(), self._settings().domain
        issued, package = self._signer.make(form, device.name, device.account, until, url, domain)
        await self._issue(device, issued, by, "enrolled")
        return package

    async def rename(self, wanted: str, name: str, *, by: str) -> Device:
        """Call a device something else; its certificate keeps the subject that it was issued with."""
        device, name = await self.get(wanted), _device_name(name)
        if any(self._live(other) for other in await self._store.devices.named(device.account, name)):
            raise Conflict(f"{device.account} has a device named {name!r} already", way_out="choose another name")
        if not await self._store.devices.rename(device.account, device.name, name):
            raise Conflict(f"the device {device.name!r} is revoked", way_out=_WHICH)
        await self._note(device, "renamed", by, detail=name)
        return await self.get(wanted)

    async def revoke(self, wanted: str, *, by: str) -> Sequence[Device]:
        """Refuse a device and all its renewals from now on, and cut what they hold open. Returns what was revoked.

        Raises `EdgeError` when the edge could not be told; the store has it all the same.
        """
        device = await self.get(wanted)
        gone = await self._store.devices.revoke(device.account, device.name, self._clock())
        try:
            await self._guard.follow()
        finally:
            if gone:
                await self._note(device, "revoked", by, detail=f"{len(gone)} certificates" if len(gone) > 1 else "")
        return gone

    async def revocation_list(self) -> bytes:
        """DER; made anew when something was revoked, and each day."""
        now = self._clock()
        revoked = await self._store.devices.revoked(now)
        known, made_at, content = self._list or ((), now, b"")
        if not content or known != revoked or now - made_at > timedelta(days=1):
            content = self._signer.revocation_list(revoked)
            self._list = (revoked, now, content)
        return content

    async def used(self, fingerprints: Sequence[str]) -> None:
        """These were seen at the edge just now."""
        await self._store.devices.used(fingerprints, self._clock())

    async def tidy(self) -> None:
        """Remind of what ends soon, and forget what is long over."""
        now, remind = self._clock(), self._settings().devices.remind
        devices = await self._store.devices.list()
        for device in devices:
            if device.expires_at is not None and needs_renewal(device, devices, now, remind):
                await self._remind(device, stage(device.expires_at - now, remind))
        await self._store.devices.forget(asked_before=now - REQUEST_LIVES, expired_before=now - RECORD_LIVES)

    async def _ask(self, account: str, name: str, csr: str, by: str, *, waiting: bool, change: str) -> Device:
        if csr:
            self._signer.check(csr)
        now = self._clock()
        approved_at = None if waiting else now
        device = Device(new_id(), account, name, now, own_key=bool(csr), csr=csr, approved_at=approved_at)
        await self._store.devices.add(device)
        if not csr or waiting:
            await self._note(device, "requested", by)
            return device
        return await self._issue(device, self._sign(device), by, change)

    async def _issue(self, device: Device, issued: Issued, by: str, change: str) -> Device:
        if not await self._store.devices.issue(device.id, issued):
            raise Conflict(f"the device {device.name!r} was enrolled or revoked meanwhile", way_out=_WHICH)
        try:
            await self._guard.follow()
        finally:
            await self._note(device, change, by, detail=issued.fingerprint)
        return await self.get(device.id)

    def _sign(self, device: Device) -> Issued:
        return self._signer.sign(device.csr, device.name, device.account, self._until(), self._list_url())

    async def _remind(self, device: Device, due: int | None) -> None:
        if due is None or (device.reminded is not None and device.reminded <= due):
            return
        await self._store.devices.remind(device.id, due)
        await self._record(
            DeviceExpiring(time=self._clock(), account=device.account, device=device.id, name=device.name, days=due)
        )

    async def _person(self, name: str) -> Account:
        account = await self._store.accounts.get(name)
        if account is None:
            raise NotFound("account", name, way_out="`portward account list` names those that exist")
        return account

    def _live(self, device: Device) -> bool:
        return device.state != "revoked" and (device.expires_at is None or device.expires_at > self._clock())

    def _until(self) -> datetime:
        return self._clock() + self._settings().devices.lifetime

    def _list_url(self) -> str:
        settings = self._settings()
        return settings.url(settings.portal_host, LIST_PATH)

    async def _note(self, device: Device, change: str, by: str, detail: str = "") -> None:
        await self._record(
            DeviceChanged(
                time=self._clock(),
                account=device.account,
                device=device.id,
                name=device.name,
                change=change,
                by=by,
                detail=detail,
            )
        )


def _device_name(text: str) -> str:
    name = names.display_name(text, "")
    if not name or len(name) > 40:
        raise Invalid("a device needs a name of 1 to 40 characters", way_out="call it phone, or work laptop")
    return name
