"""The store, opened: one attribute a noun.

async with Store.open(path) as store:
    await store.accounts.add(Account("ann"))
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from portward.errors import StoreError
from portward.store.accounts import Accounts
from portward.store.attempts import Attempts
from portward.store.bans import Bans
from portward.store.credentials import Credentials
from portward.store.database import Database
from portward.store.devices import Devices
from portward.store.events import Events
from portward.store.groups import Groups
from portward.store.handovers import Handovers
from portward.store.keys import Keys
from portward.store.links import Links
from portward.store.passkeys import Passkeys
from portward.store.positions import Positions
from portward.store.publications import Publications
from portward.store.releases import Releases
from portward.store.schema import head, version_of
from portward.store.sessions import Sessions
from portward.store.standings import Standings
from portward.store.tickets import Tickets


class Store:
    """Everything is safe to call concurrently. Any method raises `StoreError` when the file can't be used."""

    def __init__(self, database: Database) -> None:
        self.path = database.path
        self.accounts = Accounts(database)
        self.groups = Groups(database)
        self.credentials = Credentials(database)
        self.passkeys = Passkeys(database)
        self.sessions = Sessions(database)
        self.links = Links(database)
        self.tickets = Tickets(database)
        self.handovers = Handovers(database)
        self.keys = Keys(database)
        self.devices = Devices(database)
        self.attempts = Attempts(database)
        self.standings = Standings(database)
        self.events = Events(database)
        self.releases = Releases(database)
        self.publications = Publications(database)
        self.bans = Bans(database)
        self.positions = Positions(database)

    @classmethod
    @asynccontextmanager
    async def open(cls, path: Path) -> AsyncIterator["Store"]:
        """Open a store that `migrate` has brought up to date. Raises `StoreError` for any other."""
        version = await asyncio.to_thread(version_of, path)
        if version != head():
            raise StoreError(
                f"the store {path} has shape {version or 'none'}, and shape {head()} is needed",
                way_out="`portward up` brings it up to date",
            )
        async with Database.open(path) as database:
            yield cls(database)
