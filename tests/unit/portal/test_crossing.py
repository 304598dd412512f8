"""From a service to the login and back: the very URL, once, in one browser, and never anywhere else."""

from urllib.parse import quote, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.portal.browser import Browser, onward
from tests.unit.portal.world import AUTH, HELLO, PASSWORD, SETTINGS, World

from portward.config import Settings
from portward.model import EdgeSession
from portward.portal import pending
from portward.portal.cookie import Mark, token_in


async def arrive(browser: Browser, page) -> str:
    """The URL on the service at which the browser ends."""
    page = await browser.follow(page)
    target = onward(page)
    assert target is not None, page.text
    return str(target)


def test_a_visitor_comes_back_to_the_very_url(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        login = await browser.follow(await browser.get(f"{HELLO}/.portward/start?to={quote('/inbox?page=2&q=a%20b')}"))
        page = await browser.submit(login, username="ann", password=PASSWORD)
        assert await arrive(browser, page) == f"{HELLO}/inbox?page=2&q=a%20b"
        assert token_in(browser.cookie("hello.example.com"))

    play(scenario)


def test_who_is_logged_in_already_sees_no_page_at_all(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        page = await browser.get(f"{HELLO}/.portward/start?to=%2Fa")
        steps = []
        while (target := onward(page)) and ("/.portward/" in target.path or target.host.startswith("auth.")):
            assert not page.text
            steps.append(target.path)
            page = await browser.get(str(target))
        assert steps == ["/start", "/.portward/enter"]
        assert onward(page) == f"{HELLO}/a"

    play(scenario)


def test_the_destination_survives_the_second_factor(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = world.browser()
        page = await browser.follow(await browser.get("https://vault.example.com/.portward/start?to=%2Fdeep"))
        page = await browser.submit(page, username="ann", password=PASSWORD)
        page = await browser.submit(page, code="12345x")
        page = await browser.submit(page, code=totp.at(world.now))
        assert await arrive(browser, page) == "https://vault.example.com/deep"

    play(scenario)


def test_the_destination_survives_setting_up_a_second_factor(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        page = await browser.follow(await browser.get("https://vault.example.com/.portward/start?to=%2Fdeep"))
        page = await browser.follow(await browser.submit(page, username="ann", password=PASSWORD))
        assert "Add a second factor" in page.text
        offer = await world.identity.credentials.pending_totp("ann")
        assert offer
        assert "vault.example.com" in page.text
        page = await browser.submit(page, code=pyotp.TOTP(offer.secret).at(world.now))
        assert "Your recovery codes" in page.text
        link = page.text.split('class="button first" href="')[1].split('"')[0].replace("&amp;", "&")
        assert await arrive(browser, await browser.get(AUTH + link)) == "https://vault.example.com/deep"

    play(scenario)


def test_a_stale_second_factor_is_asked_for_again(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = await world.logged_in(totp=totp)
        world.later(hours=25)
        page = await browser.follow(await browser.get("https://vault.example.com/.portward/start?step=1&to=%2Fdeep"))
        assert "Confirm it is you" in page.text
        page = await browser.submit(page, code=totp.at(world.now))
        assert await arrive(browser, page) == "https://vault.example.com/deep"

    play(scenario)


def test_a_code_is_worthless_in_another_browser(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        victim, attacker = world.browser(), await world.logged_in()
        page = await attacker.get((await attacker.get(f"{HELLO}/.portward/start?to=%2F")).headers["location"])
        stolen = page.headers["location"]
        assert "did not keep the login" in (await victim.get(stolen)).text
        await victim.get(f"{HELLO}/.portward/start?to=%2F")
        refused = await victim.get(stolen)
        assert urlsplit(refused.headers["location"]).path == "/.portward/start"
        assert token_in(victim.cookie("hello.example.com")) is None

    play(scenario)


def test_a_used_code_does_not_hurt_who_used_it(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        page = await browser.get((await browser.get(f"{HELLO}/.portward/start?to=%2Fa")).headers["location"])
        first = await browser.get(page.headers["location"])
        assert first.headers["location"] == f"{HELLO}/a"
        again = await browser.get(page.headers["location"])
        assert again.headers["location"] == f"{HELLO}/a"

    play(scenario)


def test_a_late_code_begins_the_login_anew(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        page = await browser.get((await browser.get(f"{HELLO}/.portward/start?to=%2Fa")).headers["location"])
        world.later(seconds=40)
        assert await arrive(browser, await browser.get(page.headers["location"])) == f"{HELLO}/a"

    play(scenario)


def test_an_edge_out_of_reach_lets_nobody_in(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        world.gatekeeper.away = True
        page = await browser.follow(await browser.get(f"{HELLO}/.portward/start?to=%2F"))
        assert page.status_code == 503
        assert "0199f3a2c41d" in page.text
        assert "set-cookie" not in page.headers
        assert token_in(browser.cookie("hello.example.com")) is None

    play(scenario)


def test_who_may_not_open_a_host_gets_a_page_with_another_account(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        await world.member("bob")
        await world.identity.groups.add("family", by="test")
        await world.identity.accounts.set_groups("bob", ["family"], by="test")
        browser = await world.logged_in()
        page = await browser.follow(await browser.get("https://family.example.com/.portward/start?to=%2Falbum"))
        assert page.status_code == 403
        assert "ann may not open family.example.com" in page.text
        link = page.text.split('class="button first" href="')[1].split('"')[0].replace("&amp;", "&")
        page = await browser.follow(await browser.submit(await browser.get(AUTH + link)))
        page = await browser.submit(page, username="bob", password=PASSWORD)
        assert await arrive(browser, page) == "https://family.example.com/album"

    play(scenario)


def test_switching_starts_at_the_service_too(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        await world.member("bob")
        browser = await world.logged_in()
        page = await browser.follow(await browser.get(f"{HELLO}/.portward/switch?to=%2Fa"))
        assert "You are logged in as ann" in page.text
        page = await browser.follow(await browser.submit(page))
        page = await browser.submit(page, username="bob", password=PASSWORD)
        assert await arrive(browser, page) == f"{HELLO}/a"

    play(scenario)


@pytest.mark.parametrize(
    ("referer", "to"),
    [
        ("https://hello.example.com/album?id=3", "/album?id=3"),
        ("https://evil.example/album", "/"),
        ("https://hello.example.com//evil.example", "/"),
        ("https://[nonsense", "/"),
    ],
)
def test_switching_leads_back_to_the_page_that_refused(play, referer: str, to: str) -> None:
    async def scenario(world: World) -> None:
        page = await world.browser().get(f"{HELLO}/.portward/switch", headers={"Referer": referer})
        target = onward(page)
        assert target is not None
        assert target.params["to"] == to

    play(scenario)


def test_logging_out_at_a_service_clears_its_cookie_and_asks_at_the_portal(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        await arrive(browser, await browser.get(f"{HELLO}/.portward/start?to=%2F"))
        page = await browser.get(f"{HELLO}/.portward/logout")
        assert page.headers["location"] == f"{AUTH}/logout"
        assert browser.cookie("hello.example.com") is None
        assert (await browser.post(f"{HELLO}/.portward/logout")).status_code == 303

    play(scenario)


def test_a_browser_that_comes_back_in_vain_is_stopped_after_three_bounces(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        await browser.get(f"{HELLO}/.portward/start?to=%2Fa")
        pages = [await browser.get(f"{HELLO}/.portward/enter?code=late&to=%2Fa") for _ in range(3)]
        assert [page.status_code for page in pages] == [302, 302, 400]
        assert "Going round in circles" in pages[-1].text
        assert (await browser.get(f"{HELLO}/.portward/start?to=%2Fa")).status_code == 302

    play(scenario)


def test_slow_bounces_are_no_loop(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        await browser.get(f"{HELLO}/.portward/start?to=%2Fa")
        for _ in range(5):
            assert (await browser.get(f"{HELLO}/.portward/enter?code=late&to=%2Fa")).status_code == 302
            world.later(seconds=61)

    play(scenario)


def test_setting_out_many_times_is_no_loop(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for number in range(12):
            assert (await browser.get(f"{HELLO}/.portward/start?to=%2F{number}")).status_code == 302

    play(scenario)


def test_a_login_that_does_not_stick_at_the_edge_is_stopped(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        for _ in range(3):
            assert await arrive(browser, await browser.get(f"{HELLO}/.portward/start?to=%2F")) == f"{HELLO}/"
        page = await browser.follow(await browser.get(f"{HELLO}/.portward/start?to=%2F"))
        assert "Going round in circles" in page.text

    play(scenario)


def test_tabs_that_log_in_side_by_side_do_not_disturb_each_other(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        one = await browser.follow(await browser.get(f"{HELLO}/.portward/start?to=%2Fone"))
        two = await browser.follow(await browser.get(f"{HELLO}/.portward/start?to=%2Ftwo"))
        assert await arrive(browser, await browser.submit(one, username="ann", password=PASSWORD)) == f"{HELLO}/one"
        assert await arrive(browser, await browser.submit(two, username="ann", password=PASSWORD)) == f"{HELLO}/two"

    play(scenario)


def test_a_link_to_a_host_that_is_not_enrolled_leads_nowhere(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        for host in ("evil.example", "example.com", "auth.example.com", "hello.example.com.evil.example", ""):
            page = await browser.get(f"{AUTH}/start", params={"host": host, "to": "/", "nonce": "0" * 64})
            assert page.status_code == 400
        page = await browser.get(f"{AUTH}/start", params={"host": "hello.example.com", "to": "/", "nonce": "short"})
        assert page.status_code == 400

    play(scenario)


def test_a_host_that_is_no_service_has_no_pages(play) -> None:
    async def scenario(world: World) -> None:
        assert (await world.browser().get("https://evil.example/.portward/start?to=%2F")).status_code == 404
        assert (await world.browser().get(f"{HELLO}/login")).status_code == 404
        assert (await world.browser().get(f"{AUTH}/.portward/start?to=%2F")).status_code == 404

    play(scenario)


HOSTS = frozenset(route.host for route in Settings.model_validate(SETTINGS).routes)
PIECES = [
    "/",
    "\\",
    "//",
    "@",
    "evil.example",
    ":",
    "#",
    "?",
    "%2f",
    "%5c",
    ".",
    "javascript:",
    "https:",
    "hello.example.com",
    "evil-example.com",
]
PIECES += ["\t", "\n", "\r", " ", "\x00", "\x7f", "\u3002", "\uff0f", "\u2028", "\ud800"]
HOSTILE = st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=8).map("".join))


@given(to=HOSTILE)
@pytest.mark.parametrize("port", [443, 8443])
def test_whatever_the_path_says_it_stays_on_the_host(port: int, to: str) -> None:
    settings = Settings.model_validate({**SETTINGS, "listen": {"https": [f":{port}"]}})
    origin = "https://hello.example.com" + ("" if port == 443 else f":{port}")
    target = settings.url("hello.example.com", pending.safe_path(to))
    assert target.startswith(f"{origin}/")
    assert not target.startswith(f"{origin}//")
    assert "\\" not in target
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target


@given(host=HOSTILE, to=HOSTILE, nonce=st.one_of(HOSTILE, st.just("0" * 64)), step=HOSTILE)
def test_only_enrolled_hosts_are_destinations(host: str, to: str, nonce: str, step: str) -> None:
    found = pending.read({"host": host, "to": to, "nonce": nonce, "step": step}, HOSTS)
    assert found is None or found.host in HOSTS


@given(to=HOSTILE)
def test_a_destination_is_read_as_it_was_written(to: str) -> None:
    going = pending.Pending("hello.example.com", pending.safe_path(to), "0" * 64, step=True)
    assert pending.read(going.fields(), HOSTS) == going


@given(cookie=st.text(max_size=80))
def test_nonsense_in_the_cookie_is_neither_mark_nor_token(cookie: str) -> None:
    assert Mark.read(cookie) is None or cookie.startswith("start.")
    assert token_in(cookie) is None or len(cookie) == 43


def test_the_edge_session_is_of_no_use_to_the_portal(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        await arrive(browser, await browser.get(f"{HELLO}/.portward/start?to=%2F"))
        other = world.browser()
        other.plant("auth.example.com", browser.cookie("hello.example.com") or "")
        assert (await other.get(f"{AUTH}/")).headers["location"] == "/login"
        sessions = await world.store.sessions.edge_sessions(world.settings.sessions, world.now)
        assert [type(session) for session in sessions] == [EdgeSession]

    play(scenario)
