"""defence test: what a pattern reads in a file."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Portward = Callable[..., Result]
LOG = """\
Nov 20 19:05:03 gate sshd[812]: Invalid user ann from 203.0.113.7 port 37220
Nov 20 19:05:04 gate sshd[812]: Failed password for invalid user bob from 8.8.4.4 port 37220 ssh2
Nov 20 19:05:04 gate sshd[812]: Server listening on \x1b[31m:: port 22.
Nov 20 19:05:05 gate sshd[813]: Invalid user ann from 203.0.113.7 port 37221
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "auth.log"
    path.write_text(LOG)
    return path


def test_a_shipped_pattern_says_who_would_be_blamed_and_what_does_not_count(portward: Portward, log: Path) -> None:
    result = portward("defence", "test", "sshd", str(log))
    assert result.exit_code == 0
    assert "4 lines: 3 count, 1 do not, 0 are doubtful" in result.stdout
    assert "8.8.4.4" in result.stdout
    assert r"Server listening on \x1b[31m::" in result.stdout


def test_as_json(portward: Portward, log: Path) -> None:
    log.with_suffix(".gz").write_bytes(gzip.compress(LOG.encode()))
    found = json.loads(portward("defence", "test", "sshd", str(log.with_suffix(".gz")), "--json").stdout)
    assert (found["lines"], found["matched"], found["missed"]) == (4, 3, 1)
    assert found["addresses"] == {"203.0.113.7": 2, "8.8.4.4": 1}
    assert found["users"] == {"ann": 2, "bob": 1}
    assert len(found["first_missed"]) == 1


def test_a_line_itself_is_a_pattern(portward: Portward, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text("login of a b failed from 8.8.4.4\nlogin of c\n")
    result = portward("defence", "test", "login of {name} failed from {address}", str(path))
    assert "2 lines: 1 count, 1 do not" in result.stdout


def test_a_pattern_of_portward_toml_may_be_doubtful(portward: Portward, tmp_path: Path) -> None:
    config, path = tmp_path / "portward.toml", tmp_path / "app.log"
    config.write_text('[defence.patterns.app]\ndoubtful = ["user {name} at {address}, agent {text}"]\n')
    path.write_text("user a at 8.8.4.4, agent x\nuser a at 8.8.4.4, agent x at 1.1.1.1, agent y\n")
    found = json.loads(portward("defence", "test", "app", str(path), "--config", str(config), "--json").stdout)
    assert (found["matched"], found["doubtful"]) == (1, 1)
    assert "read in two ways" in found["warnings"][0]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("user {name} at {address}, agent {text}", "would let an attacker blame somebody else"),
        ("user {name} at {adress}", "unknown field {adress}"),
        ("{text} from {address}", "begins with any text"),
        ("user {name}", "tells no address"),
        ("nonsense", "there is no pattern 'nonsense'"),
    ],
)
def test_a_pattern_that_can_not_be_used_is_refused(portward: Portward, log: Path, pattern: str, said: str) -> None:
    result = portward("defence", "test", pattern, str(log))
    assert result.exit_code == 6
    assert said in result.stderr
    assert "→" in result.stderr


def test_no_line_that_counts_is_exit_code_1_with_a_hint(portward: Portward, log: Path) -> None:
    log.write_text("Invalid user ann from 203.0.113.7 port 37220\r\n")
    result = portward("defence", "test", "sshd", str(log))
    assert result.exit_code == 1
    assert "--bare" in result.stderr
    assert portward("defence", "test", "sshd", str(log), "--bare").exit_code == 0


def test_an_address_of_a_proxy_is_pointed_out(portward: Portward, log: Path) -> None:
    log.write_text("Nov 20 19:05:03 gate sshd[812]: Invalid user ann from 172.17.0.1 port 37220\n")
    assert "172.17.0.1 is no address of the internet" in portward("defence", "test", "sshd", str(log)).stderr


def test_a_file_that_can_not_be_read_is_exit_code_7(portward: Portward, tmp_path: Path) -> None:
    assert portward("defence", "test", "sshd", str(tmp_path / "none")).exit_code == 7
