"""ban import reads the database that the real fail2ban has written."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.lives.places import short_directory
from typer.testing import Result

from portward.config.starter import STARTER
from portward.host.paths import State
from portward.store import migrate

from .fail2ban import Fail2ban

Portward = Callable[..., Result]


@pytest.fixture(scope="module")
def database() -> Iterator[Path]:
    with short_directory() as directory:
        with Fail2ban(directory) as fail2ban:
            for _ in range(3):
                fail2ban.log("203.0.113.44")
            fail2ban.wait_until_banned("sshd", "203.0.113.44")
            fail2ban.tell("set", "sshd", "banip", "203.0.113.7", "2001:db8::7")
            fail2ban.tell("set", "web", "banip", "203.0.113.7", "198.51.100.0/24", "127.0.0.9")
            fail2ban.wait_until_banned("web", "127.0.0.9")
        yield fail2ban.database


@pytest.fixture(autouse=True)
def _store(portward: Portward, state: Path) -> None:
    Path("portward.toml").write_text(STARTER)
    asyncio.run(migrate(State(state).database))


def test_bans_come_over_with_what_is_left_of_their_time(portward: Portward, database: Path) -> None:
    now = datetime.now(UTC)
    result = portward("ban", "import", str(database), "--json")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["kind"] == "a database of fail2ban"
    skipped = {one["source"]: one["why"] for one in answer["skipped"]}
    assert "is this machine itself" in skipped["127.0.0.9"]
    bans = {ban["source"]: ban for ban in json.loads(portward("ban", "list", "--json").stdout)}
    assert set(bans) == {"203.0.113.44", "203.0.113.7", "2001:db8::7", "198.51.100.0/24"}
    assert bans["203.0.113.7"]["until"] is None
    assert bans["203.0.113.7"]["reason"] == "fail2ban: sshd, web"
    left = datetime.fromisoformat(bans["203.0.113.44"]["until"]) - now
    assert timedelta(minutes=50) < left <= timedelta(hours=1)


def test_what_fail2ban_saw_is_the_evidence(portward: Portward, database: Path) -> None:
    portward("ban", "import", str(database))
    shown = json.loads(portward("ban", "show", "203.0.113.44", "--json").stdout)
    (evidence,) = shown["bans"][0]["evidence"]
    assert (evidence["jail"], evidence["failures"]) == ("sshd", 3)
    assert "failed 203.0.113.44" in evidence["lines"][0]
    assert "failed 203.0.113.44" in portward("ban", "show", "203.0.113.44").stdout


def test_a_ban_that_is_over_stays_behind(portward: Portward, database: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.sqlite3"
    later.write_bytes(database.read_bytes())
    with sqlite3.connect(later) as opened:
        opened.execute("update bips set timeofban = timeofban - 7200")
    opened.close()
    answer = json.loads(portward("ban", "import", str(later), "--json").stdout)
    assert set(answer["banned"]) == {"203.0.113.7", "198.51.100.0/24"}
    assert any(one["source"] == "203.0.113.44" and "was over at" in one["why"] for one in answer["skipped"])


def test_another_database_is_told_from_fail2bans(portward: Portward, tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite3"
    with sqlite3.connect(other) as opened:
        opened.execute("create table bans (ip text)")
    opened.close()
    result = portward("ban", "import", str(other))
    assert result.exit_code == 6
    assert "not fail2ban's" in result.stderr
