"""The admin API: what the CLI asks for, and how mistakes are answered."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.unit.portal.world import PASSWORD, World

from portward.errors import ConfigError, Mistake, PortwardError
from portward.facts import Fact, LoginFailed, RequestRefused
from portward.portal.admin import create_admin
from portward.watch.journal import Journal

MISTAKE = Mistake("portward.toml", 3, "domain", "is not a host name", "example.com", "write one")


@dataclass
class Outcome:
    how: str | None = "runtime"
    summary: str = "added blog"
    error: PortwardError | None = None


class Keeper:
    """Stands in for the composition root's status and configuration."""

    outcome = Outcome()

    async def report(self) -> Mapping[str, Any]:
        return {"edge": {"running": True}}

    def source(self, service: str) -> str:
        return "portward.toml"

    async def reload(self) -> Outcome:
        return self.outcome


class Cli:
    def __init__(self, world: World) -> None:
        self.keeper, self.journal = Keeper(), Journal(world.store)
        self.app = create_admin(world.portal, self.journal, self.keeper, self.keeper, self.keeper)
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://admin")

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = await self._client.request(method, path, json=body)
        return answer.status_code, answer.json() if answer.content else None

    async def lines(self, path: str) -> list[Any]:
        answer = await self._client.get(path)
        assert answer.headers["content-type"] == "application/x-ndjson"
        return [json.loads(line) for line in answer.text.splitlines()]


async def keep(world: World, *facts: Fact) -> None:
    await world.store.events.add(facts)


def refusal(world: World, request_id: str = "0199f3a2c41d") -> RequestRefused:
    return RequestRefused(time=world.now, gate="identity", rule="wrong_group", request_id=request_id, status=403)


