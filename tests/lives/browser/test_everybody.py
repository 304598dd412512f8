"""The portal serves everybody: without JavaScript, without a mouse, with a password manager, at night, on a phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway
from tests.lives.visitor import PASSWORD


@pytest.fixture
def without_scripts(chromium: Chromium) -> Iterator[Person]:
    with chromium.person(java_script_enabled=False) as somebody:
        yield somebody
        assert somebody.complaints == []
        assert somebody.saw_only_the_gateway()


def test_everything_works_without_javascript(without_scripts: Person, harbour: Gateway) -> None:
    person, name = without_scripts, "plain"
    link = re.search(r"https://\S+/enrol\S+", harbour.cli("account", "add", name))
    assert link
    person.enrol(link[0])
    app, codes = person.turn_on_totp()
    person.click("I have kept them")
    person.click("Log out")
    person.open("wiki", "/page?x=1")
    person.fill_login(name)
    person.enter_code(app.code())
    person.arrives("wiki", "/page?x=1")
    expect(person.page.locator("#user")).to_have_text(name)
    person.open("auth")
    person.click("Log out")
    person.sees("You are logged out.")
    person.open("wiki", "/page?x=2")
    person.fill_login(name)
    person.page.get_by_text("Use a recovery code instead").click()
    person.page.get_by_label("Recovery code").fill(codes[3])
    person.click("Continue with this code")
    person.arrives("wiki", "/page?x=2")
    person.open("auth")
    person.click("Log out")
    person.sees("You are logged out.")


def test_one_logs_in_with_the_keyboard_alone(person: Person, account: MakeAccount) -> None:
    name, keyboard = account(), person.page.keyboard
    person.open("wiki", "/page")
    expect(person.page.get_by_label("Account")).to_be_focused()
    keyboard.type(name)
    keyboard.press("Tab")
    expect(person.page.get_by_label("Password")).to_be_focused()
    keyboard.type("wrong at first")
    keyboard.press("Enter")
    expect(person.page.get_by_role("alert")).to_have_text("Account and password do not match.")
    expect(person.page.get_by_label("Account")).to_be_focused()
    keyboard.type(name)
    keyboard.press("Tab")
    keyboard.type(PASSWORD)
    keyboard.press("Tab")
    expect(person.page.get_by_role("button", name="Log in", exact=True)).to_be_focused()
    keyboard.press("Space")
    person.arrives("wiki", "/page")
    person.open("auth")
    keyboard.press("Tab")
    expect(person.page.get_by_role("link", name="Skip to your services")).to_be_in_viewport()
    keyboard.press("Enter")
    keyboard.press("Tab")
    expect(person.page.get_by_role("link", name=re.compile("^wiki"))).to_be_focused()


def test_password_managers_know_what_each_field_is(person: Person, harbour: Gateway, account: MakeAccount) -> None:
    person.open("auth", "/login")
    assert fields(person) == {"username": "username", "password": "current-password"}
    link = re.search(r"https://\S+/enrol\S+", harbour.cli("account", "add", "managed"))
    assert link
    person.page.goto(link[0])
    assert fields(person) == {"username": "username", "new_password": "new-password"}
    person.enrol(link[0])
    person.sees("Add a second factor")
    assert fields(person) == {"code": "one-time-code"}
    expect(person.page.get_by_label("6-digit code")).to_have_attribute("inputmode", "numeric")
    person.open("auth", "/account/password")
    assert fields(person) == {
        "username": "username",
        "password": "current-password",
        "new_password": "new-password",
    }


def fields(person: Person) -> dict[str, str]:
    """The autofill meaning of each field that a person fills in (HTML, section 4.10.18.7)."""
    found = person.page.locator("input:not([type=hidden])").all()
    return {str(field.get_attribute("name")): str(field.get_attribute("autocomplete")) for field in found}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(chromium: Chromium, account: MakeAccount, scheme: str) -> None:
    with chromium.person(color_scheme=scheme) as person:
        person.open("auth", "/login")
        assert contrast(person, ".card", "h1, label, .soft") >= 4.5
        assert contrast(person, ".button.first", ".button.first") >= 4.5
        person.log_in(account())
        assert contrast(person, ".list", ".list .detail, .list .title") >= 4.5
        assert contrast(person, ".tag", ".tag") >= 4.5


def contrast(person: Person, ground: str, text: str) -> float:
    """The lowest contrast ratio of `text` on the colour of `ground` (WCAG 2.2, section 1.4.3)."""
    back = luminance(person.page.locator(ground).first.evaluate("e => getComputedStyle(e).backgroundColor"))
    found = person.page.locator(text).evaluate_all("all => all.map(e => getComputedStyle(e).color)")
    pairs = [sorted((luminance(colour), back)) for colour in found]
    return min((high + 0.05) / (low + 0.05) for low, high in pairs)


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_nothing_sticks_out_on_a_narrow_phone(chromium: Chromium, account: MakeAccount) -> None:
    with chromium.person(viewport={"width": 320, "height": 640}, is_mobile=True, has_touch=True) as person:
        person.open("staff", "/desk")
        assert overhang(person) <= 0
        person.fill_login(account())
        person.sees("not open to you")
        assert overhang(person) <= 0
        for path in ("/", "/account/totp", "/account/password", "/logout"):
            person.open("auth", path)
            assert overhang(person) <= 0, path


def overhang(person: Person) -> int:
    return int(person.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def test_every_page_has_a_title_a_heading_a_language_and_names_for_its_fields(
    person: Person, account: MakeAccount
) -> None:
    person.open("auth", "/login")
    titles = [check_page(person)]
    person.log_in(account())
    for path in ("/", "/account/totp", "/account/password", "/logout", "/nothing-here"):
        person.open("auth", path)
        titles.append(check_page(person))
    assert len(set(titles)) == len(titles)


def check_page(person: Person) -> str:
    page = person.page
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("h1")).to_have_count(1)
    expect(page.locator("main")).to_have_count(1)
    for field in page.locator("input:not([type=hidden]):not([aria-hidden])").all():
        assert field.evaluate("e => e.labels.length") == 1
    return page.title()
