"""Who is not logged in: a page is sent to the login and comes back to the very URL, anything else hears 401 as JSON."""

import re
import socket
from collections.abc import Iterator
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, read_to_end, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor

TARGETS = (
    "/",
    "/echo?x=1&y=2",
    "/echo?next=https://evil.test/&a=%26%3D%23",
    "/%C3%A4/%20/x?q=%E2%82%AC+%2B",
    "/a%2Fb?x=a%2Fb%252F",
    "/echo??x=%22%3Cscript%3E",
    "/a;b=c/d,e/f@g:h!$&'()*+~",
    "/echo?to=/other&code=abc&host=evil.test",
    "/" + "long/" * 150 + "?q=" + "x" * 200,
)


@pytest.mark.parametrize("target", TARGETS, ids=range(len(TARGETS)))
def test_a_visitor_comes_back_to_the_very_page_after_the_login(
    gateway: Gateway, upstream: Upstream, ann: Visitor, target: str
) -> None:
    with gateway.visitor() as visitor:
        page = visitor.arrive("wiki", target)
        assert urlsplit(str(page.url)).hostname == "auth.gate.test"
        page = visitor.follow(visitor.submit(page, username="ann", password="sturdy lantern over quiet water"))
        assert page.status_code == 200, page.text
    received = upstream.requests[-1]
    assert received.path == target
    assert received.one("Remote-User") == "ann"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json"},
        {"Accept": "*/*"},
        {"Accept": "text/html", "Sec-Fetch-Mode": "cors"},
        {"Accept": "text/html", "Sec-Fetch-Mode": "no-cors"},
        {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"},
        {"Sec-Fetch-Mode": "same-origin"},
        {"Accept": "text/html", "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x" * 22 + "=="},
    ],
    ids=str,
)
def test_what_is_no_page_navigation_gets_401_as_json(
    stranger: Visitor, gateway: Gateway, headers: dict[str, str]
) -> None:
    answer = stranger.fetch("wiki", "/api", headers=headers)
    assert answer.status_code == 401
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["WWW-Authenticate"].startswith("Cookie")
    if "html" not in headers.get("Accept", ""):
        assert answer.headers["Content-Type"] == "application/json"
        body = answer.json()
        assert body["error"] == "no_session"
        assert body["login"] == gateway.url("auth", "/login")
        assert gateway.wait_for_events(request_id=body["request_id"])


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_get_is_sent_to_the_login(stranger: Visitor, method: str) -> None:
    headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
    assert stranger.fetch("wiki", "/form", method, headers=headers).status_code == 401


def test_a_preflight_without_a_session_is_not_redirected(stranger: Visitor) -> None:
    headers = {"Origin": "https://evil.test", "Access-Control-Request-Method": "PUT", "Accept": "*/*"}
    answer = stranger.fetch("wiki", "/api", "OPTIONS", headers=headers)
    assert answer.status_code == 401
    assert "Access-Control-Allow-Origin" not in answer.headers


EVIL = (
    "//evil.test",
    "///evil.test",
    "/\\evil.test",
    "\\\\evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "/%09/evil.test",
    "/%0d%0aLocation:%20https://evil.test",
    "/\r\nSet-Cookie: x=1",
    "https://evil.test/",
    "https:evil.test",
    "https:///evil.test",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "@evil.test",
    ".evil.test",
    ":443@evil.test/",
    "/@evil.test",
    "/..//evil.test",
    "/%2f%2fevil.test",
    "/%252f%252fevil.test",
    "/%5cevil.test",
    "%2f%2fevil.test",
    "/\u2028/evil.test",
    "\u3000//evil.test",
    "",
    " //evil.test",
    "/ /evil.test",
)


@pytest.fixture
def own(gateway: Gateway, ann: Visitor) -> Iterator[Visitor]:
    """Ann in a browser of the test's own, whose cookies it may spoil."""
    with gateway.log_in("ann") as visitor:
        yield visitor


@pytest.mark.parametrize("to", EVIL, ids=range(len(EVIL)))
def test_no_wish_leads_a_logged_in_visitor_off_the_gateway(own: Visitor, to: str) -> None:
    for way in ("start", "enter", "switch"):
        page = own.visit("wiki", f"/.portward/{way}?to={quote(to, safe='')}&code=x")
        while (target := led_to(page)) is not None:
            there = page.url.join(target)
            assert there.host in ("wiki.gate.test", "auth.gate.test"), (way, target)
            assert there.scheme == "https"
            assert "\\" not in target
            assert not target.startswith("//")
            page = own.visit(str(there))
        assert page.status_code < 500


def led_to(page: httpx.Response) -> str | None:
    """Where a redirect, or a page that moves on by itself, leads: as it stands there."""
    refresh = re.search(r'content="0;url=([^"]+)"', page.text)
    return page.headers.get("Location") or (refresh[1].replace("&amp;", "&") if refresh else None)


