"""Devices: who may enrol, who must wait, what a revocation takes along, and who is reminded."""

from datetime import datetime, timedelta

import pytest
from tests.unit.identity.world import World, lived

from portward.errors import Conflict, EdgeError, Invalid, NotFound
from portward.facts import DeviceChanged, DeviceExpiring
from portward.identity.devices import MOST, Devices, needs_renewal, stage, waits
from portward.model import Account, Device, Package, PackageForm, Role
from portward.store.devices import Issued, Revoked

DAY = timedelta(days=1)


class Signer:
    """Signs everything but `bad`, and counts."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.signed = 0
        self.lists = 0

    def check(self, csr: str) -> None:
        if csr == "bad":
            raise Invalid("bad")

    def sign(self, csr: str, device: str, account: str, until: datetime, list_url: str) -> Issued:
        self.signed += 1
        assert list_url == "https://auth.example.com:8443/devices.crl"
        return Issued(f"{csr} signed", f"f{self.signed}", f"{self.signed:x}", self._world.now, until)

    def make(
        self, form: PackageForm, device: str, account: str, until: datetime, list_url: str, domain: str
    ) -> tuple[Issued, Package]:
        return self.sign(form, device, account, until, list_url), Package(b"content", f"{device}.p12", "x/y", "secret")

    def revocation_list(self, revoked: object) -> bytes:
        self.lists += 1
        assert isinstance(revoked, list)
        return " ".join(["list", *(one.serial for one in revoked if isinstance(one, Revoked))]).encode()


class Guard:
    """Counts how often it is told. With `away` it can't be."""

    def __init__(self) -> None:
        self.told = 0
        self.away = False

    async def follow(self) -> None:
        if self.away:
            raise EdgeError("the edge does not answer")
        self.told += 1


class Desk:
    def __init__(self, world: World) -> None:
        self.signer, self.guard = Signer(world), Guard()
        self.devices = Devices(
            world.store, self.signer, self.guard, lambda: world.settings, world.record, lambda: world.now
        )


async def opened(world: World, *, owner: bool = False, approval: bool = True) -> tuple[Desk, Devices]:
    """A desk for devices, and ann."""
    changed = world.settings.devices.model_copy(update={"approval": approval})
    world.settings = world.settings.model_copy(update={"devices": changed})
    await world.person("ann", role=Role.OWNER if owner else Role.MEMBER)
    desk = Desk(world)
    return desk, desk.devices


def changes(world: World) -> list[str]:
    return [fact.change for fact in world.facts if isinstance(fact, DeviceChanged)]


@pytest.mark.parametrize(
    ("role", "approval", "waiting"),
    [(Role.MEMBER, True, True), (Role.MEMBER, False, False), (Role.OWNER, True, False)],
)
def test_who_waits_for_approval(role: Role, *, approval: bool, waiting: bool) -> None:
    assert waits(Account("ann", role=role), approval=approval) is waiting


@pytest.mark.parametrize(
    ("left", "due"), [(31, None), (30.5, None), (29.5, 30), (7.5, 30), (6.9, 7), (1.5, 7), (0.9, 1), (-1, 0)]
)
def test_which_reminder_is_due(left: float, due: int | None) -> None:
    assert stage(timedelta(days=left), timedelta(days=30)) == due


@lived
async def test_a_request_of_a_member_waits_and_is_issued_when_it_is_approved(world: World) -> None:
    desk, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="ann")
    assert (device.state, desk.signer.signed) == ("requested", 0)
    assert (await devices.approve(device.id, by="cli")).state == "active"
    assert desk.guard.told == 1
    assert changes(world) == ["requested", "approved", "enrolled"]
    with pytest.raises(Conflict, match="does not wait"):
        await devices.approve(device.id, by="cli")


@lived
async def test_a_refused_request_is_forgotten_and_an_enrolled_device_is_not(world: World) -> None:
    _, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="ann")
    await devices.refuse(device.id, by="cli")
    assert await devices.list("ann") == []
    enrolled = await devices.request("ann", "phone", csr="csr", by="cli")
    with pytest.raises(Conflict, match="enrolled already"):
        await devices.refuse(enrolled.id, by="cli")


