"""One's own keys and tunnels on the home page."""

from datetime import timedelta

from tests.unit.identity.test_keys import fresh_key
from tests.unit.portal.ssh_server import SshServer, live
from tests.unit.portal.test_admin import Cli
from tests.unit.portal.world import AUTH, World

from portward.identity.rights import Rights
from portward.model import Role
from portward.portal.tunnels import example, lines


async def at_home(world: World, name: str = "ann", *, role: Role = Role.MEMBER):
    """Tunnels are wanted, and somebody is logged in."""
    world.configure(tunnels={})
    await world.member(name, role=role)
    return await world.logged_in(name)


def test_a_key_is_pasted_shown_and_removed(play) -> None:
    async def scenario(world: World) -> None:
        browser = await at_home(world)
        added = await browser.post(f"{AUTH}/keys", {"name": "laptop", "key": f"\n{fresh_key()}\r\n"})
        page = await browser.get(str(added.url.join(added.headers["location"])))
        (key,) = await world.identity.keys.list("ann")
        for text in ("Your key is in.", "laptop", key.fingerprint, "may publish ann-*", "since 20 Nov 2026"):
            assert text in page.text
        removed = await browser.follow(await browser.post(f"{AUTH}/keys/laptop/remove"))
        assert "opens nothing any more" in removed.text
        assert await world.identity.keys.list() == []
        assert [(fact.kind, fact.by) for fact in world.facts[-2:]] == [("KeyAdded", "ann"), ("KeyRemoved", "ann")]

    play(scenario)


def test_a_private_key_is_neither_kept_nor_shown_again(play) -> None:
    async def scenario(world: World) -> None:
        browser = await at_home(world)
        text = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END OPENSSH PRIVATE KEY-----"
        page = await browser.post(f"{AUTH}/keys", {"name": "laptop", "key": text})
        assert page.status_code == 422
        assert "That is a private key" in page.text
        assert 'value="laptop"' in page.text
        assert "c2VjcmV0" not in page.text
        assert (await world.identity.keys.list(), [fact for fact in world.facts if "Key" in fact.kind]) == ([], [])

    play(scenario)


def test_what_is_wrong_with_a_key_stands_beside_the_form(play) -> None:
    async def scenario(world: World) -> None:
        browser, line = await at_home(world), fresh_key()
        assert (await browser.post(f"{AUTH}/keys", {"name": "laptop", "key": line})).status_code == 303
        for form, sentence in (
            ({"name": "Laptop!", "key": fresh_key()}, "can&#39;t be the name of a key"),
            ({"name": "laptop", "key": fresh_key()}, "There is a key named"),
            ({"name": "desktop", "key": line}, "is known already"),
            ({"name": "desktop", "key": "hello"}, "That is no public SSH key"),
            ({"name": "desktop"}, "There is no key in it"),
        ):
            page = await browser.post(f"{AUTH}/keys", form)
            assert page.status_code == 422
            assert sentence in page.text

    play(scenario)


def test_a_member_does_not_choose_what_a_key_may_publish_and_an_owner_does(play) -> None:
    async def scenario(world: World) -> None:
        ann = await at_home(world)
        await ann.post(f"{AUTH}/keys", {"name": "a", "key": fresh_key(), "publish": "*", "reach": "db:22"})
        await world.member("zoe", role=Role.OWNER)
        zoe = await world.logged_in("zoe")
        assert 'name="publish"' not in (await ann.get(f"{AUTH}/")).text
        assert 'name="publish" value="zoe-*"' in (await zoe.get(f"{AUTH}/")).text
        await zoe.post(f"{AUTH}/keys", {"name": "z", "key": fresh_key(), "publish": "blog, wiki-*"})
        kept = {key.name: (key.publish, key.reach) for key in await world.identity.keys.list()}
        assert kept == {"a": (("ann-*",), ()), "z": (("blog", "wiki-*"), ())}

    play(scenario)


def test_nobody_can_remove_the_key_of_somebody_else(play) -> None:
    async def scenario(world: World) -> None:
        browser = await at_home(world)
        await world.member("bob")
        await world.identity.keys.add("bobs", fresh_key(), account="bob", rights=Rights(), by="cli")
        assert (await browser.post(f"{AUTH}/keys/bobs/remove")).status_code == 404
        assert await world.identity.keys.get("bobs")
        assert "bobs" not in (await browser.get(f"{AUTH}/")).text

    play(scenario)


def test_keys_take_a_login(play) -> None:
    async def scenario(world: World) -> None:
        world.configure(tunnels={})
        for path in ("/keys", "/keys/laptop/remove"):
            answer = await world.browser().post(AUTH + path, {"name": "laptop", "key": fresh_key()})
            assert answer.headers["location"] == "/login"
            stranger = await world.browser().post(AUTH + path, headers={"Origin": "https://evil.example"})
            assert stranger.status_code == 403

    play(scenario)


def test_where_no_tunnels_are_wanted_nobody_meets_keys(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        assert "SSH" not in (await browser.get(f"{AUTH}/")).text
        assert (await browser.post(f"{AUTH}/keys", {"name": "a", "key": fresh_key()})).status_code == 404
        await world.identity.keys.add("a", fresh_key(), account="ann", rights=Rights(), by="cli")
        assert "Your SSH keys" in (await browser.get(f"{AUTH}/")).text

    play(scenario)


def test_one_sees_ones_own_tunnels(play) -> None:
    async def scenario(world: World) -> None:
        browser = await at_home(world)
        async with SshServer.beside(world) as server:
            page = (await browser.get(f"{AUTH}/")).text
            assert "No tunnel stands." in page
            assert "ssh -p 2222 -R ann-blog:80:localhost:3000 auth.example.com" in page
            failing = live(world, service="db", url="db.example.com:5432", kind="tcp", health="failing")
            server.live += [live(world), failing, live(world, service="bobs", account="bob")]
            page = (await browser.get(f"{AUTH}/")).text
            assert '<a href="https://ann-blog.example.com">ann-blog.example.com</a>' in page
            assert "198.51.100.4 with the key laptop" in page
            assert "20 Nov 2026, 13:00 UTC (just now)" in page
            assert "Answers" in page
            assert "Does not answer" in page
            assert "db.example.com:5432" in page
            assert "bobs" not in page
        assert "does not answer just now" in (await browser.get(f"{AUTH}/")).text

    play(scenario)


def test_only_what_a_browser_can_open_is_a_link(play) -> None:
    async def scenario(world: World) -> None:
        odd = live(world, url="javascript:alert(1)", health="unknown", since=world.now - timedelta(hours=2))
        (line,) = lines([odd], world.now)
        assert (line.link, line.state, line.well) == ("", "Just opened", True)
        assert line.since_text.endswith("(2 h ago)")
        world.configure(tunnels={"listen": ":22"})
        wanted = "ssh -R ann-b-blog:80:localhost:3000 auth.example.com"
        assert example(world.settings, "ann.b") == wanted

    play(scenario)


def test_the_admin_api_lists_live_tunnels(play) -> None:
    async def scenario(world: World) -> None:
        cli = Cli(world)
        assert await cli("GET", "/tunnels") == (200, {"running": False, "live": []})
        async with SshServer.beside(world) as server:
            server.live.append(live(world))
            status, body = await cli("GET", "/tunnels")
        assert (status, body["running"]) == (200, True)
        (tunnel,) = body["live"]
        assert (tunnel["service"], tunnel["key"], tunnel["since"]) == ("ann-blog", "laptop", "2026-11-20T13:00:00Z")

    play(scenario)
