"""What the portal refuses is kept, so that the request id on the page can be explained."""

import pytest
from tests.unit.portal.world import AUTH, HELLO, World

from portward.facts import RequestRefused
from portward.portal import documents, problems


def refused(world: World) -> RequestRefused:
    (fact,) = (fact for fact in world.facts if isinstance(fact, RequestRefused))
    return fact


def test_a_form_from_elsewhere_leaves_an_event(play) -> None:
    async def scenario(world: World) -> None:
        await world.browser().post(f"{AUTH}/logout", headers={"Origin": HELLO})
        fact = refused(world)
        assert (fact.gate, fact.rule, fact.status) == ("identity", "cross_site", 403)
        assert (fact.request_id, fact.address, fact.host) == ("0199f3a2c41d", "203.0.113.7", "auth.example.com")

    play(scenario)


def test_a_host_that_is_not_open_leaves_an_event_with_the_account(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        await browser.follow(await browser.get("https://family.example.com/.portward/start?to=%2Falbum"))
        fact = refused(world)
        assert (fact.rule, fact.account, fact.host) == ("not_open", "ann", "family.example.com")

    play(scenario)


def test_no_secret_of_an_address_is_kept(play) -> None:
    async def scenario(world: World) -> None:
        await world.browser().get(f"{AUTH}/enrol?token=secret-token")
        assert "secret-token" not in str(refused(world))
        world.facts.clear()
        await world.browser().get(f"{HELLO}/.portward/enter?code=secret-code")
        assert "secret-code" not in str(refused(world))

    play(scenario)


@pytest.mark.parametrize("rule", ["used_link", "no_cookie", "bounces", "cross_site", "not_open", "wrong_group"])
def test_every_rule_has_a_way_out_for_the_operator(rule: str) -> None:
    explanation = documents.explanation(rule)
    assert explanation
    assert all(explanation.values())


def test_an_unknown_rule_is_not_explained() -> None:
    assert documents.explanation("") is None
    assert problems.of_rule("made-up") is None