@lived
async def test_what_the_operator_asks_for_waits_for_nobody(world: World) -> None:
    _, devices = await opened(world)
    assert (await devices.request("ann", "phone", csr="csr", by="cli")).state == "active"


@lived
async def test_an_owner_waits_for_nobody(world: World) -> None:
    _, devices = await opened(world, owner=True)
    assert (await devices.request("ann", "phone", csr="csr", by="ann")).state == "active"


@lived
async def test_a_file_is_given_away_once(world: World) -> None:
    _, devices = await opened(world, approval=False)
    device = await devices.request("ann", "phone", by="ann")
    assert device.state == "approved"
    package = await devices.collect(device.id, "p12", by="ann")
    assert package.password == "secret"
    assert "secret" not in repr(world.facts)
    with pytest.raises(Conflict, match="nothing to collect"):
        await devices.collect(device.id, "p12", by="ann")


@lived
async def test_nothing_can_be_collected_before_its_approval(world: World) -> None:
    desk, devices = await opened(world)
    device = await devices.request("ann", "phone", by="ann")
    with pytest.raises(Conflict):
        await devices.collect(device.id, "p12", by="ann")
    assert desk.signer.signed == 0


@lived
async def test_a_name_belongs_to_one_device_until_that_is_revoked(world: World) -> None:
    _, devices = await opened(world, approval=False)
    first = await devices.request("ann", "phone", csr="csr", by="ann")
    with pytest.raises(Conflict, match="already"):
        await devices.request("ann", " phone ", csr="csr", by="ann")
    await world.person("bob")
    await devices.request("bob", "phone", csr="csr", by="bob")
    await devices.revoke(first.id, by="ann")
    await devices.request("ann", "phone", csr="csr", by="ann")


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\nb", "\u202egnp"])
def test_a_name_must_be_printable_and_short(name: str, tmp_path: object) -> None:
    @lived
    async def story(world: World) -> None:
        _, devices = await opened(world)
        with pytest.raises(Invalid):
            await devices.request("ann", name, csr="csr", by="ann")

    story(tmp_path)  # type: ignore[arg-type]


@lived
async def test_a_bad_request_leaves_nothing(world: World) -> None:
    _, devices = await opened(world, approval=False)
    with pytest.raises(Invalid):
        await devices.request("ann", "phone", csr="bad", by="ann")
    with pytest.raises(NotFound):
        await devices.request("nobody", "phone", csr="csr", by="cli")
    assert await devices.list() == []


@lived
async def test_an_account_has_so_many_devices_and_no_more(world: World) -> None:
    _, devices = await opened(world)
    for number in range(MOST):
        await devices.request("ann", f"phone {number}", csr="csr", by="ann")
    with pytest.raises(Conflict, match="devices already"):
        await devices.request("ann", "one more", csr="csr", by="ann")


@lived
async def test_a_renewal_with_the_same_key_waits_for_nobody_and_one_with_another_does(world: World) -> None:
    _, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="cli")
    assert (await devices.renew(device.id, by="ann")).state == "active"
    assert (await devices.renew(device.id, by="ann", csr="another")).state == "requested"
    with pytest.raises(Conflict, match="asked for already"):
        await devices.renew(device.id, by="ann", csr="another")


@lived
async def test_revoking_takes_every_certificate_of_the_name_and_what_was_asked_for(world: World) -> None:
    desk, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="cli")
    renewed = await devices.renew(device.id, by="ann")
    waiting = await devices.renew(device.id, by="ann", csr="another")
    other = await devices.request("ann", "laptop", csr="csr", by="cli")
    gone = await devices.revoke(renewed.id, by="ann")
    assert {one.id for one in gone} == {device.id, renewed.id, waiting.id}
    assert [one.id for one in await world.store.devices.trusted(world.now)] == [other.id]
    with pytest.raises(Conflict):
        await devices.approve(waiting.id, by="cli")
    assert await devices.revoke(device.id, by="ann") == []
    assert desk.guard.told >= 1


