"""Keys of accounts: kept, told to the SSH server, recorded."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.unit.identity.world import World, opened

from portward.errors import Conflict, Invalid, NotFound, StoreError
from portward.facts import KeyAdded, KeyChanged, KeyRemoved
from portward.identity.keys import MOST_OF_ACCOUNT, Keys
from portward.identity.rights import Rights
from portward.model import Key

OWN = Rights(publish=("ann-*",))


def fresh_key() -> str:
    public = Ed25519PrivateKey.generate().public_key()
    return f"{public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()} ann@laptop"


class SshServer:
    """Notes which keys the store held each time that it was told to look. With `away` it can't be told."""

    def __init__(self, world: World) -> None:
        self._world, self.seen, self.away = world, [], False

    async def keys_changed(self) -> None:
        self.seen.append([key.name for key in await self._world.store.keys.list()])
        if self.away:
            raise StoreError("the rules can't be written")


Story = Callable[[World, Keys, SshServer], Awaitable[None]]


def told(directory: Path, story: Story) -> None:
    async def live() -> None:
        async with opened(directory) as world:
            server = SshServer(world)
            await world.person("ann")
            world.facts.clear()
            await story(world, Keys(world.store, server.keys_changed, world.record, lambda: world.now), server)

    asyncio.run(live())


def test_a_key_lives_and_the_ssh_server_hears_of_each_change(tmp_path: Path) -> None:
    async def story(world: World, keys: Keys, server: SshServer) -> None:
        line = fresh_key()
        added = await keys.add("laptop", line, account="ann", rights=OWN, by="ann")
        assert added == await keys.get("laptop") == (await keys.list("ann"))[0]
        assert (added.public, added.comment, added.created_at) == (line.rsplit(" ", 1)[0], "ann@laptop", world.now)
        changed = await keys.change("laptop", Rights(("blog",), ("DB:5432",), ("192.0.2.7",)), by="cli")
        assert (changed.publish, changed.reach, changed.sources) == (("blog",), ("db:5432",), ("192.0.2.7/32",))
        await keys.remove("laptop", by="cli")
        assert await keys.list() == []
        assert server.seen == [["laptop"], ["laptop"], []]
        first, second, third = world.facts
        assert isinstance(first, KeyAdded)
        assert (first.account, first.key, first.by, first.rights) == ("ann", "laptop", "ann", "publish ann-*")
        assert isinstance(second, KeyChanged)
        assert second.rights == "publish blog, reach db:5432, from 192.0.2.7/32"
        assert isinstance(third, KeyRemoved)
        assert third.fingerprint == added.fingerprint

    told(tmp_path, story)


def test_what_the_ssh_server_could_not_be_told_is_kept_and_recorded_all_the_same(tmp_path: Path) -> None:
    async def story(world: World, keys: Keys, server: SshServer) -> None:
        server.away = True
        with pytest.raises(StoreError):
            await keys.add("laptop", fresh_key(), account="ann", rights=OWN, by="ann")
        assert await keys.get("laptop")
        assert world.kinds() == ["KeyAdded"]

    told(tmp_path, story)


def test_nothing_is_kept_of_what_is_refused(tmp_path: Path) -> None:
    async def story(world: World, keys: Keys, server: SshServer) -> None:
        line = fresh_key()
        with pytest.raises(Invalid, match="can't be the name of a key"):
            await keys.add("Ann's laptop", line, account="ann", rights=OWN, by="ann")
        with pytest.raises(Invalid, match="private key"):
            await keys.add("laptop", "-----BEGIN OPENSSH PRIVATE KEY-----", account="ann", rights=OWN, by="ann")
        with pytest.raises(Invalid, match="no destination"):
            await keys.add("laptop", line, account="ann", rights=Rights(reach=("db",)), by="ann")
        with pytest.raises(Invalid, match="would have expired"):
            await keys.add("laptop", line, account="ann", rights=Rights(expires_at=world.now), by="ann")
        with pytest.raises(NotFound):
            await keys.add("laptop", line, account="nobody", rights=OWN, by="ann")
        for change in (keys.change("laptop", OWN, by="ann"), keys.remove("laptop", by="ann")):
            with pytest.raises(NotFound):
                await change
        assert (await keys.list(), server.seen, world.facts) == ([], [], [])

    told(tmp_path, story)


def test_an_account_has_so_many_keys_at_most(tmp_path: Path) -> None:
    async def story(world: World, keys: Keys, server: SshServer) -> None:
        for number in range(MOST_OF_ACCOUNT):
            await world.store.keys.add(Key(f"k{number}", "ann", "ssh-ed25519 AAAA", f"SHA256:{number}"))
        with pytest.raises(Conflict, match="has 50 keys already"):
            await keys.add("laptop", fresh_key(), account="ann", rights=OWN, by="ann")

    told(tmp_path, story)


def test_the_ssh_server_hears_of_accounts_that_are_shut(tmp_path: Path) -> None:
    async def story(world: World, keys: Keys, server: SshServer) -> None:
        await world.person("ben")
        await keys.add("laptop", fresh_key(), account="ben", rights=Rights(deadline=timedelta(hours=1)), by="ben")
        identity = world.identity_with(server.keys_changed)
        server.seen.clear()
        await identity.accounts.disable("ben", by="cli")
        await identity.accounts.remove("ben", by="cli")
        assert server.seen == [["laptop"], ["laptop"], []]

    told(tmp_path, story)
