import asyncio
from datetime import timedelta

import pytest
from tests.unit.identity.world import NONCE, World, lived

from portward.config import Settings
from portward.errors import EdgeError, NotFound
from portward.facts import SessionRevoked
from portward.identity.opaque import host_key
from portward.model import HostSession, Session

HELLO, PHOTOS, VAULT = "hello.example.com", "photos.example.com", "vault.example.com"


@lived
async def test_a_host_is_entered_by_a_code_and_the_edge_knows_before_the_browser(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    token = await world.visit(session, HELLO)
    part = world.edge.sessions[host_key(token, HELLO)]
    assert (part.account, part.session_id, part.second_factor_until) == ("ann", session.id, None)
    assert part.expires_at == world.now + timedelta(days=7)
    assert list(await world.identity.sessions.edge_sessions()) == [part]


@lived
async def test_a_code_works_once_also_for_fifty_at_once(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    code = await world.identity.sessions.hand_over(session, HELLO, "/inbox?page=2", NONCE)
    assert code is not None
    answers = await asyncio.gather(*(world.identity.sessions.enter(code, HELLO, NONCE) for _ in range(50)))
    entered = [answer for answer in answers if answer]
    assert [answer.to for answer in entered] == ["/inbox?page=2"]


@pytest.mark.parametrize(
    ("host", "nonce", "seconds"), [(PHOTOS, NONCE, 0), (HELLO, "another browser", 0), (HELLO, NONCE, 30)]
)
def test_a_code_is_bound_to_host_browser_and_half_a_minute(tmp_path, host: str, nonce: str, seconds: int) -> None:  # type: ignore[no-untyped-def]
    @lived
    async def test(world: World) -> None:
        await world.person("ann", groups=["family"])
        _, session = await world.login("ann")
        code = await world.identity.sessions.hand_over(session, HELLO, "/", NONCE)
        assert code is not None
        world.later(seconds=seconds)
        assert await world.identity.sessions.enter(code, host, nonce) is None
        assert world.edge.sessions == {}

    test(tmp_path)


@lived
async def test_a_host_that_the_account_may_not_open_is_not_entered(world: World) -> None:
    await world.person("ann", groups=["family"])
    _, session = await world.login("ann")
    assert await world.identity.sessions.hand_over(session, "evil.example.net", "/", NONCE) is None
    code = await world.identity.sessions.hand_over(session, PHOTOS, "/", NONCE)
    assert code is not None
    await world.identity.groups.remove_member("family", "ann", by="cli")
    assert await world.identity.sessions.enter(code, PHOTOS, NONCE) is None
    assert await world.identity.sessions.hand_over(session, PHOTOS, "/", NONCE) is None


@lived
async def test_ending_a_session_is_told_to_the_edge_and_recorded(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    await world.visit(session, HELLO)
    assert await world.identity.sessions.end(session.id, by="ann", reason="logout")
    assert world.edge.sessions == {}
    assert world.edge.cut == [session.id]
    assert await world.identity.sessions.find(token) is None
    assert world.facts[-1] == SessionRevoked(
        time=world.now, account="ann", session=session.id, by="ann", reason="logout"
    )
    assert not await world.identity.sessions.end(session.id, by="ann", reason="logout")


@lived
async def test_a_session_that_the_edge_could_not_forget_is_over_in_the_store(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    await world.visit(session, HELLO)
    world.edge.away = True
    with pytest.raises(EdgeError):
        await world.identity.sessions.end(session.id, by="cli", reason="revoked")
    assert await world.identity.sessions.find(token) is None
    assert await world.identity.sessions.edge_sessions() == []
    assert world.kinds()[-1] == "SessionRevoked"


@lived
async def test_nobody_is_let_in_when_the_edge_can_not_be_told(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    code = await world.identity.sessions.hand_over(session, HELLO, "/", NONCE)
    assert code is not None
    world.edge.away = True
    with pytest.raises(EdgeError):
        await world.identity.sessions.enter(code, HELLO, NONCE)


@lived
async def test_a_session_ended_while_it_enters_a_host_does_not_stay_on_the_edge(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    code = await world.identity.sessions.hand_over(session, HELLO, "/", NONCE)
    assert code is not None
    world.edge.on_admit = lambda: world.identity.sessions.end(session.id, by="cli", reason="revoked")
    assert await world.identity.sessions.enter(code, HELLO, NONCE) is None
    assert world.edge.sessions == {}


@lived
async def test_a_session_idle_for_a_week_is_over(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    await world.visit(session, HELLO)
    world.later(days=7)
    assert await world.identity.sessions.find(token) is None
    assert await world.identity.sessions.list() == []
    assert await world.identity.sessions.edge_sessions() == []
    assert await world.identity.sessions.expire(world.now) == 1
    assert world.edge.sessions == {}


@lived
async def test_a_session_in_use_is_over_after_a_month_all_the_same(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    await world.visit(session, HELLO)
    for _ in range(29):
        await world.identity.sessions.touch([session.id], world.later(days=1))
    assert await world.identity.sessions.find(token) is not None
    world.later(days=1)
    assert await world.identity.sessions.find(token) is None
    assert await world.identity.sessions.edge_sessions() == []


@lived
async def test_use_is_told_to_the_edge_only_when_half_of_the_idle_time_is_gone(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    token = await world.visit(session, HELLO)
    for _ in range(3):
        assert await world.identity.sessions.touch([session.id, "unknown"], world.later(days=1)) == []
    assert (await world.store.sessions.get(session.id)).seen_at == world.now  # type: ignore[union-attr]
    [part] = await world.identity.sessions.touch([session.id], world.later(days=1))
    assert part.expires_at == world.now + timedelta(days=7)
    assert world.edge.renewed == [host_key(token, HELLO)]
    assert list(await world.identity.sessions.edge_sessions()) == list(world.edge.sessions.values())


@lived
async def test_use_does_not_wake_a_session_that_is_over(world: World) -> None:
    await world.person("ann")
    token, session = await world.login("ann")
    await world.identity.sessions.touch([session.id], world.later(days=8))
    assert await world.identity.sessions.find(token) is None


@lived
async def test_a_host_token_from_before_the_second_factor_does_not_gain_it(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    before = await world.visit(session, VAULT)
    _, risen = await world.identity.sessions.rise(session)
    after = await world.visit(risen, VAULT)
    parts = {part.key: part for part in await world.identity.sessions.edge_sessions()}
    assert parts[host_key(before, VAULT)].second_factor_until is None
    assert parts[host_key(after, VAULT)].second_factor_until == world.now + timedelta(hours=24)


@lived
async def test_without_a_second_factor_no_session_has_shown_one(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    await world.visit(session, HELLO)
    await world.totp("ann")
    _, risen = await world.identity.sessions.rise(session)
    token = await world.visit(risen, VAULT)
    await world.identity.credentials.drop_totp("ann", by="cli")
    (left,) = await world.identity.sessions.list("ann")
    assert left.second_factor_at is None
    assert host_key(token, VAULT) not in {part.key for part in await world.identity.sessions.edge_sessions()}
    assert [part.host for part in await world.identity.sessions.hosts_of(session.id)] == [HELLO]


@lived
async def test_rising_in_a_session_that_has_ended_fails(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    await world.identity.sessions.end(session.id, by="ann", reason="logout")
    with pytest.raises(NotFound):
        await world.identity.sessions.rise(session)


@lived
async def test_a_browser_keeps_its_last_four_tokens_of_a_host(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    tokens = []
    for _ in range(6):
        world.later(seconds=1)
        tokens.append(await world.visit(session, HELLO))
    assert set(world.edge.sessions) == {host_key(token, HELLO) for token in tokens[2:]}
    assert world.edge.cut == []


@lived
async def test_leaving_a_group_ends_what_it_opened_and_nothing_else(world: World) -> None:
    await world.person("ann", groups=["family"])
    token, session = await world.login("ann")
    await world.visit(session, PHOTOS)
    hello = await world.visit(session, HELLO)
    await world.identity.groups.remove_member("family", "ann", by="cli")
    assert set(world.edge.sessions) == {host_key(hello, HELLO)}
    assert world.edge.cut == [session.id]
    assert world.edge.accounts["ann"].groups == frozenset()
    assert await world.identity.sessions.find(token) is not None


@lived
async def test_a_stricter_configuration_ends_what_it_forbids(world: World) -> None:
    await world.person("ann")
    _, session = await world.login("ann")
    await world.visit(session, HELLO)
    world.settings = Settings.model_validate({"domain": "example.com"})
    assert await world.identity.sessions.enforce(world.settings.routes) == 1
    assert world.edge.sessions == {}


@lived
async def test_a_shorter_policy_counts_for_sessions_that_exist(world: World) -> None:
    await world.person("ann")
    token, _ = await world.login("ann")
    world.settings = Settings.model_validate({"domain": "example.com", "sessions": {"absolute": "1h"}})
    world.later(hours=1)
    assert await world.identity.sessions.find(token) is None


@lived
async def test_a_user_agent_is_kept_printable_and_short(world: World) -> None:
    ann = await world.person("ann")
    _, session = await world.identity.sessions.start(
        ann, second_factor=False, address="", user_agent="a\x1b[31m" + "b" * 999
    )
    assert session.user_agent.startswith("a[31mbbb")
    assert len(session.user_agent) < 257


@lived
async def test_a_hundred_thousand_sessions_are_read_for_the_edge_in_seconds(world: World) -> None:
    await world.person("ann")
    start, end = world.now, world.now + timedelta(days=30)
    pairs = [(Session(f"s{number}", "ann", start, start, end), f"{number}") for number in range(100_000)]
    parts = [HostSession(f"{number:064X}", f"s{number}", HELLO, start) for number in range(100_000)]
    await world.store.sessions.add_many(pairs, parts)
    clock = asyncio.get_running_loop().time
    before = clock()
    assert len(await world.identity.sessions.edge_sessions()) == 100_000
    assert clock() - before < 10
