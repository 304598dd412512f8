"""Names of upstreams: found when they can be, and not forgotten when the name server is away."""

import asyncio

from portward.edge.resolve import Resolver


def resolver(answers: dict[str, str]) -> Resolver:
    async def look_up(name: str) -> str | None:
        return answers.get(name)

    return Resolver(look_up)


def test_a_name_that_does_not_resolve_is_left_out_until_it_does() -> None:
    answers: dict[str, str] = {}
    names = resolver(answers)
    assert asyncio.run(names.resolve({"nas.lan"})) == {}
    answers["nas.lan"] = "10.0.0.7"
    assert asyncio.run(names.resolve({"nas.lan"})) == {"nas.lan": "10.0.0.7"}


def test_a_name_keeps_its_address_while_the_name_server_is_away() -> None:
    answers = {"nas.lan": "10.0.0.7"}
    names = resolver(answers)
    asyncio.run(names.resolve({"nas.lan"}))
    answers.clear()
    assert asyncio.run(names.resolve({"nas.lan", "new.lan"})) == {"nas.lan": "10.0.0.7"}


def test_a_moved_name_is_followed() -> None:
    answers = {"nas.lan": "10.0.0.7"}
    names = resolver(answers)
    asyncio.run(names.resolve({"nas.lan"}))
    answers["nas.lan"] = "10.0.0.8"
    assert asyncio.run(names.resolve({"nas.lan"})) == {"nas.lan": "10.0.0.8"}
