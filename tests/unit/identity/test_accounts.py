import asyncio
import stat
from pathlib import Path

import pytest
from tests.unit.identity.world import BETTER, GOOD, HOME, World, lived

from portward.errors import Conflict, EdgeError, Invalid, NotFound, StoreError
from portward.identity.answers import Invitation, Refused, SecondFactorNeeded, Started
from portward.identity.logins import Code
from portward.identity.seal import Seal
from portward.model import Role


@lived
async def test_an_owner_enrols_with_a_link_that_works_once(world: World) -> None:
    token = await world.identity.enrolments.owner_link()
    answers = await asyncio.gather(
        *(world.identity.enrolments.enrol(token, GOOD, name=f"owner{number}") for number in range(5))
    )
    owners = [account for account in answers if account]
    assert [account.role for account in owners] == [Role.OWNER]
    assert await world.store.accounts.owners() == 1
    assert world.edge.accounts == {owners[0].name: owners[0]}


@lived
async def test_a_new_owner_link_replaces_the_unused_one_and_lives_an_hour(world: World) -> None:
    first = await world.identity.enrolments.owner_link()
    second = await world.identity.enrolments.owner_link()
    assert await world.identity.enrolments.peek(first) is None
    assert await world.identity.enrolments.peek(second) is not None
    world.later(hours=1)
    assert await world.identity.enrolments.enrol(second, GOOD) is None


@lived
async def test_a_weak_password_or_taken_name_does_not_use_up_the_link(world: World) -> None:
    await world.person("ann")
    token = await world.identity.enrolments.owner_link()
    with pytest.raises(Invalid):
        await world.identity.enrolments.enrol(token, "password1234")
    with pytest.raises(Conflict):
        await world.identity.enrolments.enrol(token, GOOD, name="ann")
    assert await world.identity.enrolments.enrol(token, GOOD) is not None


@lived
async def test_an_invited_account_chooses_its_password(world: World) -> None:
    token = await world.identity.accounts.add("ann", email="ann@example.org", by="cli")
    invitation = await world.identity.enrolments.peek(token)
    assert isinstance(invitation, Invitation)
    assert (invitation.purpose, invitation.account) == ("enrol", "ann")
    account = await world.identity.enrolments.enrol(token, GOOD, name="eve", display_name="Ann A.")
    assert account is not None
    assert (account.name, account.display_name, account.role) == ("ann", "Ann A.", Role.MEMBER)
    assert isinstance(await world.identity.logins.proceed(account, address=HOME, user_agent=""), Started)


@lived
async def test_the_old_password_holds_until_the_reset_link_is_used(world: World) -> None:
    await world.person("ann")
    link = await world.identity.enrolments.reset("ann", by="cli")
    token, _ = await world.login("ann")
    assert await world.identity.enrolments.enrol(link, BETTER) is not None
    assert await world.identity.sessions.find(token) is None
    answer = await world.identity.logins.password("ann", GOOD, address=HOME, user_agent="")
    assert answer == Refused()


@lived
async def test_a_reset_link_does_not_replace_the_second_factor(world: World) -> None:
    await world.person("ann")
    await world.totp("ann")
    account = await world.identity.enrolments.enrol(await world.identity.enrolments.reset("ann", by="cli"), BETTER)
    assert account is not None
    answer = await world.identity.logins.proceed(account, address=HOME, user_agent="")
    assert isinstance(answer, SecondFactorNeeded)


@lived
async def test_a_link_is_dead_after_a_day_and_with_its_account_disabled(world: World) -> None:
    late = await world.identity.accounts.add("ann", by="cli")
    world.later(hours=24)
    assert await world.identity.enrolments.peek(late) is None
    link = await world.identity.enrolments.reset("ann", by="cli")
    await world.identity.accounts.disable("ann", by="cli")
    assert await world.identity.enrolments.peek(link) is None
    with pytest.raises(Conflict):
        await world.identity.enrolments.reset("ann", by="cli")


@lived
async def test_the_store_holds_no_link_and_no_token(world: World) -> None:
    await world.person("ann")
    link = await world.identity.enrolments.reset("ann", by="cli")
    token, _ = await world.login("ann")
    secret, codes = await world.totp("ann")
    await world.store.events.add(world.facts)
    kept = b"".join(file.read_bytes() for file in world.store.path.parent.glob("portward.db*"))
    for hidden in (link, token, secret, codes[0], GOOD):
        assert hidden.encode() not in kept
        assert hidden not in str(world.facts)


@lived
async def test_the_last_owner_is_never_lost(world: World) -> None:
    await world.person("root", role=Role.OWNER)
    await world.identity.accounts.add("invited", role=Role.OWNER, by="cli")
    accounts = world.identity.accounts
    with pytest.raises(Conflict):
        await accounts.remove("root", by="cli")
    with pytest.raises(Conflict):
        await accounts.disable("root", by="cli")
    with pytest.raises(Conflict):
        await accounts.change("root", role=Role.MEMBER, by="cli")
    await world.person("second", role=Role.OWNER)
    await accounts.remove("root", by="cli")
    assert await world.store.accounts.owners() == 1


@lived
async def test_of_two_owners_removed_at_once_one_stays(world: World) -> None:
    await world.person("one", role=Role.OWNER)
    await world.person("two", role=Role.OWNER)
    await asyncio.gather(
        *(world.identity.accounts.remove(name, by="cli") for name in ("one", "two")), return_exceptions=True
    )
    assert await world.store.accounts.owners() == 1


