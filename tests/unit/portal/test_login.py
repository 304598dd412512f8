"""Logging in: what gets in, what does not, and that a stranger learns nothing from the answer."""

import asyncio

from tests.unit.portal.world import AUTH, HELLO, PASSWORD, World


def test_a_right_password_leads_home(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username="ann", password=PASSWORD)
        assert page.status_code == 303
        home = await browser.follow(page)
        assert "Your services" in home.text
        assert "hello.example.com" in home.text

    play(scenario)


def test_wrong_password_and_unknown_account_get_the_same_bytes(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        await world.member("off")
        await world.identity.accounts.disable("off", by="test")
        answers = []
        for number, name in enumerate(("ann", "nobody", "off", "ann@example.com", "ANN", "<b>")):
            browser = world.browser(f"198.51.100.{number}")
            page = await browser.post(f"{AUTH}/login", {"username": name, "password": "not this one, sorry"})
            answers.append((page.status_code, page.headers.multi_items(), page.content))
        assert [answer for answer in answers if answer != answers[0]] == []
        assert answers[0][0] == 422

    play(scenario)


def test_too_many_wrong_tries_are_told_how_long_to_wait(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        for _ in range(20):
            page = await browser.post(f"{AUTH}/login", {"username": "ann", "password": "wrong"})
            if page.status_code == 429:
                break
        assert page.status_code == 429
        assert int(page.headers["retry-after"]) >= 1
        assert "Nothing was checked; try again in" in page.text
        assert (await world.browser("198.51.100.9").get(f"{AUTH}/login")).status_code == 200

    play(scenario)


def test_the_second_factor_is_asked_for_and_counts_once(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = world.browser()
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username="ann", password=PASSWORD)
        assert "One more step" in page.text
        assert browser.cookie("auth.example.com") is None
        code = totp.at(world.now)
        answers = await asyncio.gather(*(world.browser(f"198.51.100.{i}").submit(page, code=code) for i in range(50)))
        assert sum(answer.status_code == 303 for answer in answers) == 1

    play(scenario)


def test_a_wrong_code_may_be_corrected(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = world.browser()
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username="ann", password=PASSWORD)
        wrong = await browser.submit(page, code="000000" if totp.at(world.now) != "000000" else "000001")
        assert wrong.status_code == 422
        assert "That code is not right" in wrong.text
        right = await browser.submit(wrong, code=totp.at(world.now))
        assert "Your services" in (await browser.follow(right)).text

    play(scenario)


def test_a_spent_ticket_begins_the_login_anew(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = world.browser()
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username="ann", password=PASSWORD)
        world.later(minutes=6)
        late = await browser.submit(page, code=totp.at(world.now))
        assert late.status_code == 422
        assert 'action="/login"' in late.text

    play(scenario)


def test_a_recovery_code_stands_in_for_the_app(play) -> None:
    async def scenario(world: World) -> None:
        await world.member_with_totp()
        codes = await world.identity.credentials.new_recovery_codes("ann", by="test")
        browser = world.browser()
        page = await browser.submit(await browser.get(f"{AUTH}/login"), username="ann", password=PASSWORD)
        page = await browser.submit(page, form=1, code=codes[0])
        assert "9 of 10 left" in (await browser.follow(page)).text

    play(scenario)


def test_a_planted_cookie_gains_nothing(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser, planted = world.browser(), "A" * 43
        browser.plant("auth.example.com", planted)
        page = await browser.post(f"{AUTH}/login", {"username": "ann", "password": PASSWORD})
        assert page.cookies["__Host-portward"] != planted
        thief = world.browser()
        thief.plant("auth.example.com", planted)
        assert (await thief.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


def test_the_token_changes_when_the_second_factor_is_shown(play) -> None:
    async def scenario(world: World) -> None:
        totp = await world.member_with_totp()
        browser = await world.logged_in(totp=totp)
        before = browser.cookie("auth.example.com")
        assert before
        world.later(minutes=2)
        page = await browser.submit(await browser.get(f"{AUTH}/step-up"), code=totp.at(world.now))
        assert page.status_code == 303
        assert browser.cookie("auth.example.com") != before
        thief = world.browser()
        thief.plant("auth.example.com", before)
        assert (await thief.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


def test_a_browser_that_keeps_no_cookie_is_told_so(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        page = await browser.post(f"{AUTH}/login", {"username": "ann", "password": PASSWORD})
        browser.forget()
        told = await browser.follow(page)
        assert told.status_code == 400
        assert "did not keep the login" in told.text

    play(scenario)


def test_logging_out_asks_first_and_ends_the_session(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        token = browser.cookie("auth.example.com")
        assert token
        asked = await browser.get(f"{AUTH}/logout")
        assert "Log out?" in asked.text
        assert "Your services" in (await browser.get(f"{AUTH}/")).text
        assert "You are logged out." in (await browser.follow(await browser.submit(asked))).text
        browser.plant("auth.example.com", token)
        assert (await browser.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


def test_logging_out_everywhere_ends_other_browsers_too(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        here, there = await world.logged_in(), await world.logged_in()
        page = await here.post(f"{AUTH}/logout-everywhere")
        assert "on every device" in (await here.follow(page)).text
        assert (await there.get(f"{AUTH}/")).headers["location"] == "/login"

    play(scenario)


def test_a_second_factor_page_that_is_reloaded_goes_back_to_the_login(play) -> None:
    async def scenario(world: World) -> None:
        page = await world.browser().get(f"{AUTH}/login/second-factor")
        assert page.headers["location"] == "/login"

    play(scenario)


def test_the_login_says_where_it_leads(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        page = await browser.follow(await browser.get(f"{HELLO}/.portward/start?to=%2F"))
        assert "to open <strong>hello.example.com</strong>" in page.text

    play(scenario)