def test_status_and_reload_are_the_keepers(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        assert await cli("GET", "/status") == (200, {"edge": {"running": True}})
        assert await cli("POST", "/reload") == (200, {"how": "runtime", "summary": "added blog"})
        cli.keeper.outcome = Outcome(error=ConfigError((MISTAKE,)))
        status, body = await cli("POST", "/reload")
        assert status == 422
        assert body["error"]["type"] == "ConfigError"
        assert body["error"]["exit_code"] == 2
        assert body["error"]["mistakes"][0]["line"] == 3

    play(scenario)


def test_services_are_listed_route_by_route(play) -> None:
    async def scenario(world: World) -> None:
        _, body = await Cli(world)("GET", "/services")
        assert body["services"][0] == {
            "name": "hello",
            "service": "hello",
            "url": "https://hello.example.com/",
            "host": "hello.example.com",
            "path": "/",
            "upstream": "demo",
            "access": "members",
            "second_factor": False,
            "paths": [],
            "source": "portward.toml",
        }

    play(scenario)


def test_an_account_is_added_changed_and_removed(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        status, body = await cli("POST", "/groups", {"name": "family"})
        assert (status, body["group"]["members"]) == (201, [])
        status, body = await cli("POST", "/accounts", {"name": "ann", "email": "ann@example.com", "groups": ["family"]})
        assert status == 201
        assert body["link"].startswith("https://auth.example.com/enrol?token=")
        assert body["account"]["groups"] == ["family"]
        status, body = await cli("PATCH", "/accounts/ann", {"groups": [], "disabled": True, "display_name": "Ann"})
        assert (body["account"]["groups"], body["account"]["disabled"]) == ([], True)
        assert (await cli("GET", "/accounts/ann"))[1]["account"]["display_name"] == "Ann"
        assert await cli("DELETE", "/accounts/ann") == (204, None)
        assert (await cli("GET", "/accounts"))[1] == {"accounts": []}

    play(scenario)


def test_an_account_with_a_password_needs_no_link_and_does_not_echo_it(play) -> None:
    async def scenario(world: World) -> None:
        status, body = await Cli(world)("POST", "/accounts", {"name": "ann", "password": PASSWORD})
        assert (status, list(body)) == (201, ["account"])
        assert body["account"]["has_password"]
        assert PASSWORD not in json.dumps(body)

    play(scenario)


def test_members_come_and_go(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        await world.member()
        await cli("POST", "/groups", {"name": "family"})
        assert await cli("PUT", "/groups/family/members/ann") == (204, None)
        assert (await cli("GET", "/groups"))[1] == {"groups": [{"name": "family", "members": ["ann"]}]}
        assert await cli("DELETE", "/groups/family/members/ann") == (204, None)
        assert await cli("DELETE", "/groups/family") == (204, None)
        assert (await cli("PUT", "/groups/family/members/ann"))[0] == 404

    play(scenario)


def test_a_reset_answers_a_link_and_can_drop_the_second_factor(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        await world.member_with_totp()
        status, body = await cli("POST", "/accounts/ann/reset")
        assert (status, body["second_factor_dropped"]) == (200, False)
        assert (await cli("POST", "/accounts/ann/reset", {"second_factor": True}))[1]["second_factor_dropped"]
        assert not (await cli("GET", "/accounts/ann"))[1]["account"]["has_totp"]

    play(scenario)


def test_sessions_are_listed_and_ended(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        await world.member()
        await world.logged_in()
        await world.logged_in()
        _, body = await cli("GET", "/sessions?account=ann")
        assert [session["device"] for session in body["sessions"]] == ["curl", "curl"]
        assert await cli("DELETE", f"/sessions/{body['sessions'][0]['id']}") == (200, {"ended": 1})
        assert (await cli("DELETE", f"/sessions/{body['sessions'][0]['id']}"))[0] == 404
        assert (await cli("DELETE", "/sessions"))[0] == 422
        assert (await cli("DELETE", "/sessions?account=nobody"))[0] == 404
        assert await cli("DELETE", "/sessions?account=ann") == (200, {"ended": 1})

    play(scenario)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "exit_code"),
    [
        ("GET", "/accounts/nobody", None, 404, "NotFound", 4),
        ("POST", "/accounts", {"name": "ann"}, 409, "Conflict", 5),
        ("POST", "/accounts", {"name": "Not A Name"}, 422, "Invalid", 6),
        ("POST", "/accounts", {"name": 7}, 422, "Invalid", 6),
        ("POST", "/accounts", None, 422, "Invalid", 6),
        ("POST", "/accounts", {"name": "bob", "password": "short"}, 422, "Invalid", 6),
        ("PATCH", "/accounts/ann", {"name": "root"}, 422, "Invalid", 6),
        ("GET", "/events?limit=many", None, 422, "Invalid", 6),
        ("GET", "/events?since=noon", None, 422, "Invalid", 6),
        ("GET", "/explain/abc", None, 422, "Invalid", 6),
        ("GET", "/explain/abcdefgh", None, 404, "NotFound", 4),
        ("GET", "/nothing", None, 404, "NotFound", 1),
        ("PUT", "/accounts", None, 405, "NotFound", 1),
    ],
)
def test_mistakes_have_a_class_and_an_exit_code(
    play, method: str, path: str, body: Any, status: int, kind: str, exit_code: int
) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        answered, answer = await Cli(world)(method, path, body)
        assert (answered, answer["error"]["type"], answer["error"]["exit_code"]) == (status, kind, exit_code)
        assert set(answer["error"]) == {"type", "message", "way_out", "exit_code"}

    play(scenario)


def test_a_mistake_never_repeats_the_value(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        for body in ({"name": "ann", "password": "x" * 600}, {"name": "ann", "passwort": "hidden-secret"}):
            _, answer = await cli("POST", "/accounts", body)
            assert "xxx" not in json.dumps(answer)
            assert "hidden-secret" not in json.dumps(answer)

    play(scenario)


def test_events_are_lines_the_newest_by_default(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        await keep(world, *(LoginFailed(time=world.now, account=f"a{n}", reason="password") for n in range(4)))
        assert [event["account"] for event in await cli.lines("/events?limit=2")] == ["a2", "a3"]
        assert [event["account"] for event in await cli.lines("/events?after=1&limit=2")] == ["a1", "a2"]
        assert [event["account"] for event in await cli.lines("/events?account=a0")] == ["a0"]
        assert await cli.lines("/events?kind=LoggedIn") == []
        assert (await cli.lines("/events?limit=1"))[0]["time"] == "2026-11-20T13:00:00Z"

    play(scenario)


def test_a_refusal_is_explained(play) -> None:
    async def scenario(world: World) -> None:
        await keep(world, refusal(world))
        _, body = await Cli(world)("GET", "/explain/0199f3")
        (event,) = body["events"]
        assert event["rule"] == "wrong_group"
        assert event["gate"] == "identity"
        assert "portward group" in event["explanation"]["way_out"]

    play(scenario)


class Follower:
    """A client that follows the events, byte by byte as the server would send them, until it leaves."""

    def __init__(self, cli: Cli, path: str) -> None:
        self._cli, (self._path, _, query) = cli, path.partition("?")
        self._query, self._sent = query.encode(), asyncio.Queue[bytes]()
        self.started, self._left = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        scope = {"type": "http", "method": "GET", "path": self._path, "query_string": self._query, "headers": []}
        await self._cli.app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.started.set()
        if message.get("body"):
            self._sent.put_nowait(message["body"])

    async def next_line(self) -> Any:
        return json.loads(await asyncio.wait_for(self._sent.get(), 10))

    def leave(self) -> None:
        self._left.set()


def test_followers_hear_of_new_events_until_they_leave(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        await keep(world, refusal(world, "first-one"))
        follower = Follower(cli, "/events?follow=1")
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(follower.run())
            assert (await follower.next_line())["request_id"] == "first-one"
            for name in ("second-one", "third-one"):
                await cli.journal.record(refusal(world, name))
                assert (await follower.next_line())["request_id"] == name
            follower.leave()

    play(scenario)


def test_followers_of_one_kind_are_not_woken_for_another(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        follower = Follower(cli, "/events?follow=1&kind=LoginFailed&after=0")
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(follower.run())
            await cli.journal.record(refusal(world))
            await cli.journal.record(LoginFailed(time=world.now, reason="unknown"))
            assert (await follower.next_line())["kind"] == "LoginFailed"
            follower.leave()


def test_who_wants_only_what_is_new_gets_nothing_old(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        await keep(world, refusal(world, "an-old-one"))
        follower = Follower(cli, "/events?follow=1&limit=0")
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            tasks.create_task(follower.run())
            await follower.started.wait()
            await cli.journal.record(refusal(world, "a-new-one"))
            assert (await follower.next_line())["request_id"] == "a-new-one"
            follower.leave()

    play(scenario)
