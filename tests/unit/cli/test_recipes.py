"""Every command line of docs/recipes.md and docs/putty.md, read by the program that it is for."""

import os
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from portward.config.reading import parse
from portward.tunnels.profiles import openssh, putty_files, registry
from portward.tunnels.profiles.profile import Profile

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("recipes.md", "putty.md")
ELSEWHERE = {"telnet", "xfreerdp", "psql", "xauth", "DISPLAY=localhost:10", "puttygen"}
"""Programs of others, which these pages only start."""
LAB = Profile("lab", "gate.example.com")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def commands(page: str, *programs: str) -> Iterator[list[str]]:
    for block in blocks(page, "console"):
        for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
            words = shlex.split(line)
            if words[0] in programs:
                yield words


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with what the pages name."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PUTTYDIR", str(tmp_path / ".putty"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for directory in (".putty/sessions", ".config/systemd/user", ".ssh"):
        (tmp_path / directory).mkdir(parents=True)
    (tmp_path / ".ssh" / "config").write_text("Host home\n")
    return tmp_path


def test_each_command_is_one_that_is_checked() -> None:
    checked = {"ssh", "plink", "autossh", "portward"} | ELSEWHERE
    for page in PAGES:
        for block in blocks(page, "console"):
            for line in re.findall(r"^\$ (.*)$", block, re.MULTILINE):
                assert shlex.split(line)[0] in checked, line


@pytest.mark.parametrize("page", PAGES)
def test_openssh_understands_its_lines(page: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "lab.conf").write_text(openssh.config(LAB).text)
    for words in commands(page, "ssh", "autossh"):
        arguments = words[3:] if words[0] == "autossh" else words[1:]
        out = subprocess.run(["ssh", "-G", "-T", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (out.returncode, out.stderr) == (0, ""), words
        for flag, keyword in (("-L", "localforward"), ("-R", "remoteforward")):
            assert len(re.findall(rf"^{keyword} ", out.stdout, re.MULTILINE)) == words.count(flag), words


@pytest.mark.parametrize("page", PAGES)
def test_plink_understands_its_lines(page: str, home: Path) -> None:
    """It gets as far as looking for a host, here one that can't exist."""
    session = putty_files.write(Profile("lab", "gate.example.invalid")).text
    (home / ".putty" / "sessions" / "lab").write_text(session)
    for words in commands(page, "plink"):
        here = [word.replace("example.com", "example.invalid") for word in words[1:]]
        out = subprocess.run(["plink", "-batch", *here], capture_output=True, text=True, check=False)
        assert "Unable to open connection" in out.stderr, (words, out.stderr)


@pytest.mark.parametrize("page", PAGES)
def test_portward_understands_its_lines(page: str, home: Path, portward: Callable[..., Result]) -> None:
    exported = registry.write(Profile("my gate", "gate.example.com"))
    Path("putty.reg").write_text(exported.text, encoding=exported.encoding)
    Path("config").write_text("Host work\n  HostName work.example.com\n")
    Path("id_ed25519.pub").write_text(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPTVwE5d9Sg1hEvn7ROJ0KzK1pcZ4mXKqK0Rz9pxE1Fv\n"
    )
    subprocess.run(["puttygen", "-t", "ed25519", "-o", "ann.ppk", "--new-passphrase", "/dev/null"], check=True)
    if page == "putty.md":
        assert portward("tunnel", "add", "lab", "gate.example.com").exit_code == 0
    for words in commands(page, "portward"):
        for made in ("lab.reg", "lab.conf", "lab.xml"):
            Path(made).unlink(missing_ok=True)
        result = portward(*map(os.path.expanduser, words[1:]))
        no_keeper_here = 3 if words[1] == "key" else 0
        assert result.exit_code == no_keeper_here, (words, result.output)


@pytest.mark.parametrize("block", blocks("recipes.md", "toml"))
def test_each_piece_of_configuration_is_one(block: str) -> None:
    parse(block, Path("portward.toml"), {})
