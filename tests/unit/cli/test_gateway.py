"""up, check, schema, version."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from portward.config.starter import STARTER
from portward.host.paths import State

Portward = Callable[..., Result]


def test_check_says_that_a_file_is_fine_and_what_it_publishes(portward: Portward) -> None:
    Path("portward.toml").write_text(STARTER)
    result = portward("check")
    assert result.exit_code == 0
    assert "portward.toml is fine" in result.stdout
    assert "https://hello.portward.localhost:8443/" in result.stdout


def test_check_prints_every_mistake_and_ends_with_2(portward: Portward) -> None:
    Path("x.toml").write_text('domian = "a.b"\n[services.a]\nupstream = "ftp://x"\n')
    result = portward("check", "x.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith("x.toml:1: domian: is not a known key")
    assert "x.toml:3: services.a.upstream" in result.stderr


def test_check_prints_mistakes_as_json(portward: Portward) -> None:
    Path("x.toml").write_text('domian = "a.b"\n')
    result = portward("check", "--json", "--config", "x.toml")
    report = json.loads(result.stdout)
    assert result.exit_code == 2
    assert [(mistake["line"], mistake["key"]) for mistake in report["mistakes"]] == [(1, "domian")]


def test_check_prints_a_summary_as_json(portward: Portward) -> None:
    report = json.loads(portward("check", "--json").stdout)
    assert report["fine"] is True
    assert report["written"] is False
    assert [service["access"] for service in report["services"]] == ["members"]


def test_schema_is_json(portward: Portward) -> None:
    assert json.loads(portward("schema").stdout)["$schema"].endswith("2020-12/schema")


def test_version_names_all_three(portward: Portward) -> None:
    assert set(json.loads(portward("version", "--json").stdout)) == {"portward", "python", "haproxy"}


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What `up` would have become."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda program, words: commands.append([program, *words[1:]]))
    return commands


def test_up_writes_the_starter_and_becomes_the_supervisor(
    portward: Portward, executed: list[list[str]], state: Path
) -> None:
    result = portward("up")
    assert result.exit_code == 0, result.stderr
    assert Path("portward.toml").read_text() == STARTER
    places = ["--config", str(Path("portward.toml").absolute()), "--state", str(state)]
    assert executed == [[sys.executable, "-m", "portward.supervisor", *places]]


def test_up_leaves_an_existing_file_alone(portward: Portward, executed: list[list[str]]) -> None:
    Path("portward.toml").write_text("# mine\n")
    assert portward("up").exit_code == 0
    assert Path("portward.toml").read_text() == "# mine\n"


def test_up_does_not_start_with_mistakes(portward: Portward, executed: list[list[str]]) -> None:
    Path("portward.toml").write_text("domain = 5\n")
    result = portward("up")
    assert (result.exit_code, executed) == (2, [])
    assert "portward.toml:1: domain: 5 is not a host name" in result.stderr


def test_up_starts_with_the_last_good_configuration_in_spite_of_mistakes(
    portward: Portward, executed: list[list[str]], state: Path
) -> None:
    Path("portward.toml").write_text("domain = 5\n")
    last_good = State(state).last_good
    last_good.parent.mkdir(exist_ok=True)
    last_good.write_text("")
    result = portward("up")
    assert (result.exit_code, len(executed)) == (0, 1)
    assert "the last good configuration is" in result.stderr


def test_up_does_not_invent_a_file_that_was_named(portward: Portward, executed: list[list[str]]) -> None:
    result = portward("up", "--config", "other.toml")
    assert (result.exit_code, executed) == (2, [])
    assert not Path("other.toml").exists()


@pytest.mark.parametrize(("user", "warned"), [(0, True), (1000, False)])
def test_up_as_root_says_how_to_run_as_a_user_of_its_own(
    portward: Portward, executed: list[list[str]], monkeypatch: pytest.MonkeyPatch, user: int, warned: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    result = portward("up")
    assert (result.exit_code, len(executed)) == (0, 1)
    assert ("runs as root" in result.stderr) is ("`portward install`" in result.stderr) is warned
