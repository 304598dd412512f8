"""Where a login leads, and where it never does: to the very address that was wanted, on an enrolled host."""

import re
from itertools import product
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import expect
from tests.lives.browser.chromium import Chromium
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway

NONCE = "0123456789abcdef" * 4
ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/%09/evil.example",
    "/%2f%2fevil.example",
    "/%5cevil.example",
    "/.//evil.example",
    "/@evil.example",
    "@evil.example",
    ".evil.example",
    "javascript:alert(1)",
    "data:text/html,evil",
    "/.portward/logout",
    "/\u2028/evil.example",
    "%252f%252fevil.example",
)
HOSTS = ("evil.example", "evilgate.test", "wiki.gate.test.evil.example", "wiki.gate.test@evil.example", "")


def test_a_deep_link_survives_the_login_with_its_fragment(person: Person, account: MakeAccount) -> None:
    person.open("wiki", "/a%20b/page?x=1&next=%2Fy%3Fz%3D2#part-two")
    person.fill_login(account(), "not this one at all")
    person.sees("do not match")
    person.fill_login(account())
    person.arrives("wiki", "/a%20b/page?x=1&next=%2Fy%3Fz%3D2#part-two")
    expect(person.page.locator("#asked")).to_have_text("/a%20b/page?x=1&next=%2Fy%3Fz%3D2")
    person.open("notes", "/second#part-two")
    person.arrives("notes", "/second#part-two")


def test_the_fragment_survives_the_second_factor_too(person: Person, account: MakeAccount) -> None:
    person.open("vault", "/gold?bar=7#part-two")
    person.fill_login(account())
    person.sees("vault.gate.test is open only to accounts with a second factor")
    app, _ = person.turn_on_totp()
    person.click("I have kept them")
    person.arrives("vault", "/gold?bar=7#part-two")
    person.context.clear_cookies()
    person.open("vault", "/gold?bar=8#part-two")
    person.fill_login(account.made[-1])
    person.enter_code(app.code())
    person.arrives("vault", "/gold?bar=8#part-two")


def test_a_dozen_tabs_arrive_side_by_side(person: Person, harbour: Gateway, account: MakeAccount) -> None:
    person.log_in(account())
    wanted = [harbour.url("wiki", f"/tab/{number}") for number in range(12)]
    for url in wanted:
        with person.context.expect_page():
            person.page.evaluate("url => { open(url) }", url)
    for tab in person.context.pages[1:]:
        expect(tab.locator("h1")).to_have_text("Harbour")
    assert sorted(tab.url for tab in person.context.pages[1:]) == sorted(wanted)


def test_two_tabs_that_wait_at_the_login_both_arrive(person: Person, account: MakeAccount) -> None:
    name, first = account(), person.page
    person.open("wiki", "/first")
    second = person.new_tab()
    person.open("wiki", "/second")
    for tab, path in ((first, "/first"), (second, "/second")):
        person.page = tab
        person.fill_login(name)
        person.arrives("wiki", path)


def test_going_back_after_arriving_leads_to_no_form(person: Person, account: MakeAccount) -> None:
    person.open("wiki", "/start")
    person.fill_login(account())
    person.arrives("wiki", "/start")
    person.page.go_back()
    expect(person.page.get_by_label("Password")).to_have_count(0)


@pytest.mark.parametrize("to", ELSEWHERE)
def test_no_link_leads_out(person: Person, account: MakeAccount, to: str) -> None:
    wanted = quote(to, safe="%")
    person.open("wiki", f"/.portward/start?to={wanted}")
    person.fill_login(account.made[0] if account.made else account())
    person.page.wait_for_url(re.compile(r"^https://wiki\.gate\.test:\d+/(?!\.portward)"))
    for host, path in (
        ("auth", f"/login?host=wiki.gate.test&to={wanted}&nonce={NONCE}"),
        ("wiki", f"/.portward/enter?code=x&to={wanted}"),
        ("wiki", f"/.portward/switch?to={wanted}"),
    ):
        person.open(host, path)
        assert urlsplit(person.page.url).hostname in {"auth.gate.test", "wiki.gate.test"}


def test_no_host_but_an_enrolled_one_is_a_destination(person: Person, account: MakeAccount) -> None:
    person.log_in(account())
    pages = ("login", "start", "welcome", "switch", "step-up", "account/totp")
    for page, host in product(pages, HOSTS):
        person.open("auth", f"/{page}?host={quote(host)}&to=%2F&nonce={NONCE}")
        assert urlsplit(person.page.url).hostname == "auth.gate.test"
        assert not re.search(r"https?://[^\"]*evil", person.page.content())


def test_a_browser_without_cookies_is_told_so(chromium: Chromium, account: MakeAccount) -> None:
    with chromium.person_without_cookies() as person:
        person.open("wiki", "/page")
        person.fill_login(account())
        person.sees("Your browser did not keep the login")
        assert person.page.get_by_role("link", name="Try again").count() == 1
        assert person.saw_only_the_gateway()
