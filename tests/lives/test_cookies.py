"""Gate 5 reads one cookie: nothing but a whole, live token of this host opens a protected service."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE, Visitor

HOST = "wiki.gate.test"
BYTES = st.text(st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\r\n"), max_size=60)


@pytest.fixture
def token(ann: Visitor) -> str:
    """A live one, of the host `wiki`."""
    ann.arrive("wiki")
    found = ann.cookie("wiki")
    assert found
    return found


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=BYTES, value=BYTES, after=BYTES)
def test_no_invented_cookie_opens_anything(
    gateway: Gateway, upstream: Upstream, before: str, value: str, after: str
) -> None:
    hits = upstream.hits
    answer = ask(gateway, "wiki", request(HOST, "/", f"Cookie: {before}{COOKIE}={value}{after}"))
    assert answer.status in (400, 401)
    assert upstream.hits == hits


def test_a_token_that_is_not_whole_opens_nothing(gateway: Gateway, upstream: Upstream, token: str) -> None:
    hits = upstream.hits
    spoiled = [token[:-1], token[1:], token + "A", token.swapcase(), f'"{token}"', f"{token}|", f"{token}|{HOST}"]
    spoiled += [
        f"{token}%20",
        f"%{ord(token[0]):02x}{token[1:]}",
        "",
        "|",
        "start.x.1.1",
        f"start.{token}.1.1",
        "0",
        "*",
        ".",
    ]
    for value in spoiled:
        answer = ask(gateway, "wiki", request(HOST, "/", f"Cookie: {COOKIE}={value}"))
        assert answer.status == 401, value
    assert upstream.hits == hits


def test_a_token_under_another_name_opens_nothing(gateway: Gateway, upstream: Upstream, token: str) -> None:
    hits = upstream.hits
    names = (
        "__host-portward",
        "__HOST-PORTWARD",
        "__Host-portward2",
        "x__Host-portward",
        "portward",
        "__Host-portward%20",
    )
    for name in names:
        assert ask(gateway, "wiki", request(HOST, "/", f"Cookie: {name}={token}")).status == 401, name
    for line in (
        f"Authorization: Bearer {token}",
        f"X-{COOKIE}: {token}",
        f"Set-Cookie: {COOKIE}={token}",
        f"Cookie2: {COOKIE}={token}",
    ):
        assert ask(gateway, "wiki", request(HOST, "/", line)).status == 401, line
    assert ask(gateway, "wiki", request(HOST, f"/?{COOKIE}={token}")).status == 401
    assert upstream.hits == hits


def test_a_token_of_one_host_opens_no_other(gateway: Gateway, ann: Visitor, upstream: Upstream, token: str) -> None:
    hits = upstream.hits
    for host, value in (("vault", token), ("narrow", token), ("wiki", ann.cookie("auth")), ("auth", token)):
        answer = ask(gateway, host, request(f"{host}.gate.test", "/api/", f"Cookie: {COOKIE}={value}"))
        assert answer.status in (401, 404), host
    assert ask(gateway, "auth", request("auth.gate.test", "/", f"Cookie: {COOKIE}={token}")).status == 303
    assert upstream.hits == hits


def test_two_cookies_of_ours_are_refused(gateway: Gateway, upstream: Upstream, token: str) -> None:
    """Which of the two counts would be a matter of opinion, so that an upstream and we might differ."""
    hits = upstream.hits
    for lines in (
        [f"Cookie: {COOKIE}={token}; {COOKIE}={token}"],
        [f"Cookie: {COOKIE}=x; a=b; {COOKIE}={token}"],
        [f"Cookie: {COOKIE}={token}", f"Cookie: {COOKIE}=x"],
    ):
        assert ask(gateway, "wiki", request(HOST, "/", *lines)).status == 400, lines
    assert upstream.hits == hits


def test_oversized_cookies_are_refused_without_reaching_anything(
    gateway: Gateway, upstream: Upstream, token: str
) -> None:
    hits = upstream.hits
    for line in (
        f"Cookie: {COOKIE}={'x' * 15000}",
        f"Cookie: {COOKIE}={'x' * 100000}",
        f"Cookie: {'; '.join(f'c{number}=v' for number in range(5000))}",
        f"Cookie: {COOKIE}={token}; pad={'x' * 100000}",
    ):
        assert ask(gateway, "wiki", request(HOST, "/", line)).status in (400, 401, 414, 431, 0), line[:60]
    many = [f"Cookie: c{number}=v" for number in range(500)]
    assert ask(gateway, "wiki", request(HOST, "/", *many)).status in (400, 414, 431)
    assert upstream.hits == hits


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        (["{ours}"], []),
        (["{ours}; a=1"], ["a=1"]),
        (["a=1; {ours}"], ["a=1"]),
        (["a=1; {ours}; b=2"], ["a=1", "b=2"]),
        (["a=1;{ours};b=2"], ["a=1", "b=2"]),
        (["a=1;   {ours}  ; b=2"], ["a=1", "b=2"]),
        (["a=1", "{ours}"], ["a=1"]),
        (["{ours}", "a=1"], ["a=1"]),
        (["a=1; {ours}", "b=2; c=3"], ["a=1", "b=2", "c=3"]),
        (["x__Host-portward=y; {ours}; not__Host-portward=z"], ["x__Host-portward=y", "not__Host-portward=z"]),
        (['a="q; r"; {ours}'], ['a="q', 'r"']),
        (["a=1; ; ; {ours}; b"], ["a=1", "b"]),
        (["theirs==; {ours}"], ["theirs=="]),
    ],
)
def test_our_cookie_never_reaches_the_upstream_and_others_do(
    gateway: Gateway, upstream: Upstream, token: str, sent: list[str], forwarded: list[str]
) -> None:
    lines = [f"Cookie: {line.format(ours=f'{COOKIE}={token}')}" for line in sent]
    assert ask(gateway, "wiki", request(HOST, "/cookies", *lines)).status == 200
    received = upstream.requests[-1]
    assert token not in repr(received)
    arrived = [part.strip() for line in received.all("Cookie") for part in line.split(";") if part.strip()]
    assert arrived == forwarded


def test_an_unknown_token_of_ours_does_not_reach_a_public_upstream(
    gateway: Gateway, upstream: Upstream, token: str
) -> None:
    for value in (token, "left-over", "start.abc.1.1", ""):
        sent = request("open.gate.test", "/cookies", f"Cookie: a=1; {COOKIE}={value}; b=2")
        assert ask(gateway, "open", sent).status == 200
        assert COOKIE not in repr(upstream.requests[-1]), value


def test_an_upstream_can_not_plant_our_cookie(gateway: Gateway, ann: Visitor, token: str) -> None:
    for planted in (
        f"{COOKIE}=evil",
        f"{COOKIE.lower()}=evil; Path=/",
        f"{COOKIE}=evil; Secure; Path=/; HttpOnly",
        f" {COOKIE}=evil",
        f"{COOKIE} =evil",
    ):
        answer = ann.fetch("wiki", "/answer", params={"Set-Cookie": planted})
        assert answer.status_code == 200
        assert not [line for line in answer.headers.get_list("Set-Cookie") if "evil" in line], planted
    assert ann.cookie("wiki") == token
    answer = ann.fetch("wiki", "/answer", params={"Set-Cookie": "own=1; Path=/x"})
    assert answer.headers["Set-Cookie"] == "own=1; Path=/x"
