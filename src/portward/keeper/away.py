"""The ledger of bans without a keeper, for the host's own command line: the same admin API, answered from the store.

async with without_keeper(state, settings) as app:
    ...                                     # GET /bans, DELETE /bans/203.0.113.7 and so on, for one command

A removed ban must not need a gateway that runs: whoever is locked out may have locked out the gateway as well.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.applications import Starlette

from portward.config import Settings
from portward.defense.kernel import KernelBans
from portward.edge.bans import EdgeBans
from portward.edge.certificates import ShownCertificates
from portward.edge.engine import find_engine
from portward.edge.publisher import Publisher
from portward.edge.runtime import Runtime
from portward.errors import PortwardError
from portward.host.nftables import Nftables
from portward.host.paths import State
from portward.keeper.defending import Defending
from portward.portal.admin import serve
from portward.store import Store
from portward.tunnels.bans import SshBans
from portward.tunnels.control import Control
from portward.watch.journal import Journal

log = logging.getLogger(__name__)


@asynccontextmanager
async def without_keeper(state: State, settings: Settings, *, changing: bool) -> AsyncIterator[Starlette]:
    """`changing` is whether bans will be made or lifted. Raises `StoreError` for a store that can't be used.

    A kernel that a killed keeper has left its table in, an SSH server and an edge that go on without it hear of that.
    """
    kernel, at_ssh = KernelBans(Nftables()), SshBans(Control(state.tunnels_socket), lambda: True)
    if changing:
        await kernel.adopt()
    async with Store.open(state.database) as store:
        journal, hosts = Journal(store), [route.host for route in settings.routes]
        asked = (lambda: settings, lambda: hosts, lambda: True)
        defending = Defending(state, store, kernel, [at_ssh], (), *asked, journal, _clock)
        yield serve(defending.routes())
        if changing:
            await _tell_edge(state, store, settings)


async def _tell_edge(state: State, store: Store, settings: Settings) -> None:
    """Bring its map, and the file that it reads at its next start, in line with the store."""
    if not state.edge.exists():
        return
    file = state.banned
    try:
        runtime = Runtime(state.edge_socket, state.master_socket)
        publisher = Publisher(state, find_engine(), runtime, ShownCertificates(runtime, state))
        await EdgeBans(state, runtime, publisher, lambda: settings.defence.allow).mend(store.bans, _clock())
    except PortwardError as error:
        log.warning("the edge hears of it at the next start: %s", error)
    if file.exists() and os.geteuid() == 0:  # root may do this for the user that runs Portward, who must read it
        owner = state.edge.stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def _clock() -> datetime:
    return datetime.now(UTC)
