"""Home, and what one can do there for one's own account."""

import re

import pyotp
import pytest
from tests.unit.portal.browser import Browser
from tests.unit.portal.world import AUTH, PASSWORD, SETTINGS, World

from portward.config import Settings
from portward.model import Account, Role
from portward.portal.home import open_to

NEW = "harbour violin basalt cloud"


def names_for(account: Account) -> list[tuple[str, str]]:
    return [(card.name, card.icon) for card in open_to(account, Settings.model_validate(SETTINGS))]


def test_home_lists_what_the_account_may_open() -> None:
    everybody = [("hello", "lock"), ("blog", "globe"), ("vault", "key")]
    assert names_for(Account("ann")) == everybody
    assert names_for(Account("ann", groups=frozenset({"family"}))) == [*everybody, ("family", "lock")]


def test_a_service_with_several_routes_has_one_card() -> None:
    routes = [{"path": "/app1"}, {"path": "/app2", "access": "members"}]
    service = {"upstream": "demo", "access": "owners", "routes": routes}
    settings = Settings.model_validate({"domain": "example.com", "services": {"apps": service}})
    (card,) = open_to(Account("ann"), settings)
    assert (card.where, card.url) == ("apps.example.com/app2/", "https://apps.example.com:8443/app2/")
    (card,) = open_to(Account("ann", role=Role.OWNER), settings)
    assert card.where == "apps.example.com"


@pytest.mark.parametrize(("role", "told"), [(Role.OWNER, "portward publish blog"), (Role.MEMBER, "Nothing is open to")])
def test_an_empty_home_says_what_to_do(play, role: Role, told: str) -> None:
    async def scenario(world: World) -> None:
        world.settings = Settings.model_validate({"domain": "example.com", "listen": {"https": [":443"]}})
        await world.member(role=role)
        browser = await world.logged_in()
        assert told in (await browser.get(f"{AUTH}/")).text

    play(scenario)


def test_names_are_shown_and_never_run(play) -> None:
    async def scenario(world: World) -> None:
        await world.identity.accounts.add_with_password("ann", PASSWORD, by="test", display_name="<img src=x>&")
        browser = await world.logged_in()
        page = await browser.get(f"{AUTH}/")
        assert "&lt;img src=x&gt;&amp;" in page.text
        assert "<img" not in page.text

    play(scenario)


def test_a_session_can_be_ended_from_another_one(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        here = await world.logged_in()
        world.later(minutes=5)
        there = await world.logged_in()
        page = await here.get(f"{AUTH}/")
        assert page.text.count("This one") == 1
        (other,) = (
            session.id for session in await world.identity.sessions.list("ann") if session.created_at == world.now
        )
        ended = await here.post(f"{AUTH}/sessions/{other}/end")
        assert "That session is over" in (await here.follow(ended)).text
        assert (await there.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


def test_nobody_can_end_the_session_of_somebody_else(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        await world.member("bob")
        browser, bobs = await world.logged_in(), await world.logged_in("bob")
        (session,) = await world.identity.sessions.list("bob")
        assert (await browser.post(f"{AUTH}/sessions/{session.id}/end")).status_code == 404
        assert (await bobs.get(f"{AUTH}/")).status_code == 200

    play(scenario)


def test_ending_the_own_session_logs_out(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        (session,) = await world.identity.sessions.list("ann")
        page = await browser.follow(await browser.post(f"{AUTH}/sessions/{session.id}/end"))
        assert "You are logged out." in page.text

    play(scenario)


def test_a_new_password_ends_the_other_sessions(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        here, there = await world.logged_in(), await world.logged_in()
        form = await here.get(f"{AUTH}/account/password")
        assert "is not right" in (await here.submit(form, password="wrong", new_password=NEW)).text
        assert "easy to guess" in (await here.submit(form, password=PASSWORD, new_password="passwordpassword")).text
        done = await here.submit(form, password=PASSWORD, new_password=NEW)
        assert "Your password is changed" in (await here.follow(done)).text
        assert (await there.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


async def turn_on(world: World, browser: Browser) -> tuple[pyotp.TOTP, list[str]]:
    page = await browser.get(f"{AUTH}/account/totp")
    secret = re.search(r'<code class="secret">([A-Z2-7 ]+)</code>', page.text)
    assert secret
    totp = pyotp.TOTP(secret[1].replace(" ", ""))
    page = await browser.submit(page, code=totp.at(world.now))
    return totp, re.findall(r"<li><code>([^<]+)</code></li>", page.text)


def test_the_authenticator_app_is_turned_on_with_a_code(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        before = browser.cookie("auth.example.com")
        page = await browser.get(f"{AUTH}/account/totp")
        assert "<svg" in page.text
        assert 'href="otpauth://totp/' in page.text
        wrong = await browser.submit(page, code="12 34 5")
        assert wrong.status_code == 422
        assert "does not fit" in wrong.text
        _, codes = await turn_on(world, browser)
        assert len(set(codes)) == 10
        assert browser.cookie("auth.example.com") != before
        assert "10 of 10 left" in (await browser.get(f"{AUTH}/")).text

    play(scenario)


def test_the_same_secret_is_shown_until_it_is_confirmed(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        first, second = await browser.get(f"{AUTH}/account/totp"), await browser.get(f"{AUTH}/account/totp")
        assert first.content == second.content

    play(scenario)


def test_turning_the_app_off_takes_a_fresh_code(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        totp, _ = await turn_on(world, browser)
        world.later(minutes=20)
        page = await browser.get(f"{AUTH}/account/totp/off")
        refused = await browser.submit(page, code="")
        assert refused.status_code == 422
        assert (await world.identity.accounts.get("ann")).has_totp
        done = await browser.submit(page, code=totp.at(world.now))
        assert "no longer asked for" in (await browser.follow(done)).text
        assert not (await world.identity.accounts.get("ann")).has_totp

    play(scenario)


def test_right_after_a_second_factor_no_other_code_is_asked_for(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        _, old = await turn_on(world, browser)
        page = await browser.get(f"{AUTH}/account/recovery-codes")
        assert "6-digit code" not in page.text
        renewed = await browser.submit(page)
        assert not set(old) & set(re.findall(r"<li><code>([^<]+)</code></li>", renewed.text))
        assert "Your recovery codes" in renewed.text

    play(scenario)


def test_pages_of_the_second_factor_lead_home_without_one(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        for path in ("/account/totp/off", "/account/recovery-codes"):
            assert (await browser.get(AUTH + path)).headers["location"] == "/"
            assert (await browser.post(AUTH + path)).headers["location"] == "/"

    play(scenario)


def test_every_page_of_an_account_asks_strangers_to_log_in(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        pages = ["/", "/step-up", "/account/password", "/account/totp", "/account/totp/off", "/account/recovery-codes"]
        forms = [*pages[1:], "/sessions/abc/end", "/logout-everywhere"]
        answers = [await browser.get(AUTH + page) for page in pages] + [
            await browser.post(AUTH + form) for form in forms
        ]
        assert {answer.headers["location"] for answer in answers} == {"/login"}

    play(scenario)
