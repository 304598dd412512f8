"""What the settings lead to, word for word, and HAProxy's own opinion of it."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.golden.case import CASES, ENGINE, Case
from tests.golden.trust import LIST

from portward.edge.certificates import ShownCertificates
from portward.edge.engine import find_engine
from portward.edge.mapfile import MapFile
from portward.edge.publisher import Publisher
from portward.edge.render import map_file
from portward.edge.runtime import Runtime
from portward.edge.trust import revoked_file
from portward.facts import Fact
from portward.host.files import private_directory
from portward.host.paths import State
from portward.pki.authority import Authority
from portward.pki.certificates import Certificates
from portward.pki.presenter import NullPresenter

NOW = datetime.now(UTC)
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.directory.name)


@cases
def test_the_same_settings_lead_to_the_same_configuration(case: Case) -> None:
    assert case.produced() == case.expected(), "if this is meant: python -m tests.golden.case, and read the difference"


@cases
@pytest.mark.parametrize("looking", [False, True], ids=["", "looking"])
def test_haproxy_takes_the_configuration(case: Case, tmp_path: Path, *, looking: bool) -> None:
    state = State(tmp_path)
    state.prepare()
    engine = find_engine()
    revoked_file(state).write_bytes(LIST)
    private_directory(state.geo)
    (state.geo / "places.map").write_text("192.0.2.0/24 b\n2001:db8::/32 b\n")
    for name in ("devices", "device_streams"):
        MapFile(map_file(state, name)).begin()
    wanted = case.planned(state, engine, looking=looking)
    authority = Authority.open(state.authority, NOW)
    certificates = Certificates(state.certificates, authority, NullPresenter(), _forget, lambda: NOW)
    nobody_runs = Runtime(state.edge_socket, state.master_socket)

    async def publish() -> str:
        shown = await certificates.provide(wanted.hosts, "example.com", ())
        return await Publisher(state, engine, nobody_runs, ShownCertificates(nobody_runs, state)).publish(wanted, shown)

    assert asyncio.run(publish()) == "start"
    assert state.haproxy_cfg.read_text() == wanted.configuration()


@cases
def test_each_connection_is_asked_what_it_speaks_only_while_an_authority_looks(case: Case) -> None:
    assert "req.ssl_alpn" not in case.expected()["haproxy.cfg"]
    looking = case.planned(State(Path("/var/lib/portward")), ENGINE, looking=True).configuration()
    front, _, rest = looking.partition("\nfrontend look\n")[2].partition("\nfrontend https\n")
    assert "use_backend authority if { req.ssl_alpn acme-tls/1 }" in front
    assert " ssl " not in front
    assert rest.count("accept-proxy ssl") == 1


@cases
@pytest.mark.parametrize("looking", [False, True], ids=["", "looking"])
def test_no_two_proxies_share_a_name(case: Case, *, looking: bool) -> None:
    """HAProxy 3.2 warns of a frontend and a backend of one name, and 3.3 takes no such file."""
    text = case.planned(State(Path("/var/lib/portward")), ENGINE, looking=looking).configuration()
    names = re.findall(r"^(?:frontend|backend) (\S+)$", text, re.MULTILINE)
    assert sorted(set(names)) == sorted(names)


async def _forget(fact: Fact) -> None:
    raise AssertionError(fact)


@cases
def test_a_newer_haproxy_gets_no_rule_that_it_does_not_need(case: Case) -> None:
    old = case.expected()["haproxy.cfg"]
    new = case.planned(State(Path("/var/lib/portward")), type(ENGINE)("haproxy", (3, 2, 0))).configuration()
    assert "\\x00" in old
    assert "\\x00" not in new
