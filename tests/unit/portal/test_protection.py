"""What every page is wrapped in: own forms only, small bodies, strict headers, helpful errors."""

import re

import pytest
from tests.unit.portal.world import AUTH, HELLO, PASSWORD, World

from portward.portal.problems import TOO_LARGE

FORM = {"username": "ann", "password": PASSWORD}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": AUTH}, 303),
        ({"Origin": "", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "", "Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "", "Sec-Fetch-Site": "none"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 403),
        ({"Origin": HELLO}, 403),
        ({"Origin": "https://auth.example.com:8443"}, 403),
        ({"Origin": "http://auth.example.com"}, 403),
        ({"Origin": "https://auth.example.com.evil.example"}, 403),
    ],
)
def test_only_own_pages_may_post(play, headers: dict[str, str], status: int) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        page = await world.browser().post(f"{AUTH}/login", FORM, headers=headers)
        assert page.status_code == status
        assert ("Stopped for your safety" in page.text) == (status == 403)

    play(scenario)


def test_a_public_port_is_part_of_the_origin(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        page = await world.browser().post("https://auth.example.com:8443/login", FORM)
        assert page.status_code == 303

    play(scenario)


def test_a_form_that_is_too_large_is_refused_with_and_without_a_length(play) -> None:
    async def scenario(world: World) -> None:
        async def flood():
            for _ in range(70):
                yield b"x" * 1024

        browser, kind = world.browser(), {"Content-Type": "application/x-www-form-urlencoded", "Origin": AUTH}
        for content in (flood(), b"x" * 70_000):
            page = await browser._client.post(f"{AUTH}/login", content=content, headers=kind)
            assert page.status_code == TOO_LARGE.status
        fields = "&".join(f"a{number}=1" for number in range(30))
        assert (await browser._client.post(f"{AUTH}/login", content=fields, headers=kind)).status_code == 415
        json = {**kind, "Content-Type": "application/json"}
        assert (await browser._client.post(f"{AUTH}/login", content="{}", headers=json)).status_code == 415

    play(scenario)


def test_every_answer_carries_the_headers(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = await world.logged_in()
        pages = [
            await browser.get(f"{AUTH}/"),
            await browser.get(f"{AUTH}/nothing"),
            await browser.get(f"{AUTH}/login"),
            await world.browser().get(f"{AUTH}/"),
            await browser.post(f"{AUTH}/login", FORM, headers={"Origin": "null"}),
            await browser.get(f"{HELLO}/.portward/start?to=%2F"),
            await browser.get(f"{HELLO}/.portward/nothing"),
            await browser.get("https://other.example/"),
        ]
        for page in pages:
            assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src '")
            assert "frame-ancestors 'none'; base-uri 'none'" in page.headers["content-security-policy"]
            assert page.headers["cache-control"] == "no-store"
            assert page.headers["x-content-type-options"] == "nosniff"
            assert page.headers["referrer-policy"] == "same-origin"
            assert page.headers["cross-origin-opener-policy"] == "same-origin"
            assert "script" not in page.text.lower().replace("description", "")
            assert not re.search(r'(src|href)="(https?:)?//(?!hello|blog|vault)', page.text)

    play(scenario)


def test_cookies_are_bound_to_their_host(play) -> None:
    async def scenario(world: World) -> None:
        await world.member()
        browser = world.browser()
        login = await browser.post(f"{AUTH}/login", FORM)
        start = await browser.get(f"{HELLO}/.portward/start?to=%2F")
        for page in (login, start):
            name, *rest = page.headers["set-cookie"].split("; ")
            assert name.startswith("__Host-portward=")
            assert {part.lower() for part in rest} >= {"secure", "httponly", "samesite=lax", "path=/"}
            assert not [part for part in rest if part.lower().startswith("domain")]

    play(scenario)


@pytest.mark.parametrize("cookie", ["", "x" * 5000, "start.", "start.a.b.c", '"', "\x7f;;==", "=;=", "A" * 43])
def test_a_malformed_cookie_is_no_session(play, cookie: str) -> None:
    async def scenario(world: World) -> None:
        page = await world.browser().get(f"{AUTH}/", headers={"Cookie": f"__Host-portward={cookie}"})
        assert page.headers["location"] == "/login"

    play(scenario)


def test_head_answers_like_get_without_a_body(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        for path in ("/login", "/healthz", "/static/portal.css", "/nothing"):
            head, get = await browser.head(AUTH + path), await browser.get(AUTH + path)
            assert head.status_code == get.status_code

    play(scenario)


def test_healthz_says_ok(play) -> None:
    async def scenario(world: World) -> None:
        page = await world.browser().get(f"{AUTH}/healthz")
        assert (page.status_code, page.text) == (200, "ok")

    play(scenario)


def test_the_style_sheet_is_found_under_a_name_that_changes_with_it(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        page = await browser.get(f"{AUTH}/login")
        match = re.search(r'<link rel="stylesheet" href="([^"]+)">', page.text)
        assert match
        sheet = await browser.get(AUTH + match[1])
        assert sheet.headers["content-type"].startswith("text/css")
        assert "immutable" in sheet.headers["cache-control"]
        assert (await browser.get(f"{AUTH}/static/mark.svg")).headers["content-type"].startswith("image/svg+xml")
        assert (await browser.get(f"{AUTH}/static/..%2fapp.py")).status_code == 404

    play(scenario)


def test_errors_are_pages_with_a_request_id(play) -> None:
    async def scenario(world: World) -> None:
        browser = world.browser()
        missing = await browser.get(f"{AUTH}/nothing")
        assert missing.status_code == 404
        assert "0199f3a2c41d" in missing.text
        assert (await browser.get(f"{AUTH}/logout-everywhere")).status_code == 405
        assert (await browser.get(f"{AUTH}/login/")).status_code == 404

    play(scenario)


def test_a_mistake_of_ours_is_a_page_too_and_gives_nothing_away(play) -> None:
    async def scenario(world: World) -> None:
        def broken(token: str):
            raise RuntimeError("the secret is 42")

        world.identity.sessions.find = broken  # type: ignore[method-assign,assignment]
        browser = world.browser()
        browser.plant("auth.example.com", "A" * 43)
        page = await browser.get(f"{AUTH}/")
        assert page.status_code == 500
        assert "Something broke on our side" in page.text
        assert "0199f3a2c41d" in page.text
        assert "42" not in page.text.replace("0199f3a2c41d", "").split("</style>")[1].split("<svg")[0]
        assert page.headers["cache-control"] == "no-store"

    play(scenario)
