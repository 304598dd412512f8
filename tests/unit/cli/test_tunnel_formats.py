"""`portward tunnel export` and `portward tunnel import`."""

import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from portward.tunnels.profiles import saved

SAVED = """\
# every day
[tunnels."my gate"]
host = "gate.example.com"
user = "ann"
key-file = "~/.ssh/id_ed25519"
local = ["8080 -> intranet:80"]
start-at-login = true
"""
REGISTRY = """\
Windows Registry Editor Version 5.00

[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\my%20gate]
"HostName"="old.example.com"
"PortForwardings"="L8080=intranet:80"
"X11Forward"=dword:00000001

[HKEY_CURRENT_USER\\Software\\SimonTatham\\PuTTY\\Sessions\\bad]
"HostName"="bad.example.com"
"PortForwardings"="L8080=nowhere"
"""
KEY = "/home/ann/.ssh/id_ed25519"
Portward = Callable[..., Result]


@pytest.fixture
def tunnels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "tunnels.toml"
    file.write_text(SAVED)
    monkeypatch.setenv("PORTWARD_TUNNELS", str(file))
    return file


@pytest.fixture
def export_of_putty(tmp_path: Path) -> Path:
    file = tmp_path / "putty.reg"
    file.write_bytes(REGISTRY.encode("utf-16"))
    return file


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "ann.ppk"
    (tmp_path / "passphrase").write_text("open sesame\n")
    make = ["puttygen", "-t", "ed25519", "-C", "ann", "-o", file, "--new-passphrase", tmp_path / "passphrase"]
    subprocess.run(make, check=True)
    return file


@pytest.fixture
def passphrase(key: Path) -> int:
    """A file descriptor; who reads it closes it."""
    return os.open(key.with_name("passphrase"), os.O_RDONLY)


