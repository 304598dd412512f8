"""Keys over the admin API."""

from tests.unit.identity.test_keys import fresh_key
from tests.unit.portal.test_admin import Cli
from tests.unit.portal.world import World

from portward.facts import KeyAdded


def test_a_key_is_added_shown_changed_and_removed(play) -> None:
    async def scenario(world: World) -> None:
        await world.member("ann")
        cli, line = Cli(world), fresh_key()
        status, body = await cli("POST", "/keys", {"name": "laptop", "account": "ann", "key": line})
        key = body["key"]
        assert (status, key["name"], key["publish"], key["reach"]) == (201, "laptop", ["ann-*"], [])
        assert (key["public"], key["comment"], key["created_at"]) == (line[:-11], "ann@laptop", "2026-11-20T13:00:00Z")
        assert await cli("GET", "/keys/laptop") == (200, {"key": key})
        assert await cli("GET", "/keys") == await cli("GET", "/keys?account=ann") == (200, {"keys": [key]})
        change = {"publish": ["blog"], "deadline": "8h", "expires_at": "2027-01-01T00:00:00+01:00"}
        status, body = await cli("PATCH", "/keys/laptop", change)
        assert (body["key"]["publish"], body["key"]["deadline"]) == (["blog"], "8h")
        assert body["key"]["expires_at"] == "2026-12-31T23:00:00Z"
        status, body = await cli("PATCH", "/keys/laptop", {"expires_at": None, "deadline": None, "reach": ["db:22"]})
        assert (body["key"]["expires_at"], body["key"]["deadline"]) == (None, None)
        assert (body["key"]["publish"], body["key"]["reach"]) == (["blog"], ["db:22"])
        assert await cli("DELETE", "/keys/laptop") == (204, None)
        assert (await cli("GET", "/keys/laptop"))[0] == 404
        assert [fact.kind for fact in world.facts[-4:]] == ["KeyAdded", "KeyChanged", "KeyChanged", "KeyRemoved"]
        assert isinstance(world.facts[-4], KeyAdded)
        assert world.facts[-4].by == "cli"

    play(scenario)


def test_what_can_not_be_kept_is_refused_without_repeating_it(play) -> None:
    async def scenario(world: World) -> None:
        await world.member("ann")
        cli, key = Cli(world), {"name": "laptop", "account": "ann", "key": fresh_key()}
        secret = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0"
        wrong = {
            404: {**key, "account": "nobody"},
            422: {**key, "key": secret},
        }
        for status, order in wrong.items():
            answered, body = await cli("POST", "/keys", order)
            assert answered == status
            assert "c2VjcmV0" not in str(body)
        for more in ({"deadline": "soon"}, {"reach": ["db"]}, {"expires_at": "2027-01-01T00:00:00"}, {"power": "all"}):
            assert (await cli("POST", "/keys", {**key, **more}))[0] == 422
        assert (await cli("POST", "/keys", key))[0] == 201
        assert (await cli("POST", "/keys", {**key, "name": "desktop"}))[0] == 409
        assert (await cli("POST", "/keys", {**key, "key": fresh_key()}))[0] == 409
        for method, path in (("PATCH", "/keys/none"), ("DELETE", "/keys/none"), ("GET", "/keys?account=nobody")):
            assert (await cli(method, path))[0] == 404

    play(scenario)
