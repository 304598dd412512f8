"""Passkeys on the portal's pages: who may add one, what a login with one leads to, what a page may load for it."""

import json
import re
from html import unescape

import httpx
from tests.unit.identity.authenticator import SecurityKey
from tests.unit.portal.browser import Browser
from tests.unit.portal.world import AUTH, PASSWORD, World

NEW = f"{AUTH}/account/passkeys/new"


def offered(page: httpx.Response) -> dict[str, object]:
    """What the page hands to navigator.credentials.create()."""
    found = re.search(r'data-passkey="([^"]+)"', page.text)
    assert found, page.text
    return dict(json.loads(unescape(found[1])))


async def added(browser: Browser, **proof: str) -> tuple[SecurityKey, httpx.Response]:
    page = await browser.get(NEW)
    if proof:
        page = await browser.submit(page, **proof)
    key = SecurityKey(AUTH)
    return key, await browser.submit(page, name="phone", passkey=key.make(offered(page)))


async def asked(browser: Browser, **form: str) -> dict[str, object]:
    return dict((await browser.post(f"{AUTH}/passkey/ask", {"host": "", **form})).json())


def test_a_passkey_is_added_with_the_password_and_logs_in_without(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        key, page = await added(browser, password=PASSWORD)
        assert "Your recovery codes" in page.text
        assert "phone" in (await browser.get(f"{AUTH}/")).text
        stranger = world.browser("198.51.100.9")
        shown = key.show(await asked(stranger))
        page = await stranger.submit(await stranger.get(f"{AUTH}/login"), form=1, passkey=shown)
        assert "Your services" in (await stranger.follow(page)).text

    play(scenario)


def test_a_wrong_password_gets_no_offer(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        page = await browser.submit(await browser.get(NEW), password="not this one, sorry")
        assert page.status_code == 422
        assert "data-passkey" not in page.text
        made = SecurityKey(AUTH).make({"user": {"id": "AAAA"}, "rp": {"id": "auth.example.com"}, "challenge": "AAAA"})
        page = await browser.post(f"{AUTH}/account/passkeys", {"name": "mine", "passkey": made})
        assert page.status_code == 422
        assert await world.identity.passkeys.list("ann") == []

    play(scenario)


def test_who_has_a_second_factor_shows_it_before_another_is_added(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = await world.logged_in(totp=totp)
        world.later(minutes=11)
        page = await browser.get(NEW)
        assert "6-digit code" in page.text
        assert (await browser.submit(page, password=PASSWORD)).status_code == 422
        _, page = await added(browser, code=totp.at(world.now))
        assert page.headers["location"] == "/?news=passkey"

    play(scenario)


def test_a_password_is_not_enough_any_more_once_there_is_a_passkey(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        key, _ = await added(await world.logged_in(), password=PASSWORD)
        browser = world.browser("198.51.100.9")
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username="ann", password=PASSWORD)
        assert "Use a passkey" in page.text
        assert "6-digit code" not in page.text
        assert browser.cookie("auth.example.com") is None
        ticket = re.findall(r'name="ticket" value="([^"]+)"', page.text)[0]
        shown = key.show(await asked(browser, ticket=ticket))
        done = await browser.submit(page, passkey=shown)
        assert "Your services" in (await browser.follow(done)).text

    play(scenario)


def test_removing_a_passkey_asks_for_the_second_factor_and_ends_other_sessions(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser, other = await world.logged_in(), await world.logged_in()
        key, _ = await added(browser, password=PASSWORD)
        [passkey] = await world.identity.passkeys.list("ann")
        world.later(minutes=11)
        page = await browser.get(f"{AUTH}/account/passkeys/{passkey.id}/remove")
        refused = await browser.submit(page, form=1)
        assert refused.status_code == 422
        done = await browser.submit(page, passkey=key.show(await asked(browser, session="1")))
        assert done.headers["location"] == "/?news=passkey-removed"
        assert (await browser.get(f"{AUTH}/")).status_code == 200
        assert (await other.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


def test_a_passkey_is_renamed_by_its_owner_alone(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        await world.member("bob")
        browser = await world.logged_in()
        await added(browser, password=PASSWORD)
        [passkey] = await world.identity.passkeys.list("ann")
        place = f"{AUTH}/account/passkeys/{passkey.id}/rename"
        await browser.submit(await browser.get(place), name="laptop")
        bob = await world.logged_in("bob")
        assert (await bob.post(place, {"name": "mine"})).status_code == 404
        assert (await browser.submit(await browser.get(place), name="x" * 70)).status_code == 422
        assert [found.name for found in await world.identity.passkeys.list("ann")] == ["laptop"]

    play(scenario)


def test_what_is_to_be_signed_is_told_to_nobody_without_ticket_or_session(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        await added(await world.logged_in(), password=PASSWORD)
        stranger = world.browser("198.51.100.9")
        assert (await asked(stranger))["allowCredentials"] == []
        late = await stranger.post(f"{AUTH}/passkey/ask", {"ticket": "made up"})
        assert (late.status_code, list(late.json())) == (422, ["error"])
        assert (await stranger.post(f"{AUTH}/passkey/ask", {"session": "1"})).headers["location"] == "/login"

    play(scenario)


def test_the_login_runs_its_own_script_and_no_other(play) -> None:
    async def scenario(world: World) -> None:
        page = await world.browser().get(f"{AUTH}/login")
        policy = page.headers["content-security-policy"]
        assert "script-src 'self'" in policy
        assert "unsafe" not in policy
        for source in re.findall(r'<script src="([^"]+)"', page.text):
            assert (await world.browser().get(f"{AUTH}{source}")).status_code == 200

    play(scenario)
