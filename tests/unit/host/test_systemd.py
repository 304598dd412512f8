"""The unit, judged by systemd itself, and what `install` writes into a tree."""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from importlib.util import cache_from_source
from pathlib import Path

import pytest

from portward.errors import Environment
from portward.host import notify, systemd
from portward.host.installation import Installation, configuration


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def unit(tmp_path: Path) -> str:
    prefix = tmp_path / "venv"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "portward").symlink_to("/bin/true")
    path = tmp_path / "portward.service"
    path.write_text(systemd.unit(prefix))
    return str(path)


def test_systemd_finds_nothing_wrong_with_the_unit(unit: str) -> None:
    result = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert "portward" not in result.stdout + result.stderr
    assert result.returncode == 0


def test_systemd_rates_the_sandbox_below_two_and_a_half(unit: str) -> None:
    result = analyze("security", "--offline=true", "--no-pager", unit)
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", result.stdout)
    assert exposure, result.stdout + result.stderr
    assert float(exposure[1]) < 2.5


def test_the_service_may_bind_low_ports_and_keep_bans_in_the_kernel_and_no_more() -> None:
    text = systemd.unit(Path("/opt/portward/.venv"))
    assert re.findall(r"^\w*Capabilit\w+=(.*)$", text, re.MULTILINE) == ["CAP_NET_BIND_SERVICE CAP_NET_ADMIN"] * 2
    assert "User=portward\n" in text
    assert (
        "ExecStart=/opt/portward/.venv/bin/portward up --config /etc/portward/portward.toml --state /var/lib/portward\n"
    ) in text


class TestInTree:
    """`--root`, as an image is built; works as root and as an ordinary user."""

    @pytest.fixture
    def installation(self, tmp_path: Path) -> Installation:
        prefix = tmp_path / "venv"
        (prefix / "bin").mkdir(parents=True)
        (prefix / "bin" / "portward").touch()
        (prefix / "bin" / "python").symlink_to("/usr/bin/env")
        for parent in (prefix, *prefix.parents):
            if parent.is_relative_to(tempfile.gettempdir()) and parent != Path(tempfile.gettempdir()):
                parent.chmod(0o755)
        (tmp_path / "root").mkdir()
        return Installation(prefix, tmp_path / "root")

    def test_installing_writes_unit_user_command_and_configuration(self, installation: Installation) -> None:
        said = installation.install("example.com")
        root = installation.root
        assert (root / "etc/systemd/system/multi-user.target.wants/portward.service").is_symlink()
        assert "portward:x:" in (root / "etc/passwd").read_text()
        assert os.access(root / "usr/local/bin/portward", os.X_OK)
        settings = tomllib.loads((root / "etc/portward/portward.toml").read_text())
        assert settings["domain"] == "example.com"
        assert settings["listen"] == {"https": [":443"], "http": [":80"]}
        assert len(said) == 3

    def test_the_services_user_may_read_what_the_machine_tells_of_its_logins(self, installation: Installation) -> None:
        installation.install()
        groups = (installation.root / "etc/group").read_text()
        assert re.search(r"^systemd-journal:.*\bportward$", groups, re.MULTILINE)
        assert re.search(r"^adm:.*\bportward$", groups, re.MULTILINE)

    def test_the_service_finds_its_program_compiled(self, installation: Installation) -> None:
        compiled = Path(cache_from_source(notify.__file__))
        compiled.unlink(missing_ok=True)
        installation.install()
        assert compiled.exists()

    def test_installing_again_keeps_the_configuration(self, installation: Installation) -> None:
        installation.install()
        file = installation.root / "etc/portward/portward.toml"
        file.write_text("mine")
        assert f"kept {file} as it is" in installation.install()
        assert file.read_text() == "mine"

    def test_uninstalling_takes_the_unit_away_and_keeps_the_rest(self, installation: Installation) -> None:
        installation.install()
        removed, kept = installation.uninstall()
        assert "portward.service" in removed
        assert "var/lib/portward (data)" in kept
        left = {str(path.relative_to(installation.root)) for path in installation.root.rglob("*portward*")}
        assert left == {"etc/portward", "etc/portward/portward.toml"}
        assert installation.uninstall() == ["nothing was installed here"]

    def test_a_program_that_the_services_user_can_not_reach_is_refused(self, installation: Installation) -> None:
        installation.prefix.chmod(0o700)
        with pytest.raises(Environment, match=r"(?s)can't look into .*venv.*/opt/portward"):
            installation.install()


def test_the_machine_itself_needs_root_and_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Environment, match="use sudo"):
        Installation(Path(sys.prefix)).install()
    if not Path("/run/systemd/system").is_dir():
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        with pytest.raises(Environment, match="systemd does not run"):
            Installation(Path(sys.prefix)).install()


def test_without_a_domain_the_starters_own_stays() -> None:
    assert tomllib.loads(configuration(None))["domain"] == "portward.localhost"


def test_the_operators_command_knows_where_the_server_keeps_its_things(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "portward"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$PORTWARD_CONFIG $PORTWARD_STATE $*"\n')
    program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PORTWARD_")}
    script = ["/bin/sh", "-c", systemd.command(tmp_path), "portward", "status", "--json"]
    answer = subprocess.run(script, capture_output=True, text=True, check=True, env=environment)
    assert answer.stdout == "/etc/portward/portward.toml /var/lib/portward status --json\n"
