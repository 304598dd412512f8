import asyncio
from dataclasses import replace

import pytest
from tests.unit.identity.world import BETTER, GOOD, HOME, World, lived

from portward.facts import LoginFailed
from portward.identity.answers import Refused, SecondFactorNeeded, Started, Stepped, Wait
from portward.identity.logins import Code
from portward.identity.passwords import Passwords


async def ticket_of(world: World, name: str = "ann", address: str = HOME) -> str:
    answer = await world.identity.logins.password(name, GOOD, address=address, user_agent="Firefox")
    assert isinstance(answer, SecondFactorNeeded)
    return answer.ticket


async def guess(world: World, name: str, password: str = BETTER, address: str = HOME) -> object:
    return await world.identity.logins.password(name, password, address=address, user_agent="Firefox")


@lived
async def test_the_right_password_starts_a_session(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    found = await world.identity.sessions.find(token)
    assert found is not None
    assert found[0].id == session.id
    assert found[1].last_login_at == world.now


@lived
async def test_a_name_may_be_typed_in_any_case_or_as_the_address(world: World) -> None:
    await world.person("ann")
    await world.identity.accounts.change("ann", by="cli", email="Ann@Example.org")
    for typed in (" ANN ", "ann@example.ORG"):
        assert isinstance(await guess(world, typed, GOOD), Started)


@lived
async def test_unknown_disabled_and_wrong_answer_alike_after_the_same_work(world: World) -> None:
    await world.person("ann")
    await world.person("bob")
    await world.identity.accounts.disable("bob", by="cli")
    await world.identity.accounts.add("eve", by="cli")
    checks: list[str] = []
    original = Passwords._fits

    def counted(self: Passwords, kept: str, password: bytes) -> bool:
        checks.append(kept)
        return original(self, kept, password)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Passwords, "_fits", counted)
        for number, (name, password) in enumerate(
            [
                ("ann", "wrong"),
                ("nobody", GOOD),
                ("bob", GOOD),
                ("eve", GOOD),
                ("nobody@example.com", GOOD),
                ("ann", "x" * 5000),
            ]
        ):
            assert await guess(world, name, password, address=f"203.0.113.{number}") == Refused()
            assert len(checks) == number + 1
    reasons = [fact.reason for fact in world.facts if isinstance(fact, LoginFailed)]
    assert reasons == ["password", "unknown", "disabled", "password", "unknown", "password"]


@lived
async def test_what_was_typed_for_an_unknown_name_is_not_kept(world: World) -> None:
    await guess(world, GOOD)
    assert world.facts[-1].account == ""
    assert GOOD not in str(world.facts)


@lived
async def test_an_address_waits_longer_with_each_failure(world: World) -> None:
    await world.person("ann")
    for _ in range(4):
        assert await guess(world, "ann") == Refused()
    assert await guess(world, "ann", GOOD) == Wait(1)
    world.later(seconds=1)
    assert await guess(world, "ann") == Refused()
    assert await guess(world, "ann", GOOD) == Wait(2)
    world.later(hours=1)
    assert isinstance(await guess(world, "ann", GOOD), Started)


@lived
async def test_variants_of_a_name_share_the_counter_of_their_address(world: World) -> None:
    await world.person("ann")
    for name in ("ann", "ANN", "ann@example.com", "nobody"):
        assert await guess(world, name) == Refused()
    assert isinstance(await guess(world, "somebody-else"), Wait)


@lived
async def test_parallel_guesses_do_not_get_round_the_delay(world: World) -> None:
    await world.person("ann")
    answers = await asyncio.gather(*(guess(world, "ann") for _ in range(30)))
    assert sum(answer == Refused() for answer in answers) == 4


@lived
async def test_a_login_of_ones_own_does_not_buy_free_guesses_at_others(world: World) -> None:
    await world.person("ann")
    await world.person("bob")
    for _ in range(3):
        await guess(world, "bob")
    assert isinstance(await guess(world, "ann", GOOD), Started)
    await guess(world, "bob")
    assert isinstance(await guess(world, "bob"), Wait)


@lived
async def test_an_account_under_attack_is_held_back_but_never_locked(world: World) -> None:
    await world.person("ann")
    for number in range(50):
        await guess(world, "ann", address=f"203.0.113.{number}")
    assert max(world.pauses) == 4
    assert isinstance(await guess(world, "ann", GOOD), Started)


@lived
async def test_an_unknown_name_is_held_back_like_a_known_one(world: World) -> None:
    await world.person("ann")
    waits = []
    for name in ("ann", "nobody"):
        world.pauses.clear()
        for number in range(9):
            await guess(world, name, address=f"203.0.113.{number}")
            world.later(minutes=0)
        waits.append(list(world.pauses))
        world.later(hours=2)
    assert waits[0] == waits[1] == [0.25, 0.5, 1, 2, 4]


@lived
async def test_a_hash_with_older_parameters_is_made_anew_at_login(world: World) -> None:
    await world.person("ann")
    old = await world.store.credentials.password("ann")
    world.passwords._hasher = type(world.passwords._hasher)(time_cost=2, memory_cost=8, parallelism=1)
    await world.login("ann")
    new = await world.store.credentials.password("ann")
    assert new != old
    assert new is not None
    assert "t=2" in new
    await world.login("ann")


