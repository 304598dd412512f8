"""allow add, list, remove."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from portward.config.starter import STARTER

from .conftest import FakeKeeper

Portward = Callable[..., Result]
FILE = Path("portward.toml")


@pytest.fixture(autouse=True)
def _starter(portward: Portward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    FILE.write_text(STARTER)


def allowed(portward: Portward) -> list[str]:
    return [row["network"] for row in json.loads(portward("allow", "list", "--json").stdout)]


def test_a_network_is_allowed_and_listed(portward: Portward) -> None:
    assert "none yet" in portward("allow", "list").stdout
    result = portward("allow", "add", "198.51.100.7", "--comment", "the office")
    assert "takes effect at the next start" in result.stdout, result.stderr
    assert allowed(portward) == ["198.51.100.7/32"]
    assert "# the office" in FILE.read_text()
    assert portward("allow", "add", "198.51.100.7").exit_code == 5
    assert portward("allow", "add", "office").exit_code == 6


def test_the_running_keeper_applies_it_before_the_command_ends(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /status", {"configuration": {"file": str(FILE.absolute())}})
    fake.answer("POST /reload", {"summary": "settings defence"})
    assert "applied: settings defence" in portward("allow", "add", "198.51.100.7").stdout
    assert fake.asked[-1][0] == "POST /reload"


def test_another_file_than_the_running_one_is_left_alone(portward: Portward, fake: FakeKeeper) -> None:
    fake.answer("GET /status", {"configuration": {"file": "/etc/portward/portward.toml"}})
    assert portward("allow", "add", "198.51.100.7").exit_code == 5
    assert FILE.read_text() == STARTER


def test_nobody_takes_away_their_own_way_in_without_being_asked(
    portward: Portward, monkeypatch: pytest.MonkeyPatch
) -> None:
    portward("allow", "add", "198.51.100.0/24")
    monkeypatch.setenv("SSH_CONNECTION", "198.51.100.7 50000 192.0.2.1 22")
    assert portward("allow", "remove", "198.51.100.0/24").exit_code == 6
    assert allowed(portward) == ["198.51.100.0/24"]
    assert portward("allow", "remove", "198.51.100.0/24", "--yes").exit_code == 0
    assert allowed(portward) == []
    assert portward("allow", "remove", "198.51.100.0/24").exit_code == 4
