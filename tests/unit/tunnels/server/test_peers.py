"""Whom the SSH server shuts out at its start, by the file that the edge reads as well."""

import logging
from pathlib import Path

import pytest

from portward.host.paths import State
from portward.tunnels.rules import Policy, Rules
from portward.tunnels.server.peers import Peers


def test_bans_are_recalled_but_for_dead_lines_and_those_that_are_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = State(tmp_path)
    state.prepare()
    peers = Peers(state, Rules(policy=Policy()), None, None)  # type: ignore[arg-type]
    peers.recall_bans()
    assert peers.count_bans() == 0
    state.banned.write_text(
        "# a head\n203.0.113.7 4102444800|login|d\n#03.0.113.8 4102444800|x\n203.0.113.9 1|y\n"
        "2001:db8::/64 0|z\n203.0.1"
    )
    with caplog.at_level(logging.ERROR):
        peers.recall_bans()
    assert peers.count_bans() == 2
    assert set(peers.banned) == {"203.0.113.7", "2001:db8::/64"}
    assert "203.0.1" in caplog.text
