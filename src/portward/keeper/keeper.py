"""The control plane, wired by hand: open, wire, run, close in reverse order.

await run(Path("portward.toml"), State(Path(".portward")))
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from portward.defense.geo.geography import Geography
from portward.defense.kernel import KernelBans
from portward.edge.bans import EdgeBans
from portward.edge.certificates import ShownCertificates
from portward.edge.challenges import Challenges
from portward.edge.devices import DeviceGuard, DeviceRegister
from portward.edge.engine import find_engine
from portward.edge.events import EventListener
from portward.edge.gate import Gate, Register
from portward.edge.listed import ListedNetworks
from portward.edge.patrol import Patrol
from portward.edge.publisher import Publisher
from portward.edge.render import map_file
from portward.edge.runtime import Runtime
from portward.edge.streams import Streams
from portward.edge.uploads import Uploads, policy_of
from portward.facts import Fact
from portward.host.mail import Mailer
from portward.host.memory import give_back, spend_little
from portward.host.nftables import Nftables
from portward.host.notify import notify, wait_for_delivery
from portward.host.paths import State
from portward.host.serving import serving
from portward.identity.devices import Devices
from portward.identity.enrolments import path_of
from portward.identity.identity import Identity
from portward.keeper.announcement import announcement, link_may_be_printed
from portward.keeper.chores import Chore, Chores, every, repeat
from portward.keeper.configuration import Configuration
from portward.keeper.countries import Countries, owners_sessions
from portward.keeper.defending import Defending
from portward.keeper.devices import DeviceChores, lists_of, trust_of
from portward.keeper.following import changes_of, follow_own_files
from portward.keeper.status import Status
from portward.keeper.tunnelling import Tunnelling
from portward.pki.acme.renewals import Renewals
from portward.pki.acme.round import Round
from portward.pki.authority import Authority
from portward.pki.certificates import Certificates
from portward.pki.enroller import Enroller
from portward.pki.own_files import OwnFiles
from portward.portal.admin import create_admin
from portward.portal.admin_certificates import CertificatesApi
from portward.portal.admin_geo import GeoApi
from portward.portal.admin_mail import MailApi
from portward.portal.app import create_app
from portward.portal.demo import create_demo
from portward.portal.portal import Portal
from portward.store import Store, migrate
from portward.tunnels.bans import SshBans
from portward.tunnels.control import Control
from portward.watch.journal import Journal


def clock() -> datetime:
    return datetime.now(UTC)


async def run(config: Path, state: State) -> None:
    """Run until SIGTERM or SIGINT. Raises `PortwardError` when it can't start."""
    spend_little()
    stop = _stop_at_signals()
    state.prepare()
    engine = find_engine()
    async with AsyncExitStack() as stack:
        await migrate(state.database)
        store = await stack.enter_async_context(Store.open(state.database))
        notify(STATUS="the store is open")
        authority = Authority.open(state.authority, clock())
        notify(STATUS="the certificate authority is ready")
        journal = Journal(store)
        runtime = Runtime(state.edge_socket, state.master_socket)
        shown = ShownCertificates(runtime, state)
        publisher = Publisher(state, engine, runtime, shown)
        guard, enroller = DeviceGuard(state, runtime, publisher), Enroller(state.devices, clock)
        gate = Gate(state, runtime, publisher, guard)
        certificates = Certificates(state.certificates, authority, shown, journal.record, clock)
        control = Control(state.tunnels_socket)
        tunnelling = Tunnelling(state, store, control, clock)
        await tunnelling.load()
        own_files, trust = OwnFiles(certificates, journal.record, clock), partial(trust_of, enroller=enroller)
        at_edge = EdgeBans(state, runtime, publisher, lambda: configuration.settings.defence.allow)
        enforcers, walls = (at_edge, SshBans(control, lambda: tunnelling.wanted)), [ListedNetworks(runtime, publisher)]
        defending = Defending(
            state,
            store,
            KernelBans(Nftables()),
            enforcers,
            walls,
            lambda: configuration.settings,
            lambda: configuration.hosts,
            lambda: tunnelling.wanted,
            journal,
            clock,
        )
        countries = Countries(
            Geography(state.geo),
            lambda: owners_sessions(identity, store),
            defending.kernel_walls.refuse_abroad,
            journal.record,
            clock,
        )
        configuration = Configuration(
            *(config, state, engine, publisher, gate, certificates, own_files),
            *(trust, tunnelling, countries, defending.follow, journal.record, clock),
        )
        journal.listen(countries.hear)
        settings = configuration.settings
        identity = Identity(
            store,
            state.secret,
            lambda: configuration.settings,
            gate,
            journal.record,
            clock,
            keys_changed=tunnelling.tell,
        )
        devices = Devices(store, enroller, guard, lambda: configuration.settings, journal.record, clock)
        guard.register(
            DeviceRegister(
                trusted=lambda: store.devices.trusted(clock()),
                lists=lambda: lists_of(configuration.settings, devices),
            )
        )
        await defending.load(file.stem for file in state.certificates.glob("*.pem"))
        uploads = Uploads(runtime, map_file(state, "streams"), lambda: policy_of(configuration.settings))
        listener = EventListener(
            *(state.events_socket, defending.guard.hear, _hear(journal, tunnelling)),
            lambda: configuration.hosts,
            uploads.reason,
        )
        await stack.enter_async_context(listener)
        root = authority.root_file.read_bytes()
        mailer = Mailer(lambda: configuration.settings.mail)
        portal = Portal(
            *(identity, store, lambda: configuration.settings, journal.record, clock, control, devices, root),
            *(defending.release, mailer),
        )
        challenges = Challenges(state, runtime, publisher, configuration.pass_alpn)
        round_ = Round(challenges)
        renewals = Renewals(
            state, lambda: configuration.settings, certificates, store.standings, round_, journal.record, clock
        )
        certificates_api = CertificatesApi(certificates, renewals, clock)
        mail = MailApi(mailer)
        geo = GeoApi(countries, lambda: configuration.settings, configuration.republish)
        streams = Streams(runtime, map_file(state, "streams"))
        chores = Chores(identity, configuration, Patrol(runtime), streams, journal, renewals, clock)
        of_devices = DeviceChores(devices, guard, Patrol(runtime), lambda: configuration.settings)
        of_uploads = Chore("looking at uploads", lambda: uploads.pause, uploads.look)
        of_tunnels = Chore("following tunnels", every(15), tunnelling.reconcile)
        of_proxies = Chore("forgetting closed streams of proxies", every(30), at_edge.forget_closed)
        status = Status(
            config, state, engine, publisher, configuration, own_files, store, chores, of_devices, tunnelling, defending
        )
        await stack.enter_async_context(serving(create_demo(), state.demo_socket))
        await stack.enter_async_context(serving(create_app(portal), state.portal_socket))
        stack.push_async_callback(defending.end)
        await defending.begin()
        await gate.load(Register(store.accounts.list, identity.sessions.edge_sessions), settings.routes)
        if not await _unless_stopped(configuration.start(), stop):
            return
        listener.begin()
        await identity.sessions.enforce(configuration.settings.routes)
        notify(STATUS=f"the edge is up: {engine.name}")
        more = (*certificates_api.routes(), *mail.routes(), *defending.routes(), *geo.routes())
        admin = create_admin(portal, journal, status, configuration, tunnelling, more)
        await stack.enter_async_context(serving(admin, state.admin_socket))
        give_back()
        notify(READY=1)
        await asyncio.to_thread(wait_for_delivery)
        await _announce(portal, store)
        work = [*chores.all(), *of_devices.all(), *defending.chores(), of_uploads, of_tunnels, of_proxies]
        await _work(work, configuration, countries, own_files, tunnelling, defending, stop)
        notify(STOPPING=1)


