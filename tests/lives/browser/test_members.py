"""What members meet day by day: a closed door, another account, a fresh code, a lost phone, a new password."""

import re

import pytest
from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Authenticator, Person
from tests.lives.gateway import Gateway

NEW_PASSWORD = "basalt violin under seven clouds"


def test_a_closed_door_says_so_and_offers_another_account(
    person: Person, harbour: Gateway, account: MakeAccount
) -> None:
    outsider, insider = account(), account(groups=["staff"])
    person.open("staff", "/desk?n=1")
    person.fill_login(outsider)
    person.sees("This one is not open to you")
    person.sees(f"You are logged in as {outsider}")
    request_id = person.page.locator("code").inner_text()
    assert "portward group join" in harbour.cli("explain", request_id)

    person.click("Switch account")
    person.click("Log out, and use another account")
    person.fill_login(insider)
    person.arrives("staff", "/desk?n=1")
    expect(person.page.locator("#user")).to_have_text(insider)


def test_a_member_who_is_put_out_of_the_group_meets_the_door_and_may_switch(
    person: Person, harbour: Gateway, account: MakeAccount
) -> None:
    leaving, staying = account(groups=["staff"]), account(groups=["staff"])
    person.open("staff", "/desk?n=2")
    person.fill_login(leaving)
    person.arrives("staff", "/desk?n=2")
    harbour.cli("group", "leave", "staff", leaving)
    person.page.reload()
    person.sees("not open to you")
    person.click("Switch account")
    person.click("Log out, and use another account")
    person.fill_login(staying)
    person.arrives("staff", "/desk?n=2")


def test_a_closed_part_of_an_open_service_offers_another_account_too(person: Person, account: MakeAccount) -> None:
    person.open("wiki", "/page")
    person.fill_login(account())
    person.arrives("wiki", "/page")
    person.open("wiki", "/desk/1?n=3")
    person.sees("not open to you")
    person.click("Switch account")
    person.click("Log out, and use another account")
    person.fill_login(account(groups=["staff"]))
    person.arrives("wiki", "/desk/1?n=3")


def test_going_back_after_logging_out_shows_nothing(person: Person, account: MakeAccount) -> None:
    person.log_in(account())
    person.click("Log out")
    person.sees("You are logged out.")
    person.page.go_back()
    expect(person.page.get_by_text("Your services")).to_have_count(0)
    person.stands_on("auth", "/login")


@pytest.fixture
def prepared(person: Person, account: MakeAccount) -> tuple[Authenticator, list[str]]:
    """The person has a second factor and is logged out again: the app, and the recovery codes."""
    person.log_in(account())
    person.click("Turn on the authenticator app")
    app, codes = person.turn_on_totp()
    person.click("I have kept them")
    person.click("Log out")
    person.sees("You are logged out.")
    return app, codes


def test_a_service_asks_for_the_second_factor_and_leads_back(
    person: Person, account: MakeAccount, prepared: tuple[Authenticator, list[str]]
) -> None:
    app, _ = prepared
    person.open("vault", "/gold?bar=1")
    person.fill_login(account.made[-1])
    person.sees("One more step")
    person.enter_code("000000")
    person.sees("That code is not right")
    person.enter_code(app.code())
    person.arrives("vault", "/gold?bar=1")


def test_a_session_steps_up_when_a_service_asks_for_it(
    chromium: Chromium, person: Person, account: MakeAccount
) -> None:
    name = account()
    with chromium.person() as elsewhere:
        elsewhere.log_in(name)
        person.log_in(name)
        person.click("Turn on the authenticator app")
        app, _ = person.turn_on_totp()
        elsewhere.open("vault", "/gold?bar=2#part-two")
        elsewhere.stands_on("auth", "/step-up")
        elsewhere.sees("vault.gate.test asks for a fresh code")
        before = elsewhere.cookie("auth")["value"]
        elsewhere.enter_code(app.code())
        elsewhere.arrives("vault", "/gold?bar=2#part-two")
        assert elsewhere.cookie("auth")["value"] != before


def test_a_recovery_code_lets_in_once(
    person: Person, account: MakeAccount, prepared: tuple[Authenticator, list[str]]
) -> None:
    _, codes = prepared
    for says in ("9 of 10 left", "That code is not right"):
        person.open("auth", "/login")
        person.fill_login(account.made[-1])
        person.page.get_by_text("Use a recovery code instead").click()
        person.page.get_by_label("Recovery code").fill(codes[0].upper())
        person.click("Continue with this code")
        person.sees(says)
        person.context.clear_cookies()


def test_the_second_factor_is_turned_off_with_the_second_factor(
    person: Person, account: MakeAccount, prepared: tuple[Authenticator, list[str]]
) -> None:
    app, _ = prepared
    person.open("auth", "/login")
    person.fill_login(account.made[-1])
    person.enter_code(app.code())
    person.click("Turn off the authenticator app")
    person.click("Turn it off")
    person.sees("Your authenticator app is no longer asked for.")
    person.open("vault")
    person.sees("Add a second factor")


def test_a_new_password_ends_the_other_sessions(chromium: Chromium, person: Person, account: MakeAccount) -> None:
    name = account()
    with chromium.person() as elsewhere:
        elsewhere.open("wiki", "/page")
        elsewhere.fill_login(name)
        elsewhere.arrives("wiki", "/page")
        person.log_in(name)
        person.click("Change your password")
        person.page.get_by_label("Current password").fill("sturdy lantern over quiet water")
        person.page.get_by_label("New password").fill(NEW_PASSWORD)
        person.click("Change it")
        person.sees("Your password is changed")
        elsewhere.page.reload()
        elsewhere.stands_on("auth", "/login")
        elsewhere.fill_login(name)
        elsewhere.sees("do not match")
        elsewhere.fill_login(name, NEW_PASSWORD)
        elsewhere.arrives("wiki", "/page")


def test_one_session_is_ended_from_the_home_page(chromium: Chromium, person: Person, account: MakeAccount) -> None:
    name = account()
    with chromium.person(user_agent="Mozilla/5.0 (Android 16; Mobile; rv:150.0) Firefox/150.0") as phone:
        phone.open("wiki", "/page")
        phone.fill_login(name)
        phone.arrives("wiki", "/page")
        person.log_in(name)
        person.click("End the session on Firefox on Android")
        person.sees("That session is over.")
        expect(person.page.get_by_text("This one")).to_be_visible()
        phone.page.reload()
        phone.stands_on("auth", "/login")
    person.page.reload()
    person.sees("Your sessions")


def test_somebody_logs_out_on_a_service(person: Person, account: MakeAccount) -> None:
    person.open("wiki", "/page")
    person.fill_login(account())
    person.arrives("wiki", "/page")
    person.open("wiki", "/.portward/logout")
    person.click("Log out")
    person.sees("You are logged out.")
    person.open("wiki", "/page")
    person.stands_on("auth", "/login")
    assert person.cookie("auth") is None


def test_the_home_page_lists_what_is_open_and_no_more(person: Person, account: MakeAccount) -> None:
    person.log_in(account())
    names = person.page.locator(".services .name").all_inner_texts()
    assert names == ["wiki", "notes", "vault", "open"]
    person.page.get_by_role("link", name=re.compile("^notes")).click()
    person.arrives("notes")
