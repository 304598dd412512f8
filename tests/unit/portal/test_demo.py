"""The demo service shows what a service gets to know."""

import asyncio

import httpx

from portward.portal.demo import create_demo


def ask(path: str = "/", **headers: str) -> httpx.Response:
    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_demo())
        async with httpx.AsyncClient(transport=transport, base_url="https://hello.example.com") as client:
            return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return asyncio.run(one())


def test_it_says_who_you_are() -> None:
    page = ask(Remote_User="ann", Remote_Name="Ann Sailor", X_Forwarded_For="203.0.113.7", X_Request_ID="0199f3")
    assert "Hello, Ann Sailor" in page.text
    assert "203.0.113.7" in page.text
    assert "0199f3" in page.text
    assert "portward publish" in page.text
    assert "defect" not in page.text


def test_it_notices_a_cookie_that_should_have_been_stripped() -> None:
    assert "defect of the gate" in ask(Cookie="__Host-portward=abc").text


def test_it_answers_any_path_and_says_which() -> None:
    page = ask("/inbox?page=2", X_Forwarded_Host="hello.example.com")
    assert page.status_code == 200
    assert "hello.example.com/inbox?page=2" in page.text


def test_it_has_its_own_style_sheet() -> None:
    assert ask("/static/portal.css").status_code == 200
    assert ask("/static/other.css").status_code == 404
