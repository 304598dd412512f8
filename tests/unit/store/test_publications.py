"""Services that keys made on the spot, as the store keeps them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portward.errors import NotFound
from portward.model import Account, Publication
from portward.store import Store
from portward.store.migrate import migrate_with, upgrade

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


def made(name: str, account: str = "ann", key: str = "laptop") -> Publication:
    return Publication(name, account, key, made_at=NOW, seen_at=NOW)


async def story(path: Path) -> None:
    async with Store.open(path) as store:
        await store.accounts.add(Account("ann"))
        for publication in (made("ann-a"), made("ann-b"), made("ann-a", key="desktop")):
            await store.publications.keep(publication)
        assert await store.publications.list() == [made("ann-a", key="desktop"), made("ann-b")]
        await store.publications.see(["ann-b"], LATER)
        assert await store.publications.forget_unseen(LATER) == ["ann-a"]
        with pytest.raises(NotFound):
            await store.publications.keep(made("x", "nobody"))
        await store.accounts.remove("ann")
        assert await store.publications.list() == []


def test_a_publication_is_kept_until_nobody_has_carried_it_for_long(tmp_path: Path) -> None:
    path = tmp_path / "portward.db"
    migrate_with(path, upgrade)
    asyncio.run(story(path))
