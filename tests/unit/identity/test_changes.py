from tests.unit.identity.world import World, lived

from portward.config import Settings
from portward.errors import EdgeError


@lived
async def test_a_change_of_one_account_leaves_the_sessions_of_others_alone(world: World) -> None:
    await world.person("ann")
    await world.person("bob")
    _, session = await world.login("ann")
    await world.visit(session, "hello.example.com")
    world.settings = Settings.model_validate({"domain": "example.com"})
    await world.identity.accounts.change("bob", display_name="Bob", by="cli")
    assert len(world.edge.sessions) == 1


@lived
async def test_a_change_that_the_edge_did_not_hear_is_stored_and_recorded(world: World) -> None:
    await world.person("ann")
    world.edge.away = True
    try:
        await world.identity.accounts.change("ann", display_name="Ann", by="cli")
    except EdgeError:
        assert (await world.identity.accounts.get("ann")).display_name == "Ann"
        assert world.kinds()[-1] == "AccountChanged"
    else:
        raise AssertionError("the edge was away, and nobody was told")


@lived
async def test_every_change_says_who_made_it(world: World) -> None:
    await world.person("ann")
    await world.totp("ann")
    await world.identity.credentials.drop_totp("ann", by="cli")
    made = [(fact.change, fact.by, fact.detail) for fact in world.facts if fact.kind == "AccountChanged"]  # type: ignore[attr-defined]
    assert made == [("added", "cli", "with a password"), ("totp", "ann", "on"), ("totp", "cli", "off")]
