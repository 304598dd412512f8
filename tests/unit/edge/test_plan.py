"""What the edge should be, decided without touching anything. Whole configurations are compared in tests/golden."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portward.config import Settings
from portward.edge.engine import Engine
from portward.edge.plan import Plan, grants, is_name, names_to_resolve, person, plan, server_name, session_line
from portward.host.paths import State
from portward.model import Access, Account, EdgeSession, Role, Route, Upstream

STATE = State(Path("/var/lib/portward"))
WIKI = Route("wiki", "wiki", "wiki.example.com", "/", Upstream("http", "127.0.0.1", 3000), Access(members=True))
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def planned(services: dict[str, object], *, domain: str = "example.com", **addresses: str) -> Plan:
    made = Settings.model_validate({"domain": domain, "services": services})
    return plan(made, STATE, Engine("haproxy", (2, 6, 12)), addresses=addresses)


def test_every_host_leads_below_its_reserved_path_to_the_portal() -> None:
    routes = planned({"wiki": {"upstream": "http://127.0.0.1:3000"}}).routes
    assert routes["auth.example.com/"] == routes["wiki.example.com/.portward/"] == "p1n||portal|portal||"


@pytest.mark.parametrize(
    ("service", "flags"),
    [
        ({}, "m1n"),
        ({"access": "public"}, "p1n"),
        ({"access": "group:family"}, "g1n"),
        ({"access": "owners", "second-factor": True}, "g2n"),
        ({"paths": ["/"]}, "m1s"),
    ],
)
def test_the_flags_of_a_route_tell_who_may_open_it(service: dict[str, object], flags: str) -> None:
    routes = planned({"wiki": {"upstream": "http://127.0.0.1:3000", **service}}).routes
    assert routes["wiki.example.com/"].split("|")[0] == flags


def test_an_upstream_that_does_not_resolve_gets_no_server_and_keeps_its_route() -> None:
    service = {"nas": {"upstream": "http://nas.lan:80"}}
    assert planned(service).servers == {}
    assert "nas.example.com/" in planned(service).routes
    assert [s.address for s in planned(service, **{"nas.lan": "fd00::7"}).servers.values()] == ["[fd00::7]:80"]


def test_only_names_are_looked_up() -> None:
    upstreams = ["http://nas.lan:80", "http://127.0.0.1:80", "http://[::1]:80", "unix:/run/app.sock", "demo"]
    made = Settings.model_validate({"services": {f"s{n}": {"upstream": u} for n, u in enumerate(upstreams)}})
    assert names_to_resolve(made) == {"nas.lan"}
    assert not is_name("")


def test_another_upstream_is_another_server_and_another_access_rule_is_not() -> None:
    there = planned({"wiki": {"upstream": "http://127.0.0.1:3000"}})
    moved = planned({"wiki": {"upstream": "http://127.0.0.1:3001"}})
    opened = planned({"wiki": {"upstream": "http://127.0.0.1:3000", "access": "public"}})
    assert set(there.servers) == set(opened.servers)
    assert set(there.servers).isdisjoint(moved.servers)


def test_publishing_changes_nothing_that_needs_a_reload() -> None:
    one = planned({"wiki": {"upstream": "http://127.0.0.1:3000"}})
    two = planned({"wiki": {"upstream": "http://127.0.0.1:3000"}, "shop": {"upstream": "http://127.0.0.1:3001"}})
    assert one.skeleton == two.skeleton
    assert one.configuration() != two.configuration()
    assert one.skeleton.fingerprint != planned({}, domain="example.org").skeleton.fingerprint


def test_only_restricted_routes_need_grants() -> None:
    family = Route("home", "home", "home.example.com", "/", WIKI.upstream, Access(groups=frozenset({"family"})))
    owners = Route("root", "root", "root.example.com", "/", WIKI.upstream, Access(owners=True))
    ann = Account("ann", groups=frozenset({"family"}))
    eve, boss = Account("eve"), Account("boss", role=Role.OWNER)
    assert set(grants([WIKI, family, owners], [ann, eve, boss])) == {"ann/home", "boss/root"}


@given(st.text(), st.text(), st.frozensets(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True), max_size=3))
def test_a_persons_line_says_the_same_when_it_is_read_back(name: str, email: str, groups: frozenset[str]) -> None:
    line = person(Account("ann", display_name=name, email=email, groups=groups))
    assert line.isascii()
    assert line.isprintable()
    assert not set(line) & set(" ;<\\\"'")
    first, second, third = line.split("|")
    assert first == ",".join(sorted(groups))  # read without decoding
    assert (unquote(second), unquote(third)) == (name, email)


def test_a_sessions_line_holds_both_deadlines() -> None:
    assert session_line(EdgeSession("A1", "ann", "s1", NOW, NOW)) == "1767312000|ann|s1|1767312000"
    assert session_line(EdgeSession("A1", "ann", "s1", NOW, None)) == "1767312000|ann|s1|0"


@settings(max_examples=50)
@given(st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,40}", fullmatch=True))
def test_a_servers_name_is_one_that_haproxy_takes(name: str) -> None:
    route = Route(name, name, "a.example.com", "/", WIKI.upstream, WIKI.access)
    assert set(server_name(route)) <= set("abcdefghijklmnopqrstuvwxyz0123456789:-_")


def test_a_service_that_dials_in_is_reached_at_its_own_socket() -> None:
    services = {"blog": {"tunnel": True, "routes": [{"path": "/hooks", "access": "public"}]}}
    assert {s.address for s in planned(services).servers.values()} == {"unix@/var/lib/portward/run/tunnels/blog.sock"}


def test_raw_tcp_has_a_frontend_of_its_own_and_no_route() -> None:
    service = {"kind": "tcp", "upstream": "tcp://nas.lan:22", "listen": 2200, "allow": ["10.0.0.0/8"]}
    wanted = planned({"ssh": service}, **{"nas.lan": "10.0.0.7"})
    assert set(wanted.routes) == {"auth.example.com/"}
    assert "server ssh 10.0.0.7:22\n" in wanted.configuration()
    assert wanted.skeleton.files["tcp-ssh.lst"] == b"10.0.0.0/8\n"


def test_raw_tcp_whose_upstream_does_not_resolve_is_answered_by_nobody() -> None:
    service = {"kind": "tcp", "upstream": "tcp://nas.lan:22", "listen": 2200, "allow": ["10.0.0.0/8"]}
    made = Settings.model_validate({"services": {"ssh": service}})
    assert names_to_resolve(made) == {"nas.lan"}
    assert "server ssh" not in planned({"ssh": service}).configuration()


def test_proxy_protocol_is_sent_where_it_is_asked_for() -> None:
    service = {"kind": "tcp", "tunnel": True, "listen": 5432, "allow": ["10.0.0.0/8"], "proxy-protocol": "v2"}
    assert "run/tunnels/db.sock send-proxy-v2\n" in planned({"db": service}).configuration()


def test_bodies_pass_through_the_buffer_where_they_are_watched() -> None:
    unseen = "tune.disable-zero-copy-forwarding"
    assert unseen in plan(Settings(), STATE, Engine("haproxy", (3, 2, 0)), addresses={}).configuration()
    assert unseen not in plan(Settings(), STATE, Engine("haproxy", (2, 8, 5)), addresses={}).configuration()
