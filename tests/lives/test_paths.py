"""Gates 4 and 5: whatever way a path or a host is spelled, what is protected stays so without a session.

Two hosts share one upstream: on `mixed` all but /public/ is protected, on `mostly` only /admin/ is. The upstream may
see a request that the gate took for a public one only if no way of reading its path leads out of the public part.
"""

import itertools
from posixpath import normpath
from urllib.parse import unquote

import pytest
from tests.lives.gateway import Gateway
from tests.lives.raw import ask, request
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor

STEPS = (
    "..",
    "%2e%2e",
    "%2E.",
    ".%2e",
    "%252e%252e",
    "..;",
    "..;x=1",
    "%2e%2e;",
    ".",
    "%2e",
    "..%00",
    "..%20",
    "%c0%ae%c0%ae",
    "%u002e%u002e",
)
AFTER = ("/", "//", "%2f", "\\", "/;/")
SLASHES = ("/", "//", "%2f", "%2F", "%5c", "\\", "/;/", "%252f", "/./", ";/")
OUT_OF_PUBLIC = sorted(
    {f"/public{before}{step}{after}admin/secret" for before, step, after in itertools.product(SLASHES, STEPS, AFTER)}
)
INTO_ADMIN = sorted(
    {f"/x{before}{step}{after}admin/secret" for before, step, after in itertools.product(SLASHES, STEPS, AFTER)}
    | {
        "/admin/secret",
        "/ADMIN/secret",
        "/Admin/secret",
        "//admin/secret",
        "///admin/secret",
        "/./admin/secret",
        "/%61dmin/secret",
        "/%41dmin/secret",
        "/%2561dmin/secret",
        "/admin%2fsecret",
        "/admin%2Fsecret",
        "/admin;/secret",
        "/admin;x=1/secret",
        "/;/admin/secret",
        "/admin\\secret",
        "\\admin\\secret",
        "/admin%5csecret",
        "/admin/secret#",
        "/#/admin/secret",
        "/x#/../admin/secret",
        "/admin%00/secret",
        "/%00/admin/secret",
        "/x?/../admin/secret",
        "/admin",
        "/admin/",
        "/admin?x",
        "/admin#x",
        "/admin%",
        "/admin/%",
        "/admin/secret%",
        "/admin%3b/secret",
        "/admin%09/secret",
        "/admin./secret",
    }
)


def readings(target: str) -> set[str]:
    """Every path for which some upstream might take the target: decoded up to twice, parameters dropped, resolved."""
    found = set()
    target = target.split("?")[0]
    for text in {target, unquote(target), unquote(unquote(target))}:
        for cut in ("?", "#", "?#", "\0", ""):
            path = text
            for character in cut:
                path = path.split(character)[0]
            for slashes in (path, path.replace("\\", "/")):
                bare = "/".join(part.split(";")[0] for part in slashes.split("/"))
                for one in (slashes, bare):
                    found.add("/" + normpath("/" + one).lstrip("/"))
    return {path.lower() for path in found}


def leads_out_of_public(target: str) -> bool:
    return any(not (path + "/").startswith("/public/") for path in readings(target))


def leads_into_admin(target: str) -> bool:
    return any((path + "/").startswith("/admin/") for path in readings(target))


def refused_or_public(gateway: Gateway, upstream: Upstream, host: str, target: str) -> bool:
    """Whether the upstream saw this request, which came without a session."""
    before = upstream.hits
    answer = ask(gateway, host, request(f"{host}.gate.test", target))
    reached = upstream.hits > before
    assert reached == (upstream.secret.encode() in answer.received)
    return reached


def test_no_spelling_of_a_path_leads_out_of_the_public_part(gateway: Gateway, upstream: Upstream) -> None:
    reached = [target for target in OUT_OF_PUBLIC if refused_or_public(gateway, upstream, "mixed", target)]
    assert "\n".join(target for target in reached if leads_out_of_public(target)) == ""


def test_no_spelling_of_a_path_leads_into_the_protected_part(gateway: Gateway, upstream: Upstream) -> None:
    reached = [target for target in INTO_ADMIN if refused_or_public(gateway, upstream, "mostly", target)]
    assert "\n".join(target for target in reached if leads_into_admin(target)) == ""


