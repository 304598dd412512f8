import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.identity.authenticator import SecurityKey
from tests.unit.identity.world import GOOD, HOME, World, lived

from portward.errors import Conflict, Invalid, NotFound
from portward.facts import LoggedIn, LoginFailed
from portward.identity import ceremony
from portward.identity.answers import Refused, SecondFactorNeeded, Started, Stepped, Wait
from portward.identity.ceremony import RelyingParty
from portward.identity.logins import Code, Touch
from portward.model import Account, Passkey

ORIGIN = "https://auth.example.com:8443"


async def key_of(world: World, name: str = "ann", *, verified: bool = True, counts: bool = True) -> SecurityKey:
    """Somebody's new passkey."""
    key, account = SecurityKey(ORIGIN, counts=counts), await world.identity.accounts.get(name)
    options = await world.identity.passkeys.offer(account, "a session")
    await world.identity.passkeys.add(account, "a session", "phone", key.make(options, verified=verified))
    return key


async def log_in(world: World, key: SecurityKey, **lies: Any) -> object:
    return await tell(world, key.show(await world.identity.logins.ask_passkey(), **lies))


async def tell(world: World, answer: str) -> object:
    return await world.identity.logins.passkey(answer, address=HOME, user_agent="Firefox")


def last_reason(world: World) -> str:
    fact = world.facts[-1]
    assert isinstance(fact, LoginFailed)
    return fact.reason


@lived
async def test_a_passkey_alone_is_a_login_with_both_factors(world: World) -> None:
    await world.person("ann")
    answer = await log_in(world, await key_of(world))
    assert isinstance(answer, Started)
    assert answer.session.second_factor_at == world.now
    assert [fact.factors for fact in world.facts if isinstance(fact, LoggedIn)] == ["passkey"]
    [passkey] = await world.identity.passkeys.list("ann")
    assert (passkey.used_at, passkey.sign_count, passkey.verifies, passkey.synced) == (world.now, 1, True, False)


@lived
async def test_a_key_that_asked_for_no_pin_is_a_second_factor_only(world: World) -> None:
    await world.person("ann")
    key = await key_of(world, verified=False)
    assert await log_in(world, key, verified=False) == Refused()
    assert last_reason(world) == "passkey"
    first = await world.identity.logins.password("ann", GOOD, address=HOME, user_agent="")
    assert isinstance(first, SecondFactorNeeded)
    options = await world.identity.logins.ask_second(first.ticket)
    assert options is not None
    touch = Touch(key.show(options, verified=False))
    answer = await world.identity.logins.second_factor(first.ticket, touch, address=HOME, user_agent="")
    assert isinstance(answer, Started)
    assert world.facts[-2].fields()["factors"] == "password+passkey"


@lived
async def test_an_answer_counts_once(world: World) -> None:
    await world.person("ann")
    for counts in (True, False):
        key = await key_of(world, counts=counts)
        answer = key.show(await world.identity.logins.ask_passkey())
        assert isinstance(await tell(world, answer), Started)
        assert await tell(world, answer) == Refused()


@lived
async def test_a_copied_key_is_refused_and_told_apart(world: World) -> None:
    await world.person("ann")
    key = await key_of(world)
    assert isinstance(await log_in(world, key), Started)
    key.count = 0
    assert await log_in(world, key) == Refused()
    assert last_reason(world) == "passkey-copied"


@lived
async def test_a_key_without_a_counter_works_again_and_again(world: World) -> None:
    await world.person("ann")
    key = await key_of(world, counts=False)
    for _ in range(2):
        assert isinstance(await log_in(world, key), Started)


@lived
async def test_another_page_can_not_borrow_an_answer(world: World) -> None:
    await world.person("ann")
    key = await key_of(world)
    for origin in ("https://auth.example.net", "https://auth.example.com", "http://auth.example.com:8443"):
        assert await log_in(world, key, origin=origin) == Refused()
    assert await log_in(world, key, framed=True) == Refused()
    world.later(hours=2)
    assert isinstance(await log_in(world, key), Started)


