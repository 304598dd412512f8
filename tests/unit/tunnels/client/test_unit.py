"""Start at login. What systemd itself thinks of the unit is asked where systemd is installed."""

import subprocess
from pathlib import Path
from shutil import which

import pytest

from portward.tunnels.client.unit import AtLogin, escape


def test_a_tunnel_is_linked_into_the_login_and_taken_out_again(tmp_path: Path) -> None:
    at_login = AtLogin(tmp_path)
    link = at_login.enable_tunnel("my database")
    assert at_login.enable_tunnel("my database") == link
    assert link.resolve() == tmp_path / "portward-tunnel@.service"
    assert link.parent.name == "default.target.wants"
    assert at_login.disable_tunnel("my database")
    assert not at_login.disable_tunnel("my database")
    assert not link.is_symlink()


@pytest.mark.parametrize("name", ["db", "my database", "a/b-c", ".hidden", "Zürich", "a\\b", "100%"])
def test_names_are_escaped_as_systemd_does(name: str) -> None:
    program = which("systemd-escape")
    assert program, "systemd-escape is needed: apt-get install systemd"
    told = subprocess.run([program, "--", name], capture_output=True, text=True, check=True)
    assert escape(name) == told.stdout.rstrip("\n")


def test_systemd_finds_no_fault_with_the_units(tmp_path: Path) -> None:
    at_login = AtLogin(tmp_path)
    at_login.enable_tunnel("db")
    at_login.enable_connect()
    program = which("systemd-analyze")
    assert program, "systemd-analyze is needed: apt-get install systemd"
    for unit in ("portward-tunnel@.service", "portward-connect.service"):
        instance = tmp_path / unit.replace("@", "@db")
        if not instance.exists():
            instance.symlink_to(tmp_path / unit)
        told = subprocess.run([program, "verify", "--man=no", instance], capture_output=True, text=True, check=False)
        assert (told.returncode, told.stderr) == (0, "")