async def _unless_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do it, or give it up when asked to stop: no edge will come up any more then. Returns whether it was done."""
    doing, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if doing.done():
        doing.result()
        return True
    doing.cancel()
    await asyncio.wait({doing})
    return False


async def _announce(portal: Portal, store: Store) -> None:
    """Say where everything is, at the first start only; a restart after a crash keeps quiet."""
    if os.environ.get("PORTWARD_ANNOUNCE") != "1":
        return
    settings = portal.settings()
    link = None
    if not await store.accounts.owners() and link_may_be_printed():
        link = settings.url(settings.portal_host, path_of(await portal.identity.enrolments.owner_link()))
    sys.stdout.write(announcement(settings, link=link) + "\n")
    sys.stdout.flush()


def _hear(journal: Journal, tunnelling: Tunnelling) -> Callable[[Sequence[Fact]], Awaitable[None]]:
    async def hear(facts: Sequence[Fact]) -> None:
        await journal.keep(facts)
        await tunnelling.hear(facts)

    return hear


async def _work(
    chores: Sequence[Chore],
    configuration: Configuration,
    countries: Countries,
    own_files: OwnFiles,
    tunnelling: Tunnelling,
    defending: Defending,
    stop: asyncio.Event,
) -> None:
    tasks = [repeat(chore) for chore in chores]
    tasks += [_follow_file(configuration, stop), follow_own_files(own_files), _reload_at_hangup(configuration)]
    tasks += [tunnelling.run(configuration.republish), defending.run(), countries.run(configuration.follow_owners)]
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(task) for task in tasks]
        await stop.wait()
        for task in running:
            task.cancel()


async def _follow_file(configuration: Configuration, stop: asyncio.Event) -> None:
    """Saving the file applies it."""
    async for _ in changes_of(configuration.path, stop):
        await configuration.follow()


async def _reload_at_hangup(configuration: Configuration) -> None:
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    while True:
        await hangup.wait()
        hangup.clear()
        await configuration.reload()


def _stop_at_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def paths_of(arguments: Sequence[str]) -> tuple[Path, State]:
    """`--config FILE --state DIR`, as the supervisor gives them."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    return Path(options["--config"]), State(Path(options["--state"]))