@lived
async def test_a_disabled_account_loses_its_sessions_at_once(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    await world.visit(session, "hello.example.com")
    await world.identity.accounts.disable("ann", by="cli")
    assert world.edge.sessions == {}
    assert await world.identity.sessions.find(token) is None
    await world.identity.accounts.enable("ann", by="cli")
    assert await world.identity.sessions.find(token) is None
    await world.login("ann")


@lived
async def test_a_removed_account_leaves_nothing_behind(world: World) -> None:
    await world.person("ann", groups=["family"])
    _, session = await world.login("ann")
    await world.visit(session, "photos.example.com")
    await world.identity.accounts.remove("ann", by="cli")
    assert world.edge.sessions == {}
    assert world.edge.accounts == {}
    assert [group.members for group in await world.identity.groups.list()] == [frozenset()]
    assert await world.store.sessions.list() == []
    with pytest.raises(NotFound):
        await world.identity.accounts.get("ann")


@lived
async def test_an_account_is_removed_in_the_store_even_when_the_edge_is_away(world: World) -> None:
    await world.person("ann")
    world.edge.away = True
    with pytest.raises(EdgeError):
        await world.identity.accounts.remove("ann", by="cli")
    assert await world.store.accounts.get("ann") is None


@lived
async def test_names_and_addresses_are_taken_once(world: World) -> None:
    await world.identity.accounts.add("ann", email="ann@example.org", by="cli")
    await world.identity.accounts.add("bob", by="cli")
    await world.identity.accounts.add("carl", by="cli")
    with pytest.raises(Conflict, match="named 'ann'"):
        await world.identity.accounts.add("ann", by="cli")
    with pytest.raises(Conflict, match="address"):
        await world.identity.accounts.change("bob", email="ANN@example.org", by="cli")
    with pytest.raises(NotFound):
        await world.identity.accounts.add("dora", groups=["none"], by="cli")
    with pytest.raises(Invalid):
        await world.identity.accounts.add_with_password("emil", "password1234", by="cli")
    assert [account.name for account in await world.identity.accounts.list()] == ["ann", "bob", "carl"]


@lived
async def test_every_change_of_groups_reaches_the_edge(world: World) -> None:
    await world.person("ann")
    for name in ("family", "work"):
        await world.identity.groups.add(name, by="cli")
    await world.identity.accounts.set_groups("ann", ["family", "work"], by="cli")
    assert world.edge.accounts["ann"].groups == {"family", "work"}
    await world.identity.groups.remove("family", by="cli")
    assert world.edge.accounts["ann"].groups == {"work"}
    with pytest.raises(NotFound):
        await world.identity.groups.add_member("work", "nobody", by="cli")
    with pytest.raises(Conflict):
        await world.identity.groups.add("work", by="cli")


@lived
async def test_totp_is_on_only_after_a_right_code(world: World) -> None:
    await world.person("ann")
    offer = await world.identity.credentials.begin_totp("ann")
    assert await world.identity.credentials.confirm_totp("ann", "abc") is None
    assert await world.identity.credentials.pending_totp("ann") == offer
    assert not (await world.identity.accounts.get("ann")).has_totp
    assert await world.identity.credentials.confirm_totp("ann", world.code(offer.secret)) is not None
    assert (await world.identity.accounts.get("ann")).has_totp
    with pytest.raises(Conflict):
        await world.identity.credentials.begin_totp("ann")


@lived
async def test_the_code_that_turned_totp_on_is_used_up(world: World) -> None:
    await world.person("ann")
    offer = await world.identity.credentials.begin_totp("ann")
    code = world.code(offer.secret)
    await world.identity.credentials.confirm_totp("ann", code)
    answer = await world.identity.logins.password("ann", GOOD, address=HOME, user_agent="")
    assert isinstance(answer, SecondFactorNeeded)
    assert (
        await world.identity.logins.second_factor(answer.ticket, Code(code), address=HOME, user_agent="") == Refused()
    )


@lived
async def test_new_recovery_codes_kill_the_old_and_go_with_totp(world: World) -> None:
    await world.person("ann")
    with pytest.raises(Conflict):
        await world.identity.credentials.new_recovery_codes("ann", by="ann")
    _, old = await world.totp("ann")
    new = await world.identity.credentials.new_recovery_codes("ann", by="ann")
    assert not set(old) & set(new)
    assert await world.identity.credentials.drop_totp("ann", by="cli")
    assert await world.identity.credentials.recovery_left("ann") == 0
    assert not await world.identity.credentials.drop_totp("ann", by="cli")


@lived
async def test_what_is_over_is_tidied_away(world: World) -> None:
    await world.person("ann")
    await world.login("ann")
    await world.identity.enrolments.reset("ann", by="cli")
    await world.identity.logins.password("ann", "wrong", address=HOME, user_agent="")
    await world.store.events.add(world.facts)
    await world.identity.tidy(world.later(days=31))
    assert await world.store.sessions.list() == []
    assert await world.store.events.list() == []


def test_a_sealed_secret_opens_for_its_account_and_key_alone(tmp_path: Path) -> None:
    seal = Seal.open(tmp_path / "secret.key")
    sealed = seal.close(b"secret", "ann")
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert Seal.open(tmp_path / "secret.key").reveal(sealed, "ann") == b"secret"
    with pytest.raises(StoreError):
        seal.reveal(sealed, "bob")
    with pytest.raises(StoreError):
        Seal.open(tmp_path / "other.key").reveal(sealed, "ann")
    (tmp_path / "short.key").write_bytes(b"short")
    with pytest.raises(StoreError):
        Seal.open(tmp_path / "short.key")
