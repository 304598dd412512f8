"""status."""

import json
from collections.abc import Callable
from typing import Any

from typer.testing import Result

from .conftest import FakeKeeper

Portward = Callable[..., Result]
REPORT: dict[str, Any] = {
    "version": "1.2.3",
    "edge": {"engine": "HAProxy 2.6.12", "running": True, "off": {"x": "needs HAProxy 3.2"}},
    "configuration": {
        "file": "/etc/portward/portward.toml",
        "applied": {"at": "2026-01-31T12:00:00+00:00", "how": "start", "summary": "1 services"},
        "rejected": None,
    },
    "dropped_log_lines": {"access": 3},
    "certificates": [{"host": "hello.example.com", "expires": "2026-05-01T00:00:00+00:00"}],
}


def test_it_shows_what_runs(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /status", REPORT)
    text = portward("status").stdout
    assert "HAProxy 2.6.12 serves" in text
    assert "off: x (needs HAProxy 3.2)" in text
    assert "access=3" in text
    assert "hello.example.com" in text
    assert "NOT APPLIED" not in text


def test_it_shows_why_a_file_is_not_in_force(portward: Portward, fake: FakeKeeper) -> None:
    rejected = {"at": "2026-01-31T12:00:00+00:00", "reason": "portward.toml:3: domain: is wrong\n  → mend it"}
    configuration = REPORT["configuration"] | {"rejected": rejected}
    fake.answer("GET /status", REPORT | {"configuration": configuration})
    text = portward("status").stdout
    assert "NOT APPLIED" in text
    assert "  portward.toml:3: domain: is wrong\n    → mend it\n" in text


def test_it_shows_where_bans_hold_and_why_not_in_the_kernel(portward: Portward, fake: FakeKeeper) -> None:
    kernel = {"on": False, "why": "the right is missing", "way_out": "give it"}
    fake.answer("GET /status", REPORT | {"defence": {"bans": 3, "kernel": kernel}})
    text = " ".join(portward("status").stdout.split())
    assert "bans 3 hold, at the edge alone" in text
    assert "off: bans in the kernel (the right is missing) → give it" in text
    walls = {"on": False, "why": "nft refused: too many", "way_out": "look at it"}
    fake.answer("GET /status", REPORT | {"defence": {"bans": 3, "kernel": kernel, "walls": walls}})
    text = " ".join(portward("status").stdout.split())
    assert "off: countries and block lists in the kernel (nft refused: too many) → look at it" in text
    fake.answer("GET /status", REPORT | {"defence": {"bans": 3, "kernel": {"on": True}}})
    assert "3 hold, in the kernel and at the edge" in portward("status").stdout


def test_it_is_json_for_programs(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /status", REPORT)
    assert json.loads(portward("status", "--json").stdout) == REPORT


def test_it_tells_of_the_ssh_server_where_one_is_wanted(portward: Portward, fake: FakeKeeper) -> None:
    tunnels = {"wanted": True, "running": True, "listen": [":2222"], "live": 2, "made": 1}
    fake.answer("GET /status", REPORT | {"tunnels": tunnels})
    assert "listens at :2222; 2 tunnels stand, 1 services were made on the spot" in portward("status").stdout
    fake.answer("GET /status", REPORT | {"tunnels": tunnels | {"running": False}})
    assert "does not answer; it should listen at :2222" in portward("status").stdout
    fake.answer("GET /status", REPORT | {"tunnels": {"wanted": False}})
    assert "SSH" not in portward("status").stdout
