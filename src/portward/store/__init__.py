"""What Portward learns and must not forget: accounts, credentials, sessions, links, attempts, events, in SQLite.

    await migrate(path)
    async with Store.open(path) as store:
        await store.accounts.get("ann")

Takes and returns values of `portward.model`; only this package knows SQLAlchemy.
"""

from portward.store.migrate import migrate
from portward.store.store import Store

__all__ = ["Store", "migrate"]