def test_a_tunnel_is_printed_in_a_format(portward: Portward, tunnels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    result = portward("tunnel", "export", "my gate", "--format", "plink")
    assert result.exit_code == 0
    assert result.stdout == f"plink -ssh -N -P 22 -l ann -i {KEY} -L 8080:intranet:80 gate.example.com\n"
    assert "note: start-at-login" in result.stderr


def test_an_unknown_format_names_the_known_ones(portward: Portward, tunnels: Path) -> None:
    result = portward("tunnel", "export", "my gate", "--format", "word")
    assert result.exit_code == 6
    assert "windows-task" in result.stderr


def test_an_unknown_tunnel_is_not_found(portward: Portward, tunnels: Path) -> None:
    assert portward("tunnel", "export", "nope").exit_code == 4


def test_a_file_is_written_once_and_for_its_user_alone(portward: Portward, tunnels: Path, tmp_path: Path) -> None:
    result = portward("tunnel", "export", "my gate", "--format", "reg", "--output", str(tmp_path))
    assert result.stdout == f"wrote {tmp_path}/my-gate.reg\n"
    file = tmp_path / "my-gate.reg"
    assert file.read_bytes().startswith(b"\xff\xfeW\0i\0")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert portward("tunnel", "export", "my gate", "--format", "reg", "--output", str(file)).exit_code == 5


def test_a_registry_file_goes_to_a_pipe_as_windows_reads_it(portward: Portward, tunnels: Path) -> None:
    assert portward("tunnel", "export", "my gate", "-f", "reg").stdout_bytes.startswith(b"\xff\xfeW\0i\0")


def test_export_as_json_has_text_and_notes(portward: Portward, tunnels: Path) -> None:
    found = json.loads(portward("tunnel", "export", "my gate", "--json").stdout)
    assert found["text"].startswith("Host my-gate\n")
    assert any("the name" in note for note in found["notes"])


def test_a_broken_session_stops_the_import_with_file_line_and_reason(
    portward: Portward, tunnels: Path, export_of_putty: Path
) -> None:
    result = portward("tunnel", "import", str(export_of_putty))
    assert result.exit_code == 2
    assert f"{export_of_putty}:10: PortForwardings: the forward L8080 goes to 'nowhere'" in result.stderr
    assert tunnels.read_text() == SAVED


def test_a_taken_name_is_refused(portward: Portward, tunnels: Path, export_of_putty: Path) -> None:
    result = portward("tunnel", "import", str(export_of_putty), "--only", "my gate")
    assert result.exit_code == 5
    assert "--rename" in result.stderr
    assert tunnels.read_text() == SAVED


def test_a_tunnel_is_imported_beside_the_old_one(portward: Portward, tunnels: Path, export_of_putty: Path) -> None:
    result = portward("tunnel", "import", str(export_of_putty), "--only", "my gate", "--rename")
    assert result.exit_code == 0
    assert result.stdout == "imported my gate as my gate 2\n"
    assert "note: my gate: X11Forward: " in result.stderr
    assert list(saved.read(tunnels)) == ["my gate", "my gate 2"]
    assert tunnels.read_text().startswith("# every day\n")


def test_a_tunnel_replaces_the_old_one(portward: Portward, tunnels: Path, export_of_putty: Path) -> None:
    assert portward("tunnel", "import", str(export_of_putty), "--only", "my gate", "--replace").exit_code == 0
    (only,) = saved.read(tunnels).values()
    assert (only.host, only.start_at_login) == ("old.example.com", False)


def test_a_dry_run_changes_nothing(portward: Portward, tunnels: Path, export_of_putty: Path) -> None:
    result = portward("tunnel", "import", str(export_of_putty), "--only", "my gate", "--replace", "--dry-run")
    assert result.stdout == "would import my gate\n"
    assert tunnels.read_text() == SAVED


def test_import_as_json_has_tunnels_and_notes(portward: Portward, tunnels: Path, export_of_putty: Path) -> None:
    words = ("tunnel", "import", str(export_of_putty), "--only", "my gate", "--rename", "--json")
    found = json.loads(portward(*words).stdout)
    assert found["imported"][0]["name"] == "my gate 2"
    assert found["imported"][0]["was"] == "my gate"
    assert found["notes"][0]["tunnel"] == "my gate"
    assert found["saved"] is True


def test_nothing_of_a_stranger_steers_the_terminal(portward: Portward, tunnels: Path, tmp_path: Path) -> None:
    (tmp_path / "x.reg").write_text(REGISTRY.replace('"X11Forward"=dword:00000001', '"RemoteCommand"="\x1b[2J"'))
    result = portward("tunnel", "import", str(tmp_path / "x.reg"), "--only", "my gate", "--rename")
    assert "\x1b" not in result.output


def test_all_sessions_of_putty_are_found(
    portward: Portward, tunnels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUTTYSESSIONS", str(tmp_path / "sessions"))
    assert portward("tunnel", "import", "--putty").exit_code == 4
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "my%20work").write_text("Protocol=ssh\nHostName=work.example.com\n")
    assert portward("tunnel", "import", "--putty").stdout == "imported my work\n"
    result = portward("tunnel", "import", str(tmp_path / "sessions" / "my%20work"), "--rename")
    assert result.stdout == "imported my work as my work 2\n"


def test_hosts_of_openssh_are_found(
    portward: Portward, tunnels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host work\n  HostName work.example.com\n")
    assert portward("tunnel", "import", "--ssh-config").stdout == "imported work\n"


def test_nothing_named_is_nothing_imported(portward: Portward, tunnels: Path) -> None:
    assert portward("tunnel", "import").exit_code == 6
    assert portward("tunnel", "import", "/nowhere/at/all").exit_code == 2


def test_a_key_is_written_as_openssh_has_it(portward: Portward, key: Path, passphrase: int) -> None:
    result = portward("tunnel", "import", str(key), "--passphrase-fd", str(passphrase))
    assert result.exit_code == 0, result.output
    private, public = key.with_name("ann"), key.with_name("ann.pub")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    words = ["ssh-keygen", "-y", "-P", "open sesame", "-f", private]
    own = subprocess.run(words, check=True, capture_output=True, text=True)
    assert public.read_text().split()[:2] == own.stdout.split()[:2]
    assert public.read_text().endswith(" ann\n")


def test_a_key_is_never_written_over_another(portward: Portward, key: Path, passphrase: int) -> None:
    key.with_name("ann").write_text("mine")
    result = portward("tunnel", "import", str(key), "--passphrase-fd", str(passphrase))
    assert result.exit_code == 5
    assert key.with_name("ann").read_text() == "mine"


def test_a_passphrase_is_asked_for_at_a_terminal_only(portward: Portward, key: Path) -> None:
    result = portward("tunnel", "import", str(key))
    assert result.exit_code == 6
    assert "--passphrase-fd" in result.stderr
    assert not key.with_name("ann").exists()
