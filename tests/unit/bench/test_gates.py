"""Rules taken out of haproxy.cfg, group by group."""

import pytest
from bench.gates import EVERYTHING, GROUPS, NOTHING, costs, lines_of, without
from bench.results import GateCost

CONFIG = """\
global
  log ring@access len 4096 format raw local0 info
frontend http
  tcp-request connection silent-drop if denied !allowed
frontend https
  # ---- gate 2: connection ------------------------------
  tcp-request connection track-sc0 src table addresses
  acl denied src,map_ip(deny.map) -m found
  tcp-request connection silent-drop if denied !allowed
# ---- gate 4: request -------------------------------------
http-request set-var(txn.host) req.hdr(host)
  # ---- gate 5: identity --------------------------------
  http-request set-var(txn.token) req.cook(__Host-portward)
  # ---- the verdicts of gates 4 and 5 -------------------
  use_backend refuse_malformed if odd_path
  use_backend refuse_no_session if !authed
  use_backend %[var(txn.route),field(3,|)]
  http-after-response set-header Strict-Transport-Security max-age=1
backend services
  # ---- gate 6: service ---------------------------------
  http-request del-header remote- -m beg
  http-request set-timeout server 5s
  use-server hello if TRUE
"""


def _taken(title):
    (group,) = [group for group in GROUPS if group.title.endswith(title)]
    left = without(CONFIG, group).splitlines()
    return [line.strip() for line in CONFIG.splitlines() if line not in left]


def test_every_group_is_found():
    for group in GROUPS:
        assert without(CONFIG, group) != CONFIG


def test_bans_are_taken_out_of_the_https_frontend_alone():
    assert without(CONFIG, GROUPS[0]).count("denied !allowed") == 1


def test_identity_goes_with_its_verdicts_and_leaves_the_route():
    assert _taken("identity") == [
        "http-request set-var(txn.token) req.cook(__Host-portward)",
        "use_backend refuse_no_session if !authed",
    ]


def test_a_service_keeps_its_server_and_its_timeout():
    assert _taken("service") == ["http-request del-header remote- -m beg"]


def test_a_line_knows_its_section_and_gate_even_at_the_margin():
    (line,) = [line for line in lines_of(CONFIG) if "txn.host" in line.text]
    assert (line.section, line.gate) == ("frontend https", "gate 4: request")


def test_a_group_that_no_longer_matches_is_an_error():
    with pytest.raises(LookupError, match="Gate 5"):
        without("global\n", GROUPS[3])


def test_the_cheapest_round_counts():
    found = costs({EVERYTHING: [36.0, 30.0], "bans": [29.5, 40.0], NOTHING: [20.0, 21.0]})
    assert found == (GateCost("bans", 0.5), GateCost(EVERYTHING, 30.0), GateCost(NOTHING, 20.0))
