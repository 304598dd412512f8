"""The ledger of bans without a keeper, for the host's own command line: the same admin API, answered from the store.

async with without_keeper(state, settings) as app:
    ...                                     # GET /bans, DELETE /bans/203.0.113.7 and so on, for one command

A removed ban must not need a gateway that runs: whoever is locked out may have locked out the gateway as well.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from starlette.applications import Starlette

from portward.config import Settings
from portward.defense.kernel import KernelBans
from portward.host.nftables import Nftables
from portward.host.paths import State
from portward.keeper.defending import Defending
from portward.portal.admin import serve
from portward.store import Store
from portward.watch.journal import Journal


@asynccontextmanager
async def without_keeper(state: State, settings: Settings) -> AsyncIterator[Starlette]:
    """Raises `StoreError` for a store that can't be used."""
    async with Store.open(state.database) as store:
        journal, hosts = Journal(store), [route.host for route in settings.routes]
        defending = Defending(
            state, store, KernelBans(Nftables()), (), (), lambda: settings, lambda: hosts, journal, _clock
        )
        yield serve(defending.routes())


def _clock() -> datetime:
    return datetime.now(UTC)