@lived
async def test_a_revocation_that_the_edge_did_not_hear_is_kept_recorded_and_told(world: World) -> None:
    desk, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="cli")
    desk.guard.away = True
    with pytest.raises(EdgeError):
        await devices.revoke(device.id, by="cli")
    assert (await devices.get(device.id)).state == "revoked"
    assert changes(world)[-1] == "revoked"


@lived
async def test_a_device_of_a_removed_account_is_revoked(world: World) -> None:
    _, devices = await opened(world)
    await devices.request("ann", "phone", csr="csr", by="cli")
    await world.identity.accounts.remove("ann", by="cli")
    [device] = await devices.list()
    assert device.state == "revoked"
    assert await devices.revocation_list() == b"list 1"


@lived
async def test_the_revocation_list_is_made_anew_when_it_changes_and_each_day(world: World) -> None:
    desk, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="cli")
    for _ in range(3):
        await devices.revocation_list()
    assert desk.signer.lists == 1
    await devices.revoke(device.id, by="cli")
    assert await devices.revocation_list() == b"list 1"
    world.later(hours=25)
    await devices.revocation_list()
    assert desk.signer.lists == 3


@lived
async def test_a_device_is_renamed_with_its_renewals(world: World) -> None:
    _, devices = await opened(world)
    device = await devices.request("ann", "phone", csr="csr", by="cli")
    await devices.renew(device.id, by="ann")
    await devices.request("ann", "laptop", csr="csr", by="cli")
    assert (await devices.rename(device.id, "old phone", by="ann")).name == "old phone"
    assert sorted(one.name for one in await devices.list("ann")) == ["laptop", "old phone", "old phone"]
    with pytest.raises(Conflict):
        await devices.rename(device.id, "laptop", by="ann")


@lived
async def test_people_are_reminded_once_at_each_stage_and_not_after_a_renewal(world: World) -> None:
    _, devices = await opened(world)
    first = await devices.request("ann", "phone", csr="csr", by="cli")

    async def reminders() -> list[int]:
        for _ in range(2):
            await devices.tidy()
        return [fact.days for fact in world.facts if isinstance(fact, DeviceExpiring)]

    world.later(days=330)
    assert await reminders() == []
    world.later(days=10)
    assert await reminders() == [30]
    world.later(days=20)
    assert await reminders() == [30, 7]
    renewed = await devices.renew(first.id, by="ann")
    world.later(days=5)
    assert await reminders() == [30, 7]
    await devices.revoke(renewed.id, by="ann")
    assert await reminders() == [30, 7]


@lived
async def test_what_is_long_over_is_forgotten(world: World) -> None:
    _, devices = await opened(world)
    await devices.request("ann", "phone", csr="csr", by="ann")
    await devices.request("ann", "laptop", csr="csr", by="cli")
    world.later(days=31)
    await devices.tidy()
    assert [device.name for device in await devices.list()] == ["laptop"]
    world.later(days=365 + 60)
    await devices.tidy()
    assert await devices.list() == []


def test_a_device_needs_renewal_when_it_ends_soon_and_nothing_newer_is_there() -> None:
    now = datetime.fromisoformat("2026-11-20T12:00:00+00:00")

    def phone(identity: str, days: float, **more: object) -> Device:
        return Device(identity, "ann", "phone", now, issued_at=now, expires_at=now + days * DAY, **more)  # type: ignore[arg-type]

    old, fresh, revoked = phone("1", 5), phone("2", 300), phone("3", 300, revoked_at=now)
    assert needs_renewal(old, [old, revoked], now, 30 * DAY)
    assert not needs_renewal(old, [old, fresh], now, 30 * DAY)
    assert not needs_renewal(fresh, [fresh], now, 30 * DAY)
    assert not needs_renewal(revoked, [revoked], now, 30 * DAY)
