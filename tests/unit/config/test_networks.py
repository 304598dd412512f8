"""Files of networks."""

from pathlib import Path

import pytest

from portward.config.networks import NoNetwork, networks_of
from portward.config.reading import parse
from portward.errors import ConfigError


def test_comments_and_blank_lines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "drop.txt"
    file.write_bytes(b"; Spamhaus\n1.10.16.0/20 ; SBL256894\r\n\n2001:db8::/32 # doc\n::1\n192.0.2.7\n")
    assert networks_of(file).split() == [b"1.10.16.0/20", b"2001:db8::/32", b"::1", b"192.0.2.7"]


@pytest.mark.parametrize(
    "line", ["example.com", "10.0.0", "10.0.0.0/8 10.1.0.0/16", "1.2.3.4/", "fe80", "-f /etc/passwd"]
)
def test_a_line_that_is_no_network_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "drop.txt"
    file.write_text(f"10.0.0.0/8\n{line}\n")
    with pytest.raises(NoNetwork, match="line 2"):
        networks_of(file)


def test_a_list_is_found_beside_the_configuration_and_checked(tmp_path: Path) -> None:
    (tmp_path / "drop.txt").write_text("10.0.0.0/8\n")
    settings = parse('[defence]\ndeny-files = ["drop.txt"]', tmp_path / "portward.toml", {})
    assert settings.defence.deny_files == (str(tmp_path / "drop.txt"),)


@pytest.mark.parametrize(("content", "problem"), [(None, "No such file"), ("nonsense", "line 1 is no network")])
def test_a_list_that_is_none_is_a_mistake(tmp_path: Path, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "drop.txt").write_text(content)
    with pytest.raises(ConfigError, match=problem):
        parse('[defence]\ndeny-files = ["drop.txt"]', tmp_path / "portward.toml", {})
