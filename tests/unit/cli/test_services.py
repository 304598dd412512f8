"""services, publish, unpublish."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from portward.config.editing import services_in
from portward.config.starter import STARTER

from .conftest import FakeKeeper

Portward = Callable[..., Result]
FILE = Path("portward.toml")


@pytest.fixture(autouse=True)
def _starter(portward: Portward) -> None:
    FILE.write_text(STARTER)


def test_publish_saves_the_file_and_says_when_it_takes_effect(portward: Portward) -> None:
    result = portward("publish", "wiki", "http://127.0.0.1:3000")
    assert result.exit_code == 0, result.stderr
    assert FILE.read_text() == STARTER + '\n[services.wiki]\nupstream = "http://127.0.0.1:3000"\n'
    assert "published wiki: https://wiki.portward.localhost:8443/" in result.stdout
    assert "takes effect at the next start" in result.stdout


def use(fake: FakeKeeper, file: Path) -> None:
    fake.answer("GET /status", {"configuration": {"file": str(file.absolute())}})


def test_publish_asks_the_running_keeper_to_apply_it(portward: Portward, fake: FakeKeeper) -> None:
    use(fake, FILE)
    fake.answer("POST /reload", {"summary": "1 route more"})
    result = portward("publish", "wiki", "demo", "--access", "owners,group:family", "--access", "account:ann", "--json")
    assert json.loads(result.stdout)["applied"] == {"summary": "1 route more"}
    assert 'access = ["owners", "group:family", "account:ann"]' in FILE.read_text()


def test_every_option_reaches_the_file(portward: Portward) -> None:
    portward("publish", "wiki", "demo", "--host", "w.example.com", "--path", "/w", "--second-factor")
    wanted = '[services.wiki]\nupstream = "demo"\nhost = "w.example.com"\npath = "/w"\nsecond-factor = true\n'
    assert FILE.read_text().endswith(wanted)


def test_what_the_edge_refuses_is_told_with_its_exit_code(portward: Portward, fake: FakeKeeper) -> None:
    use(fake, FILE)
    fake.refuse("POST /reload", "EdgeError", 503, 8, "HAProxy refused it")
    result = portward("publish", "wiki", "demo")
    assert result.exit_code == 8
    assert "HAProxy refused it" in result.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["hello", "demo"], 5),
        (["Wiki", "demo"], 6),
        (["wiki", "ftp://x"], 6),
        (["auth", "demo"], 2),
        (["wiki", "http://127.0.0.1:8443"], 2),
        (["wiki", "demo", "--host", "hello.portward.localhost"], 2),
    ],
)
def test_what_can_not_be_used_is_not_written(portward: Portward, words: list[str], code: int) -> None:
    assert portward("publish", *words).exit_code == code
    assert FILE.read_text() == STARTER


@pytest.mark.parametrize("words", [["publish", "wiki", "demo"], ["unpublish", "hello", "--yes"]])
def test_a_file_that_the_running_gateway_does_not_use_is_left_alone(
    portward: Portward, fake: FakeKeeper, words: list[str]
) -> None:
    use(fake, Path("/etc/portward/portward.toml"))
    result = portward(*words)
    assert result.exit_code == 5
    assert "add --config /etc/portward/portward.toml" in result.stderr
    assert FILE.read_text() == STARTER


def test_of_two_edits_at_once_neither_undoes_the_other(portward: Portward) -> None:
    code = "from portward.cli import main; main()"
    names = [f"wiki{number}" for number in range(4)]
    commands = [[sys.executable, "-c", code, "publish", name, "demo"] for name in names]
    for running in [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]:
        assert running.wait(30) == 0
    assert sorted(services_in(FILE.read_text())) == ["hello", *names]


def test_publishing_without_a_file_begins_with_the_starter(portward: Portward) -> None:
    FILE.unlink()
    assert portward("publish", "wiki", "demo").exit_code == 0
    assert FILE.read_text().startswith(STARTER)


def test_the_file_keeps_its_mode_and_a_link_stays_a_link(portward: Portward) -> None:
    FILE.rename("kept-in-git.toml")
    Path("kept-in-git.toml").chmod(0o640)
    FILE.symlink_to("kept-in-git.toml")
    portward("publish", "wiki", "demo")
    assert FILE.is_symlink()
    assert "services.wiki" in Path("kept-in-git.toml").read_text()
    assert FILE.stat().st_mode & 0o777 == 0o640


def test_unpublish_undoes_publish(portward: Portward) -> None:
    portward("publish", "wiki", "demo")
    result = portward("unpublish", "wiki", "--yes")
    assert result.exit_code == 0
    assert FILE.read_text() == STARTER


def test_unpublish_is_not_done_unasked(portward: Portward) -> None:
    result = portward("unpublish", "hello")
    assert result.exit_code == 6
    assert "add --yes" in result.stderr
    assert FILE.read_text() == STARTER


def test_unpublish_knows_what_is_not_there(portward: Portward) -> None:
    assert portward("unpublish", "wiki", "--yes").exit_code == 4


def test_services_are_a_table_or_json(portward: Portward, fake: FakeKeeper) -> None:
    found = [{"service": "wiki", "url": "https://wiki.example.com", "access": "members", "second_factor": False}]
    fake.answer("GET /services", {"services": found})
    assert "https://wiki.example.com" in portward("services").stdout
    assert json.loads(portward("services", "--json").stdout) == found