@lived
async def test_an_answer_holds_for_what_was_asked_and_for_ten_minutes(world: World) -> None:
    await world.person("ann")
    key = await key_of(world)
    _, session = await password_and_touch(world, key)
    elsewhere = key.show(await world.identity.logins.ask_step(session))
    assert await tell(world, elsewhere) == Refused()
    late = key.show(await world.identity.logins.ask_passkey())
    world.later(minutes=10)
    assert await tell(world, late) == Refused()
    made_up = {**await world.identity.logins.ask_passkey(), "challenge": "A" * 75}
    assert await tell(world, key.show(made_up)) == Refused()


async def password_and_touch(world: World, key: SecurityKey) -> Any:
    first = await world.identity.logins.password("ann", GOOD, address=HOME, user_agent="")
    assert isinstance(first, SecondFactorNeeded)
    options = await world.identity.logins.ask_second(first.ticket)
    assert options is not None
    shown = Touch(key.show(options))
    answer = await world.identity.logins.second_factor(first.ticket, shown, address=HOME, user_agent="")
    assert isinstance(answer, Started)
    return answer.token, answer.session


@lived
async def test_nobody_steps_up_with_the_passkey_of_another(world: World) -> None:
    await world.person("ann")
    await world.person("bob")
    own, foreign = await key_of(world), await key_of(world, "bob")
    _, session = await password_and_touch(world, own)
    shown = Touch(foreign.show(await world.identity.logins.ask_step(session)))
    assert await world.identity.logins.step_up(session, shown, address=HOME) == Refused()
    shown = Touch(own.show(await world.identity.logins.ask_step(session)))
    assert isinstance(await world.identity.logins.step_up(session, shown, address=HOME), Stepped)


@lived
async def test_a_removed_passkey_opens_nothing_and_ends_what_it_opened(world: World) -> None:
    await world.person("ann")
    key = await key_of(world)
    answer = await log_in(world, key)
    assert isinstance(answer, Started)
    [passkey] = await world.identity.passkeys.list("ann")
    await world.identity.passkeys.remove("ann", passkey.id)
    assert await world.identity.sessions.find(answer.token) is None
    assert await log_in(world, key) == Refused()
    assert await world.identity.credentials.recovery_left("ann") == 0
    with pytest.raises(NotFound):
        await world.identity.passkeys.remove("ann", passkey.id)


@lived
async def test_nobody_removes_or_renames_the_passkey_of_another(world: World) -> None:
    await world.person("ann")
    await world.person("bob")
    await key_of(world)
    [passkey] = await world.identity.passkeys.list("ann")
    with pytest.raises(NotFound):
        await world.identity.passkeys.remove("bob", passkey.id)
    with pytest.raises(NotFound):
        await world.identity.passkeys.rename("bob", passkey.id, "mine")
    await world.identity.passkeys.rename("ann", passkey.id, " laptop ")
    assert [found.name for found in await world.identity.passkeys.list("ann")] == ["laptop"]


@lived
async def test_a_disabled_account_does_not_come_in_with_a_passkey(world: World) -> None:
    await world.person("ann")
    key = await key_of(world)
    await world.identity.accounts.disable("ann", by="cli")
    assert await log_in(world, key) == Refused()
    assert last_reason(world) == "disabled"


@lived
async def test_the_first_second_factor_brings_recovery_codes_and_the_last_takes_them(world: World) -> None:
    await world.person("ann")
    ann = await world.identity.accounts.get("ann")
    key = SecurityKey(ORIGIN)
    codes = await world.identity.passkeys.add(
        ann, "s", "phone", key.make(await world.identity.passkeys.offer(ann, "s"))
    )
    assert len(codes) == 10
    assert (await world.identity.accounts.get("ann")).passkeys == 1
    first = await world.identity.logins.password("ann", GOOD, address=HOME, user_agent="")
    assert isinstance(first, SecondFactorNeeded)
    second = SecurityKey(ORIGIN)
    assert not await world.identity.passkeys.add(
        ann, "s", "", second.make(await world.identity.passkeys.offer(ann, "s"))
    )
    answer = await world.identity.logins.second_factor(first.ticket, Code(codes[0]), address=HOME, user_agent="")
    assert isinstance(answer, Started)
    await world.totp("ann")
    assert await world.identity.credentials.drop_totp("ann", by="ann")
    assert await world.identity.credentials.recovery_left("ann") == 10
    assert await world.identity.credentials.drop_second_factor("ann", by="cli")
    ann = await world.identity.accounts.get("ann")
    assert (ann.passkeys, ann.has_totp, await world.identity.credentials.recovery_left("ann")) == (0, False, 0)
    assert not await world.identity.credentials.drop_second_factor("ann", by="cli")
    assert isinstance(await world.identity.logins.password("ann", GOOD, address=HOME, user_agent=""), Started)