HOSTS = (
    "evil.test",
    "wiki.gate.test.evil.test",
    "wiki.gate.test@evil.test",
    "evil-gate.test",
    "wiki.gate.test/",
    "auth.gate.test",
    "",
    "WIKI.gate.test:1",
)


@pytest.mark.parametrize("host", HOSTS)
def test_the_portal_hands_over_to_published_hosts_alone(gateway: Gateway, ann: Visitor, host: str) -> None:
    page = ann.visit("auth", f"/start?host={quote(host, safe='')}&to=/&nonce={'0' * 64}")
    location = page.headers.get("Location", "")
    assert "code=" not in location
    assert "evil" not in urlsplit(location).netloc


def test_plain_http_leads_to_https_and_keeps_path_and_query(gateway: Gateway, stranger: Visitor) -> None:
    answer = stranger.http.get(gateway.url("wiki", "/a%20b?x=%2F&y", scheme="http"))
    assert answer.status_code == 301
    assert answer.headers["Location"] == gateway.url("wiki", "/a%20b?x=%2F&y")
    assert "Strict-Transport-Security" not in answer.headers


def test_plain_http_serves_nothing_and_leads_nowhere_else(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    for sent in (
        request("open.gate.test", "/"),
        request("open.gate.test", "https://evil.test/"),
        request("open.gate.test", "//evil.test/"),
        request("evil.test", "/"),
        request("evil.test\r\nHost: open.gate.test", "/"),
        request("open.gate.test:99999@evil.test", "/"),
        request("open.gate.test", "/\\evil.test"),
        request("", "/"),
        b"GET / HTTP/1.0\r\n\r\n",
        request("auth.gate.test", "/login", method="POST"),
    ):
        with socket.create_connection(("127.0.0.1", gateway.http_port), 1.5) as plain:
            plain.sendall(sent)
            try:
                answer = read_to_end(plain)
            except TimeoutError:
                continue  # dropped without a word
        assert b" 301 " in answer[:20] or b" 400 " in answer[:20], answer
        location = re.search(rb"(?i)\r\nlocation: (\S+)", answer)
        if location:
            assert urlsplit(location[1].decode()).hostname in ("open.gate.test", "auth.gate.test"), answer
    assert upstream.hits == hits


def test_an_unknown_host_over_plain_http_gets_no_answer_but_an_event(gateway: Gateway) -> None:
    with socket.create_connection(("127.0.0.1", gateway.http_port), 20) as plain:
        plain.sendall(request("elsewhere.test", "/probe"))
        (event,) = gateway.wait_for_events(rule="unknown_host", host="elsewhere.test")
    assert event["address"] == "127.0.0.1"
    assert event["path"] == "/probe"


def test_https_asks_browsers_to_stay_with_https(gateway: Gateway, ann: Visitor, stranger: Visitor) -> None:
    ann.arrive("wiki")
    for answer in (ann.fetch("wiki"), stranger.fetch("wiki"), stranger.visit("auth", "/login"), stranger.fetch("open")):
        assert re.fullmatch(r"max-age=\d{8,}", answer.headers["Strict-Transport-Security"])


def test_a_login_that_was_not_wanted_here_is_not_finished_here(own: Visitor, stranger: Visitor) -> None:
    """A link with somebody's code must not put a visitor into that somebody's session."""
    start = own.visit("narrow", "/.portward/start?to=/api/")
    onward = own.visit(start.headers["Location"])
    entry = onward.headers["Location"]
    assert parse_qs(urlsplit(entry).query)["code"]
    assert stranger.visit(entry).status_code == 400 or stranger.cookie("narrow") is None
    assert stranger.fetch("narrow", "/api/").status_code == 401
    stranger.visit("narrow", "/.portward/start?to=/api/")
    stranger.visit(entry)
    assert stranger.fetch("narrow", "/api/").status_code == 401


def test_a_code_works_once_and_where_it_belongs(gateway: Gateway, own: Visitor) -> None:
    start = own.visit("wiki", "/.portward/start?to=/x")
    nonce = own.cookie("wiki")
    entry = own.visit(start.headers["Location"]).headers["Location"]
    elsewhere = entry.replace("wiki.gate.test", "mixed.gate.test")
    own.visit("mixed", "/.portward/start?to=/")
    assert ".portward/start" in own.visit(elsewhere).headers["Location"]
    entry = own.visit(own.visit("wiki", "/.portward/start?to=/x").headers["Location"]).headers["Location"]
    assert own.visit(entry).headers["Location"] == gateway.url("wiki", "/x")
    cookie = f"Cookie: {COOKIE}={nonce}"
    again = ask(gateway, "wiki", request("wiki.gate.test", urlsplit(entry).path + "?" + urlsplit(entry).query, cookie))
    assert again.status == 302
    assert "/.portward/start" in again.head
