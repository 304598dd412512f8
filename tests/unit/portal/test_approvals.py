"""An unknown key waits, and somebody who is logged in lets it in, or does not."""

from tests.unit.identity.test_keys import fresh_key
from tests.unit.portal.browser import Browser
from tests.unit.portal.ssh_server import SshServer, live
from tests.unit.portal.world import AUTH, PASSWORD, World

from portward.config.publickeys import read_public_key
from portward.facts import KeyApproved
from portward.model import Role

CODE = f"{AUTH}/ssh/BCDF-GHJK"


async def approver(world: World, *, role: Role = Role.MEMBER) -> Browser:
    world.configure(tunnels={"approve-unknown-keys": True})
    await world.member(role=role)
    return await world.logged_in()


def waiting(server: SshServer, **more: str) -> str:
    """Returns the key's fingerprint."""
    line = fresh_key()
    key = read_public_key(line)
    server.waits(key.text, **{"fingerprint": key.fingerprint, **more})
    return key.fingerprint


def test_the_approver_sees_address_key_and_wish_and_lets_it_in(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            fingerprint = waiting(server)
            server.rules_after = 2
            page = await browser.get(f"{AUTH}/ssh/bcdf-ghjk")
            for text in ("BCDF-GHJK", "198.51.100.4", "PuTTY", fingerprint, "-R blog:80"):
                assert text in page.text
            done = await browser.follow(await browser.submit(page, name="putty"))
            assert "The key is in, and its connection goes on." in done.text
            assert server.settled == [("approve", "BCDF-GHJK")]
            (key,) = await world.identity.keys.list("ann")
            assert (key.name, key.fingerprint, key.publish, key.reach) == ("putty", fingerprint, ("ann-*",), ())
            fact = world.facts[-1]
            assert isinstance(fact, KeyApproved)
            assert (fact.account, fact.address, fact.key, fact.wish) == ("ann", "198.51.100.4", "putty", "-R blog:80")

    play(scenario)


def test_an_owner_may_grant_what_the_client_wants(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world, role=Role.OWNER)
        async with SshServer.beside(world) as server:
            waiting(server)
            page = await browser.get(CODE)
            assert 'name="publish" value="ann-* blog"' in page.text
            await browser.submit(page)
            (key,) = await world.identity.keys.list()
            assert (key.name, key.publish) == ("ann", ("ann-*", "blog"))

    play(scenario)


def test_a_stranger_logs_in_first_and_comes_back(play) -> None:
    async def scenario(world: World) -> None:
        await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            stranger = world.browser()
            page = await stranger.follow(await stranger.get(CODE))
            assert "let an SSH key in" in page.text
            page = await stranger.follow(await stranger.submit(page, username="ann", password=PASSWORD))
            assert "Let this key in?" in page.text
            assert (await world.browser().post(CODE)).headers["location"] == "/login"

    play(scenario)


def test_a_second_factor_on_the_way_leads_back_too(play) -> None:
    async def scenario(world: World) -> None:
        world.configure(tunnels={"approve-unknown-keys": True})
        totp = await world.member_with_totp()
        async with SshServer.beside(world) as server:
            waiting(server)
            browser = world.browser()
            page = await browser.follow(await browser.get(CODE))
            page = await browser.submit(page, username="ann", password=PASSWORD)
            page = await browser.follow(await browser.submit(page, code=totp.at(world.now)))
            assert "Let this key in?" in page.text
            page = await browser.get(f"{AUTH}/login?host=&to=%2Fssh%2FBCDF-GHJK&nonce=")
            assert "Let this key in?" in (await browser.follow(page)).text

    play(scenario)


def test_a_login_leads_nowhere_else_without_a_host(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        for to in ("/account/password", "//evil.example/", "/ssh/../logout", "/ssh/A%0d%0aX", "https://evil.example"):
            page = await browser.get(f"{AUTH}/login", params={"host": "", "to": to, "nonce": ""})
            assert page.headers["location"] == "/"
        page = await world.browser().get(f"{AUTH}/ssh/{'A' * 80}")
        assert page.headers["location"] == "/login?host=&to=%2F&nonce="

    play(scenario)


def test_another_key_under_the_same_code_is_not_let_in(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            page = await browser.get(CODE)
            server.pending.clear()
            waiting(server)
            assert (await browser.submit(page)).status_code == 404
            assert (await world.identity.keys.list(), server.settled) == ([], [])

    play(scenario)


def test_a_connection_may_be_turned_away(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            page = await browser.submit(await browser.get(CODE), form=1)
            assert "was turned away" in (await browser.follow(page)).text
            assert server.settled == [("refuse", "BCDF-GHJK")]
            assert await world.identity.keys.list() == []

    play(scenario)


def test_a_key_whose_connection_has_ended_meanwhile_is_kept(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            page = await browser.get(CODE)
            server.gone = True
            assert "connect again" in (await browser.follow(await browser.submit(page, name="putty"))).text
            assert await world.identity.keys.get("putty")

    play(scenario)


def test_a_key_that_the_server_let_in_by_itself_goes_on(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            fingerprint = waiting(server)
            page = await browser.get(CODE)
            server.gone = True
            server.live.append(live(world, fingerprint=fingerprint))
            assert "its connection goes on" in (await browser.follow(await browser.submit(page))).text

    play(scenario)


def test_a_code_is_good_for_ten_minutes(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            page = await browser.get(CODE)
            world.later(minutes=10)
            for answer in (await browser.get(CODE), await browser.submit(page), await browser.post(f"{CODE}/refuse")):
                assert answer.status_code == 404
                assert "Nobody waits under this code" in answer.text
            assert (await world.identity.keys.list(), server.settled) == ([], [])
        assert (await browser.get(CODE)).status_code == 404

    play(scenario)


def test_codes_can_not_be_guessed_at_leisure(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            for _ in range(20):
                assert (await browser.get(CODE)).status_code == 200
            statuses = [(await browser.get(f"{AUTH}/ssh/BCDF-GHJ{letter}")).status_code for letter in "LMNPQRSTVWX"]
            assert statuses == [404] * 10 + [429]
            assert (await browser.get(CODE)).status_code == 429
            world.later(minutes=61)
            assert (await browser.get(f"{AUTH}/ssh/BCDF-GHJL")).status_code == 404

    play(scenario)


def test_a_name_that_is_taken_and_a_weak_key_are_told_on_the_page(play) -> None:
    async def scenario(world: World) -> None:
        browser = await approver(world)
        async with SshServer.beside(world) as server:
            waiting(server)
            page = await browser.get(CODE)
            wrong = await browser.submit(page, name="Not a name")
            assert wrong.status_code == 422
            assert "can&#39;t be the name of a key" in wrong.text
            await browser.submit(page)
            server.waits("ssh-dss AAAA", fingerprint="SHA256:old")
            page = await browser.get(CODE)
            assert 'value="ann-2"' in page.text
            assert "ssh-dss are not accepted" in (await browser.submit(page)).text

    play(scenario)


def test_where_it_is_off_there_is_no_such_page(play) -> None:
    async def scenario(world: World) -> None:
        await approver(world)
        browser = await world.logged_in()
        world.configure(tunnels={})
        async with SshServer.beside(world) as server:
            waiting(server)
            for answer in (await browser.get(CODE), await browser.post(CODE), await browser.post(f"{CODE}/refuse")):
                assert answer.status_code == 404
            assert (await world.browser().get(CODE)).status_code == 404

    play(scenario)
