"""What pages of other sites, and of neighbouring services, can't do in a visitor's name.

A cookie with SameSite=Lax stays away from other sites, but all services of a domain are one site to a browser.
"""

import pytest
from playwright.sync_api import expect
from tests.lives.browser.conftest import MakeAccount
from tests.lives.browser.person import Person
from tests.lives.gateway import Gateway
from tests.lives.shared_tls import shareable
from tests.lives.visitor import COOKIE
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

FOREIGN = "https://evil.example/"
_FORM = """<form method="post" action="{action}"><button>Win a prize</button></form>"""
_SANDBOX = """url => new Promise(resolve => {
  addEventListener("message", message => resolve(message.data))
  const frame = document.createElement("iframe")
  frame.sandbox = "allow-scripts"
  frame.srcdoc = `<script>
    const socket = new WebSocket("${url}")
    socket.onmessage = message => parent.postMessage(message.data, "*")
    socket.onclose = () => parent.postMessage("refused", "*")
  <\\/script>`
  document.body.append(frame)
})"""


def put_on_foreign_site(person: Person, page: str) -> None:
    person.context.route(f"{FOREIGN}**", lambda route: route.fulfill(body=page, content_type="text/html"))


@pytest.fixture
def member(person: Person, account: MakeAccount) -> Person:
    """Somebody who has wiki and open before them, logged in."""
    person.open("wiki", "/")
    person.fill_login(account())
    person.arrives("wiki")
    person.open("open", "/")
    person.complaints.clear()
    return person


def forgive(person: Person) -> None:
    """A browser says in its console that a WebSocket was refused, or that a form went elsewhere: as it should be."""
    assert all("WebSocket" in said for said in person.complaints), person.complaints
    person.complaints.clear()
    person.hosts.discard("evil.example")


def test_a_service_opens_its_own_socket_and_no_neighbours(member: Person, harbour: Gateway) -> None:
    assert member.socket("wiki") == "refused"
    member.open("wiki")
    assert member.socket("wiki").startswith("hello ann")
    event = harbour.wait_for_events(rule="foreign_origin")[-1]
    assert (event["gate"], event["host"]) == ("identity", "wiki.gate.test")
    assert "Origin" in harbour.cli("explain", event["request_id"])
    forgive(member)


def test_a_neighbour_of_a_public_service_meets_it_as_a_stranger(member: Person) -> None:
    member.open("open", "/.portward/start?to=%2Fmine")
    member.arrives("open", "/mine")
    assert member.socket("open").startswith("hello ann")
    member.open("wiki")
    assert member.socket("open") == "hello stranger"


def test_a_foreign_site_opens_no_socket(member: Person) -> None:
    put_on_foreign_site(member, "<h1>Prizes</h1>")
    member.page.goto(FOREIGN)
    assert member.socket("wiki") == "refused"
    forgive(member)


def test_a_page_without_origin_opens_no_socket(member: Person, harbour: Gateway) -> None:
    member.open("wiki")
    url = harbour.url("wiki", "/socket").replace("https", "wss")
    assert member.page.evaluate(_SANDBOX, url) == "refused"
    forgive(member)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "https://open.gate.test",
        "https://auth.gate.test",
        "https://evilwiki.gate.test",
        "https://wiki.gate.test.evil.example",
        "https://wiki.gate.test@evil.example",
        "https://gate.test",
        "wiki.gate.test",
        "",
    ],
)
def test_a_socket_of_another_origin_is_refused_with_the_right_cookie(
    ann_cookie: str, harbour: Gateway, origin: str
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        say_hello(harbour, ann_cookie, Origin=origin)
    assert refusal.value.response.status_code == 403
    assert b'"foreign_origin"' in refusal.value.response.body


def test_a_program_without_origin_opens_its_socket(ann_cookie: str, harbour: Gateway) -> None:
    assert say_hello(harbour, ann_cookie).startswith("hello ann")
    assert say_hello(harbour, ann_cookie, Origin=harbour.url("wiki", "")).startswith("hello ann")
    assert say_hello(harbour, ann_cookie, Origin="https://WIKI.gate.test").startswith("hello ann")


@pytest.fixture(scope="module")
def ann_cookie(harbour: Gateway, account: MakeAccount) -> str:
    with harbour.log_in(account()) as ann:
        ann.arrive("wiki")
        return ann.cookie("wiki") or ""


def say_hello(harbour: Gateway, cookie: str, **headers: str) -> str:
    with connect(
        harbour.url("wiki", "/socket").replace("https", "wss"),
        address=("127.0.0.1", harbour.https_port),
        ssl=shareable(harbour.tls()),
        additional_headers={"Cookie": f"{COOKIE}={cookie}", **headers},
        proxy=None,
    ) as socket:
        return str(socket.recv())


@pytest.mark.parametrize("host", ["open", FOREIGN])
def test_a_form_of_another_page_changes_nothing(member: Person, harbour: Gateway, host: str) -> None:
    form = _FORM.format(action=harbour.url("auth", "/logout-everywhere"))
    put_on_foreign_site(member, form)
    if host == "open":
        member.open("open", "/page")
        member.page.evaluate("form => document.body.innerHTML = form", form)
    else:
        member.page.goto(host)
    member.click("Win a prize")
    member.sees("Stopped for your safety")
    member.open("wiki", "/still")
    member.arrives("wiki", "/still")
    forgive(member)


def test_no_page_of_the_portal_stands_in_a_frame(member: Person, harbour: Gateway) -> None:
    member.page.evaluate(
        "url => new Promise(done => { const frame = document.createElement('iframe'); frame.src = url;"
        " frame.onload = done; document.body.append(frame) })",
        harbour.url("auth"),
    )
    expect(member.page.frame_locator("iframe").get_by_text("Your services")).to_have_count(0)
    assert any("frame-ancestors" in said or "Refused to display" in said for said in member.complaints)
    member.complaints.clear()
