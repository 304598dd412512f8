"""Which service a request reaches, and as what it arrives there."""

import gzip

import pytest
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor


@pytest.mark.parametrize(
    ("target", "arrives", "prefix"),
    [
        ("/app1/", "/", "/app1"),
        ("/app1", "/", "/app1"),
        ("/app1/a/b?x=/app1/", "/a/b?x=/app1/", "/app1"),
        ("/app1/app1/", "/app1/", "/app1"),
        ("/app1/%C3%A4/", "/%C3%A4/", "/app1"),
    ],
)
def test_a_prefix_is_stripped(stranger: Visitor, upstream: Upstream, target: str, arrives: str, prefix: str) -> None:
    assert stranger.fetch("apps", target).status_code == 200
    assert upstream.requests[-1].path == arrives
    assert upstream.requests[-1].one("X-Forwarded-Prefix") == prefix


def test_a_deeper_prefix_has_its_own_rule(
    gateway: Gateway, ann: Visitor, stranger: Visitor, upstream: Upstream
) -> None:
    assert stranger.fetch("apps", "/deep/app2/x").status_code == 401
    assert ann.arrive("apps", "/deep/app2/x?y").json()["path"] == "/x?y"
    assert upstream.requests[-1].one("X-Forwarded-Prefix") == "/deep/app2"
    assert upstream.requests[-1].one("Remote-User") == "ann"


def test_what_no_route_covers_is_not_there(stranger: Visitor, upstream: Upstream) -> None:
    hits = upstream.hits
    for path in ("/", "/app", "/app10/", "/app2/", "/deep/", "/x/app1/"):
        assert stranger.fetch("apps", path).status_code == 404, path
    assert upstream.hits == hits


def test_only_the_listed_paths_are_served(
    gateway: Gateway, ann: Visitor, stranger: Visitor, upstream: Upstream
) -> None:
    assert ann.arrive("narrow", "/api/x").status_code == 200
    hits = upstream.hits
    for path in ("/", "/other", "/apix", "/x/api/", "/API2/", "/echo2"):
        assert ann.fetch("narrow", path).status_code == 404, path
        assert stranger.fetch("narrow", path).status_code == 404, path
    for path in ("/api/../other", "/api/%2e%2e/other", "/api//../other", "/api%2fx", "/api/..;/other"):
        cookie = f"Cookie: __Host-portward={ann.cookie('narrow')}"
        answer = ask_narrow(gateway, path, cookie)
        assert answer in (400, 404), path
    assert upstream.hits == hits


def ask_narrow(gateway: Gateway, path: str, cookie: str) -> int:
    return ask(gateway, "narrow", request("narrow.gate.test", path, cookie)).status


def test_text_is_compressed_where_the_service_asks_for_it(gateway: Gateway, upstream: Upstream) -> None:
    asked = request("zipped.gate.test", "/text", "Accept-Encoding: gzip", version="HTTP/1.1")
    answer = ask(gateway, "zipped", asked)
    assert "content-encoding: gzip" in answer.head.lower()
    assert upstream.secret in unzipped(answer.body)
    assert "content-encoding" not in ask(gateway, "zipped", request("zipped.gate.test", "/text")).head.lower()
    plain = ask(gateway, "open", request("open.gate.test", "/text", "Accept-Encoding: gzip"))
    assert "content-encoding" not in plain.head.lower()


def unzipped(body: bytes) -> str:
    """The text of a chunked, compressed body."""
    parts = []
    while size := int(body.split(b"\r\n", 1)[0], 16):
        body = body.split(b"\r\n", 1)[1]
        parts.append(body[:size])
        body = body[size + 2 :]
    return gzip.decompress(b"".join(parts)).decode()


@pytest.mark.parametrize(
    ("host", "path", "status", "words"),
    [
        ("down", "/", 503, "The service is not answering"),
        ("hasty", "/mute", 504, "The service took too long"),
        ("open", "/drop", 502, "The service gave no proper answer"),
        ("open", "/nonsense", 502, "The service gave no proper answer"),
    ],
)
def test_a_broken_service_gives_a_clear_page(
    gateway: Gateway, ann: Visitor, stranger: Visitor, host: str, path: str, status: int, words: str
) -> None:
    if host == "down" and not ann.cookie(host):
        ann.arrive(host)
    page = (ann if host == "down" else stranger).visit(host, path)
    assert page.status_code == status
    assert words in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert ann.fetch("open", "/").status_code == 200


def test_an_upstreams_own_errors_pass_as_they_are(stranger: Visitor, upstream: Upstream) -> None:
    for status in (400, 401, 403, 404, 500, 502, 503):
        answer = stranger.fetch("open", f"/answer?status={status}&X-Own=1")
        assert (answer.status_code, answer.text, answer.headers["X-Own"]) == (status, upstream.secret, "1")
