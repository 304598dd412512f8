"""Saved tunnels on the command line, without bringing one up; and `portward connect` before it connects."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.lives.places import short_directory
from typer.testing import CliRunner, Result

from portward.cli.app import app

Run = Callable[..., Result]
WANTS = Path("systemd/user/default.target.wants")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A user with directories of their own; `run("list", code=0)`."""
    for variable, directory in (("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_RUNTIME_DIR", "run")):
        monkeypatch.setenv(variable, str(tmp_path / directory))

    def call(*words: str, code: int = 0, group: str = "tunnel") -> Result:
        result = CliRunner().invoke(app, [group, *words])
        assert result.exit_code == code, result.output
        return result

    with short_directory() as gateway:
        monkeypatch.setenv("PORTWARD_STATE", str(gateway))
        yield call


def saved(run: Run) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads(run("list", "--json").stdout)["saved"]
    return rows


def test_a_tunnel_is_saved_changed_shown_and_forgotten(run: Run) -> None:
    run("add", "db", "ann@bastion.example.com:2200", "-L", "5432:db.internal:5432", "-D", "1080", "-J", "gate", "-C")
    (row,) = saved(run)
    assert row["host"] == "bastion.example.com"
    assert row["forwards"] == ["5432 -> db.internal:5432", "SOCKS at 1080"]
    assert row["state"] == "down"
    run("edit", "db", "-D", "", "-L", "5433:db.internal:5432", "--proxy", "socks5://proxy:1080", "--no-compression")
    shown = json.loads(run("show", "db", "--json").stdout)
    assert shown["local"] == ["5433 -> db.internal:5432"]
    assert shown["proxy"] == "socks5://proxy:1080"
    assert not {"dynamic", "jump", "compression"} & shown.keys()
    assert (shown["port"], shown["user"]) == (2200, "ann")
    run("remove", "db", "--yes")
    assert saved(run) == []
    assert "portward tunnel add" in run("list").output


def test_what_opens_a_port_to_others_is_said_each_time(run: Run) -> None:
    assert "warning" not in run("add", "web", "gate", "-L", "8080:intranet:80").output
    for words in (("edit", "web", "--accept-others"), ("show", "web")):
        assert "warning: *:8080 takes connections from other machines" in run(*words).output
    assert "warning" not in run("edit", "web", "--refuse-others").output


def test_starting_at_login_follows_what_is_saved(run: Run, tmp_path: Path) -> None:
    run("add", "web", "gate", "-D", "1080", "--start-at-login")
    link = tmp_path / "config" / WANTS / "portward-tunnel@web.service"
    assert link.is_symlink()
    run("edit", "web", "--no-start-at-login")
    assert not link.is_symlink()
    run("edit", "web", "--start-at-login")
    run("remove", "web", "--yes")
    assert not link.is_symlink()


def test_mistakes_have_a_way_out_and_save_nothing(run: Run) -> None:
    run("add", "web", "gate", "-D", "1080")
    assert "portward tunnel edit" in run("add", "web", "gate", code=5).output
    run("add", "other", "gate", "-L", "8080", code=6)
    run("add", "other", "gate", "-J", "jump", "--proxy", "socks5://proxy", code=6)
    run("edit", "web", "--family", "ipv5", code=6)
    for verb in ("show", "edit", "remove", "up"):
        run(verb, "nothing", code=4)
    run("up", code=6)
    run("down", "web", code=4)
    run("status", "web", code=4)
    assert [row["name"] for row in saved(run)] == ["web"]


def test_connect_needs_a_gateway_and_something_to_publish(run: Run) -> None:
    assert "--gate" in run("blog=1313", code=6, group="connect").output
    assert "portward connect blog=1313" in run("--gate", "gate.example.com", code=6, group="connect").output
    run("Blog=1313", "--gate", "gate.example.com", code=6, group="connect")
    assert "NAME=PORT" in run("status", group="connect").output
    run("stop", "blog", code=4, group="connect")


@pytest.mark.parametrize("words", [("tunnel", "list"), ("tunnel", "status"), ("connect", "status")])
def test_asking_does_not_load_what_only_tunnels_need(run: Run, words: tuple[str, ...]) -> None:
    code = f"import sys; from portward.cli.app import app; app({words!r}, standalone_mode=False); print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"asyncssh", "uvicorn", "starlette"} & set(told.stdout.split())