@lived
async def test_with_totp_the_password_alone_starts_nothing(world: World) -> None:
    await world.person("ann")
    secret, _ = await world.totp("ann")
    ticket = await ticket_of(world)
    assert await world.store.sessions.list("ann") == []
    answer = await world.identity.logins.second_factor(ticket, Code(world.code(secret)), address=HOME, user_agent="")
    assert isinstance(answer, Started)
    assert answer.session.second_factor_at == world.now


@lived
async def test_fifty_parallel_posts_of_one_code_start_one_session(world: World) -> None:
    await world.person("ann")
    secret, _ = await world.totp("ann")
    tickets = [await ticket_of(world) for _ in range(50)]
    code = world.code(secret)
    answers = await asyncio.gather(
        *(
            world.identity.logins.second_factor(ticket, Code(code), address=f"203.0.113.{number}", user_agent="")
            for number, ticket in enumerate(tickets)
        )
    )
    assert sum(isinstance(answer, Started) for answer in answers) == 1
    assert len(await world.store.sessions.list("ann")) == 1


@lived
async def test_fifty_parallel_posts_of_one_ticket_start_one_session(world: World) -> None:
    await world.person("ann")
    secret, _ = await world.totp("ann")
    ticket, code = await ticket_of(world), world.code(secret)
    posts = (world.identity.logins.second_factor(ticket, Code(code), address=HOME, user_agent="") for _ in range(50))
    answers = await asyncio.gather(*posts)
    assert sum(isinstance(answer, Started) for answer in answers) == 1


@lived
async def test_a_recovery_code_works_once(world: World) -> None:
    await world.person("ann")
    _, codes = await world.totp("ann")
    first, second = await ticket_of(world), await ticket_of(world)
    typed = codes[3].upper().replace("-", " ")
    answer = await world.identity.logins.second_factor(first, Code(typed), address=HOME, user_agent="")
    assert isinstance(answer, Started)
    assert await world.identity.logins.second_factor(second, Code(typed), address=HOME, user_agent="") == Refused()
    assert await world.identity.credentials.recovery_left("ann") == 9


@lived
async def test_a_ticket_bears_five_wrong_codes_and_five_minutes(world: World) -> None:
    await world.person("ann")
    secret, _ = await world.totp("ann")
    ticket = await ticket_of(world)
    for number in range(5):
        answer = await world.identity.logins.second_factor(
            ticket, Code("aaaaa-aaaaa"), address=f"203.0.113.{number}", user_agent=""
        )
        assert answer == Refused(start_over=number == 4)
    late = await ticket_of(world)
    world.later(minutes=5)
    for dead in (ticket, late, "no ticket"):
        answer = await world.identity.logins.second_factor(
            dead, Code(world.code(secret)), address="192.0.2.1", user_agent=""
        )
        assert answer == Refused(start_over=True)


@lived
async def test_a_ticket_of_an_account_disabled_meanwhile_is_worthless(world: World) -> None:
    await world.person("ann")
    secret, _ = await world.totp("ann")
    ticket = await ticket_of(world)
    await world.identity.accounts.disable("ann", by="cli")
    answer = await world.identity.logins.second_factor(ticket, Code(world.code(secret)), address=HOME, user_agent="")
    assert answer == Refused()
    assert await world.store.sessions.list("ann") == []


@lived
async def test_after_twenty_wrong_codes_only_recovery_codes_count(world: World) -> None:
    await world.person("ann")
    secret, codes = await world.totp("ann")
    right = world.code(secret)
    wrong = f"{(int(right) + 1) % 10**6:06}"
    for number in range(20):
        ticket = await ticket_of(world, address=f"203.0.113.{number}")
        await world.identity.logins.second_factor(ticket, Code(wrong), address=f"203.0.113.{number}", user_agent="")
    ticket = await ticket_of(world, address="192.0.2.1")
    refused = await world.identity.logins.second_factor(ticket, Code(right), address="192.0.2.1", user_agent="")
    assert refused == Refused()
    assert world.facts[-1] == LoginFailed(time=world.now, account="ann", address="192.0.2.1", reason="throttled")
    answer = await world.identity.logins.second_factor(ticket, Code(codes[0]), address="192.0.2.1", user_agent="")
    assert isinstance(answer, Started)


@lived
async def test_a_step_up_replaces_the_token_and_kills_the_old_one(world: World) -> None:
    await world.person("ann")
    secret, _ = await world.totp("ann")
    account = replace(await world.identity.accounts.get("ann"))
    old, session = await world.identity.sessions.start(account, second_factor=False, address=HOME, user_agent="")
    answer = await world.identity.logins.step_up(session, Code(world.code(secret)), address=HOME)
    assert isinstance(answer, Stepped)
    assert await world.identity.sessions.find(old) is None
    found = await world.identity.sessions.find(answer.token)
    assert found is not None
    assert found[0].second_factor_at == world.now
    again = await world.identity.logins.step_up(answer.session, Code(world.code(secret)), address=HOME)
    assert again == Refused()


@lived
async def test_changing_the_password_needs_the_old_one_and_ends_other_sessions(world: World) -> None:
    await world.person("ann")
    other, _ = await world.login("ann")
    mine, session = await world.login("ann")
    change = world.identity.credentials.change_password
    assert await change("ann", "wrong", BETTER, address=HOME, keep_session=session.id) == Refused()
    assert await change("ann", GOOD, BETTER, address=HOME, keep_session=session.id) is None
    assert await world.identity.sessions.find(other) is None
    assert await world.identity.sessions.find(mine) is not None
    assert await guess(world, "ann", GOOD) == Refused()
    assert isinstance(await guess(world, "ann", BETTER), Started)