def test_honest_paths_of_the_public_part_are_served(gateway: Gateway, upstream: Upstream) -> None:
    for host, target in (
        ("mixed", "/public/"),
        ("mixed", "/public/a%20b.html?next=/../x&y=%2f;"),
        ("mixed", "/public/%C3%A4/.well-known/x"),
        ("mostly", "/"),
        ("mostly", "/administrator"),
        ("mostly", "/a/b.c/d..e/...f?q=//"),
    ):
        assert refused_or_public(gateway, upstream, host, target), target
        assert upstream.requests[-1].path == target


@pytest.mark.parametrize("host", ["wiki", "staff", "vault", "narrow"])
def test_no_path_of_a_protected_host_gets_through(gateway: Gateway, upstream: Upstream, host: str) -> None:
    hits = upstream.hits
    paths = (
        "/",
        "//",
        "/echo/",
        "/.portward/../echo",
        "/.portward/%2e%2e/echo",
        "/.portward/..;/echo",
        "/.portward",
        "/.PORTWARD/x",
    )
    paths += (
        "/.portward//../echo",
        "/.portward%2f..%2fecho",
        "/favicon.ico",
        "/robots.txt",
        "/.well-known/x",
        "/api/x",
        "*",
    )
    for path in paths:
        answer = ask(gateway, host, request(f"{host}.gate.test", path))
        assert upstream.secret.encode() not in answer.received
        assert answer.status != 200, path
    assert upstream.hits == hits


def test_upper_case_trailing_dot_and_port_of_a_host_make_no_difference(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    port = gateway.https_port
    for host in ("WIKI.GATE.TEST", "Wiki.gate.test", f"wiki.gate.test:{port}", "wiki.gate.test:80", "wiki.gate.test."):
        answer = ask(gateway, "wiki", request(host))
        assert answer.status in (400, 401, 421), host
    assert upstream.hits == hits


def test_an_absolute_uri_says_which_host_is_meant(gateway: Gateway, upstream: Upstream) -> None:
    """RFC 9112 section 3.2.2: the host of an absolute URI counts, not the header's."""
    hits = upstream.hits
    for target in (
        "https://wiki.gate.test/",
        "http://wiki.gate.test/",
        "https://wiki.gate.test/public/../",
        "https://open.gate.test@wiki.gate.test/",
        "https://WIKI.gate.test/",
    ):
        for host in ("wiki.gate.test", "open.gate.test"):
            for sni in ("wiki", "open"):
                answer = ask(gateway, sni, request(host, target))
                assert answer.status in (400, 401, 404, 421), (sni, host, target, answer.received)
    assert upstream.hits == hits


def test_an_absolute_uri_of_a_protected_part_is_judged_by_its_path(gateway: Gateway, upstream: Upstream) -> None:
    hits = upstream.hits
    for target in ("https://mostly.gate.test/admin/secret", "https://mostly.gate.test//admin/secret"):
        assert ask(gateway, "mostly", request("mostly.gate.test", target)).status in (400, 401)
    for target in (
        "https://mixed.gate.test/public/../admin",
        "https://mixed.gate.test",
        "https://mixed.gate.test?/public/",
    ):
        assert ask(gateway, "mixed", request("mixed.gate.test", target)).status in (400, 401)
    assert upstream.hits == hits


def test_a_member_reaches_what_only_looks_odd(gateway: Gateway, ann: Visitor, upstream: Upstream) -> None:
    """Where one rule holds for the whole host, apps may use encoded slashes and the like in their paths."""
    ann.arrive("wiki")
    for path in ("/files/a%2Fb", "/m;v=1/x", "/a//b", "/50%25", "/%C3%A4", "/.well-known/x"):
        assert ann.fetch("wiki", path).status_code == 200, path
        assert upstream.requests[-1].path == path


def test_dot_segments_never_reach_an_upstream(gateway: Gateway, ann: Visitor, upstream: Upstream) -> None:
    ann.arrive("wiki")
    hits, cookie = upstream.hits, f"Cookie: __Host-portward={ann.cookie('wiki')}"
    for path in ("/a/../b", "/a/%2e%2e/b", "/a/..", "/a/.%2e/", "/..;/b", "/./b", "/a%00b", "/a%0d%0ab"):
        assert ask(gateway, "wiki", request("wiki.gate.test", path, cookie)).status == 400, path
    assert upstream.hits == hits