@lived
async def test_a_passkey_is_added_only_to_whom_it_was_offered(world: World) -> None:
    ann, bob = await world.person("ann"), await world.person("bob")
    key = SecurityKey(ORIGIN)
    made = key.make(await world.identity.passkeys.offer(ann, "hers"))
    for account, session in ((bob, "hers"), (ann, "another")):
        with pytest.raises(Invalid):
            await world.identity.passkeys.add(account, session, "phone", made)
    foreign = key.make(await world.identity.passkeys.offer(ann, "hers"), origin="https://evil.example")
    with pytest.raises(Invalid):
        await world.identity.passkeys.add(ann, "hers", "phone", foreign)
    await world.identity.passkeys.add(ann, "hers", "phone", made)
    with pytest.raises(Invalid):
        await world.identity.passkeys.add(ann, "hers", "phone", made)
    again = key.make(await world.identity.passkeys.offer(bob, "his"))
    with pytest.raises(Conflict):
        await world.identity.passkeys.add(bob, "his", "phone", again)


@lived
async def test_guesses_with_passkeys_wait_like_guesses_at_passwords(world: World) -> None:
    for _ in range(4):
        assert await tell(world, "{}") == Refused()
    assert isinstance(await tell(world, "{}"), Wait)
    assert last_reason(world) == "throttled"
    assert all(fact.account == "" for fact in world.facts)


@lived
async def test_a_password_is_asked_again_of_who_has_no_second_factor(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    assert await world.identity.logins.confirm_password(session, GOOD, address=HOME) is None
    assert await world.identity.logins.confirm_password(session, "no", address=HOME) == Refused()


PARTY = RelyingParty("auth.example.com", ORIGIN, "example.com")


def shown_once() -> tuple[str, Passkey]:
    """An answer that holds, and the passkey that it is of."""
    key = SecurityKey(ORIGIN)
    offer = ceremony.creation(PARTY, "AAAA", Account("ann"), "aGFuZGxl", [])
    read = ceremony.read(key.make(offer))
    assert read is not None
    made = ceremony.made(PARTY, read)
    assert made is not None
    passkey = Passkey(made.id, "ann", "", made.public_key, "aGFuZGxl", 0, True, False, datetime(2026, 1, 1, tzinfo=UTC))
    return key.show(ceremony.request(PARTY, "AAAA", [], verify=True)), passkey


TEXT, PASSKEY = shown_once()


def test_the_answer_that_is_spoilt_below_holds() -> None:
    answer = ceremony.read(TEXT)
    assert answer is not None
    assert ceremony.shown(PARTY, answer, PASSKEY, verify=True) is not None
    assert ceremony.shown(PARTY, answer, replace(PASSKEY, handle="b3RoZXI"), verify=True) is None


@given(st.data())
def test_a_spoilt_answer_is_refused_and_breaks_nothing(data: st.DataObject) -> None:
    document = json.loads(TEXT)
    part = data.draw(st.sampled_from(sorted(document["response"])))
    spoilt = data.draw(
        st.one_of(st.text(max_size=40), st.binary(max_size=80).map(ceremony.spell), st.none(), st.integers())
    )
    document["response"][part] = spoilt
    answer = ceremony.read(json.dumps(document))
    shown = ceremony.shown(PARTY, answer, PASSKEY, verify=True) if answer else None
    assert shown is None or part == "userHandle"


@given(st.one_of(st.text(), st.binary(max_size=200).map(ceremony.spell), st.none(), st.integers()))
def test_a_made_up_registration_is_refused_and_breaks_nothing(attestation: object) -> None:
    key = SecurityKey(ORIGIN)
    document = json.loads(key.make(ceremony.creation(PARTY, "AAAA", Account("ann"), "aGFuZGxl", [])))
    document["response"]["attestationObject"] = attestation
    answer = ceremony.read(json.dumps(document))
    assert answer is not None
    assert ceremony.made(PARTY, answer) is None


@given(
    st.one_of(
        st.text(),
        st.recursive(st.none() | st.text(), lambda part: st.lists(part) | st.dictionaries(st.text(), part)).map(
            json.dumps
        ),
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    ceremony.read(text)
