"""Rules about countries in haproxy.cfg: where they stand, and where they wait."""

from pathlib import Path

import pytest

from portward.config.reading import parse
from portward.defense.geo.borders import Borders
from portward.edge.engine import Engine
from portward.edge.plan import Plan, plan
from portward.host.paths import State

STATE = State(Path("/var/lib/portward"))
RULE = 'domain = "example.com"\n[defence.countries]\nallow = ["DE"]\n'


def planned(text: str, *, refused: tuple[str, ...] = ("",), alpn: bool = False) -> Plan:
    borders = Borders(STATE.geo / "x.map", elsewhere="a", words={"a": (), "b": refused}, counts={})
    settings = parse(text, Path("portward.toml"), {})
    owners = {"198.51.100.7/32": "ann"}
    engine = Engine("haproxy", (2, 6, 12))
    return plan(settings, STATE, engine, addresses={}, borders=borders, owners=owners, alpn=alpn)


def part(text: str, frontend: str) -> str:
    return text.partition(f"\nfrontend {frontend}\n")[2].partition("\nfrontend ")[0]


def test_who_is_abroad_is_dropped_before_tls() -> None:
    text = planned(RULE).configuration()
    for frontend in ("http", "https"):
        assert "tcp-request connection silent-drop if abroad !allowed !at_home\n" in part(text, frontend)


def test_owners_are_exceptions_only_where_there_is_something_to_be_excepted_from() -> None:
    assert planned(RULE).owners == {"198.51.100.7/32": "ann"}
    assert planned(RULE, refused=()).owners == {}


def test_an_authority_that_asks_by_http_is_heard_before_countries_are_judged() -> None:
    http = part(planned(RULE + '[tls]\nmode = "acme"\nchallenge = "http-01"\n').configuration(), "http")
    assert "connection silent-drop if abroad" not in http
    answer, drop = http.index("if { var(txn.answer) -m found }"), http.index("silent-drop if abroad !allowed !at_home")
    assert answer < drop < http.index("redirect location")


def test_an_authority_that_asks_by_alpn_is_let_through_to_its_answer_alone() -> None:
    text = planned(RULE + '[tls]\nmode = "acme"\nchallenge = "tls-alpn-01"\n', alpn=True).configuration()
    look = part(text, "look")
    assert "connection silent-drop if abroad" not in look
    drop = "tcp-request content silent-drop if { req.ssl_hello_type 1 } abroad !allowed !at_home !asks"
    assert look.index(drop) < look.index("tcp-request content accept")


@pytest.mark.parametrize("proxies", ['forwarded-for = ["192.0.2.1"]', 'proxy-protocol = ["192.0.2.1"]'])
def test_a_listed_proxy_is_never_asked_where_it_is(proxies: str) -> None:
    text = planned(RULE + f"[proxies]\n{proxies}\n").configuration()
    lines = [line for line in text.splitlines() if " if abroad " in line]
    assert lines
    assert all("!from_proxy" in line for line in lines)
