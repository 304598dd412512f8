"""The way of a person: enrol, second factor, log in, arrive, talk, log out everywhere."""

import re
import time

from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway
from tests.lives.visitor import PASSWORD


def owner_link(gateway: Gateway) -> str:
    found = re.search(r"https://\S+/enrol\S+", gateway.cli("recover"))
    assert found
    return found[0]


def test_an_owner_enrols_and_comes_through_the_gate_and_leaves_it(
    chromium: Chromium, harbour: Gateway, person: Person
) -> None:
    person.enrol(owner_link(harbour), "grace")
    person.sees("Add a second factor")
    app, codes = person.turn_on_totp()
    assert len(set(codes)) == 10
    person.click("I have kept them")
    person.sees("Your services")

    with chromium.person() as elsewhere:
        elsewhere.open("wiki", "/page?x=1&y=%C3%A4")
        elsewhere.stands_on("auth", "/login")
        elsewhere.sees("wiki.gate.test")
        elsewhere.fill_login("grace")
        elsewhere.enter_code(app.code())
        elsewhere.arrives("wiki", "/page?x=1&y=%C3%A4")
        expect(elsewhere.page.locator("#user")).to_have_text("grace")
        assert elsewhere.socket("wiki") == "hello grace"
        elsewhere.says("ahoy")

        person.open("auth")
        person.click("Log out everywhere")
        person.sees("You are logged out on every device.")
        cut = time.monotonic()
        elsewhere.page.wait_for_function("() => window.cut", timeout=5_000)
        assert time.monotonic() - cut < 5
        elsewhere.page.reload()
        elsewhere.stands_on("auth", "/login")
        assert [said for said in elsewhere.complaints if "WebSocket" not in said] == []
        assert elsewhere.saw_only_the_gateway()


def test_a_second_account_enrols_by_a_link_of_the_command_line(harbour: Gateway, person: Person) -> None:
    link = re.search(r"https://\S+/enrol\S+", harbour.cli("account", "add", "bob", "--display-name", "Bob"))
    assert link
    person.page.goto(link[0])
    expect(person.page.get_by_label("Account")).to_have_value("bob")
    expect(person.page.get_by_label("Account")).not_to_be_editable()
    person.enrol(link[0])
    person.click("Not now")
    person.sees("Your services")

    person.page.goto(link[0])
    person.sees("This link is used up")
    person.click("Log in")
    person.sees("Your services")


def test_a_weak_password_is_explained_and_the_link_stays_good(harbour: Gateway, person: Person) -> None:
    harbour.cli("account", "add", "carla")
    link = re.search(r"https://\S+/enrol\S+", harbour.cli("account", "reset", "carla", "--yes"))
    assert link
    person.enrol(link[0], password="password1234")
    person.sees("too easy to guess")
    expect(person.page.get_by_label("Password")).to_be_focused()
    person.page.get_by_label("Password").fill(PASSWORD)
    person.page.locator("button.first").click()
    person.sees("Add a second factor")
