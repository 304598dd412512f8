"""ban add, list, show, remove, flush, import, export: against a real store, with no keeper around."""

import asyncio
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from portward.config.starter import STARTER
from portward.host.paths import State
from portward.store import migrate

Portward = Callable[..., Result]


@pytest.fixture(autouse=True)
def _store(portward: Portward, state: Path) -> None:
    Path("portward.toml").write_text(STARTER + '\n[defence]\nallow = ["198.51.100.0/24"]\n')
    asyncio.run(migrate(State(state).database))


def done(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def banned(portward: Portward, *words: str) -> list[str]:
    return [ban["source"] for ban in json.loads(done(portward("ban", "list", "--json", *words)))]


def test_the_life_of_a_ban(portward: Portward) -> None:
    assert "nobody is banned" in done(portward("ban", "list"))
    result = portward("ban", "add", "203.0.113.9/24", "--for", "12h", "--reason", "guesses passwords")
    assert re.match(r"203.0.113.0/24 is shut out until \d{4}-", done(result))
    assert "the keeper does not run" in result.stderr
    done(portward("ban", "add", "2001:db8::7"))
    assert banned(portward) == ["2001:db8::7", "203.0.113.0/24"]
    assert "for good" in done(portward("ban", "list"))
    shown = done(portward("ban", "show", "203.0.113.77"))
    assert "203.0.113.0/24 is shut out until" in shown
    assert "guesses passwords" in shown
    assert "203.0.113.0/24 may come again" in done(portward("ban", "remove", "203.0.113.0/24"))
    assert banned(portward) == ["2001:db8::7"]
    assert banned(portward, "--all") == ["2001:db8::7", "203.0.113.0/24"]
    history = json.loads(done(portward("ban", "show", "203.0.113.0/24", "--json")))
    assert (history["bans"], [ban["lifted_by"] for ban in history["history"]]) == ([], ["cli"])


def test_bans_are_found_by_reason_and_by_any_part(portward: Portward) -> None:
    for source, reason in (("203.0.113.7", "login"), ("203.0.114.7", "probe"), ("203.0.115.1", "100% sure")):
        done(portward("ban", "add", source, "--reason", reason))
    assert banned(portward, "--detector", "login") == ["203.0.113.7"]
    assert banned(portward, "--search", "113") == ["203.0.113.7"]
    assert banned(portward, "--search", "%") == ["203.0.115.1"]
    assert done(portward("ban", "list", "--search", "nobody")) == "no such bans\n"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("127.0.0.1", "is this machine itself"),
        ("0.0.0.0/0", "is a large part of the internet"),
        ("192.168.1.7", "is a private network"),
        ("198.51.100.7", "is on the allowlist"),
        ("office", "is no address and no network"),
    ],
)
def test_who_can_not_be_banned_is_told_why(portward: Portward, source: str, why: str) -> None:
    result = portward("ban", "add", source)
    assert result.exit_code == 6
    assert why in result.stderr
    if source != "office":
        assert why in done(portward("ban", "show", source))


def test_what_is_not_banned_can_not_be_unbanned(portward: Portward) -> None:
    done(portward("ban", "add", "203.0.113.0/24"))
    result = portward("ban", "remove", "203.0.113.7")
    assert result.exit_code == 4
    assert "it is shut out by the ban of 203.0.113.0/24" in result.stderr
    assert portward("ban", "remove", "../status").exit_code == 6


def test_flushing_asks(portward: Portward) -> None:
    done(portward("ban", "add", "203.0.113.7"))
    assert portward("ban", "flush").exit_code == 6
    assert banned(portward) == ["203.0.113.7"]
    assert done(portward("ban", "flush", "--yes")) == "lifted 1 bans\n"
    assert done(portward("ban", "flush")) == "lifted 0 bans\n"


@pytest.mark.parametrize("form", ["json", "csv", "plain"])
def test_an_export_can_be_imported_again(portward: Portward, form: str) -> None:
    done(portward("ban", "add", "203.0.113.7", "--for", "2h", "--reason", 'he said "no", twice'))
    done(portward("ban", "add", "2001:db8::/64", "--reason", "=cmd()"))
    before = json.loads(done(portward("ban", "list", "--json")))
    Path("bans").write_text(done(portward("ban", "export", "--format", form)))
    done(portward("ban", "flush", "--yes"))
    assert "banned 2, skipped 0" in done(portward("ban", "import", "bans"))
    after = json.loads(done(portward("ban", "list", "--json")))
    kept = [{ban["source"]: (ban["reason"], ban["until"]) for ban in bans} for bans in (before, after)]
    assert kept[0] == kept[1]


def test_the_export_for_nftables_loads(portward: Portward) -> None:
    for source in ("203.0.113.7", "203.0.113.0/24", "203.0.113.128/25", "2001:db8::7"):
        done(portward("ban", "add", source, "--for", "1h"))
    done(portward("ban", "add", "2001:db8::/64"))
    script = done(portward("ban", "export", "--format", "nft"))
    Path("bans.nft").write_text(script)
    check = subprocess.run(["nft", "--check", "--file", "bans.nft"], capture_output=True, text=True)
    assert check.returncode == 0, check.stderr
    assert "203.0.113.128" not in script


def test_a_plain_list_with_comments_is_imported(portward: Portward) -> None:
    Path("list.txt").write_text("# bad\n203.0.113.7 # scanner\n\n198.51.100.9 ; friend\n203.0.114.0/24\n203.0.113.7\n")
    assert "a plain list: 4 bans" in done(portward("ban", "import", "list.txt", "--dry-run"))
    assert banned(portward) == []
    told = done(portward("ban", "import", "list.txt", "--for", "1d"))
    assert "skipped 198.51.100.9: 198.51.100.9 is on the allowlist" in told
    bans = json.loads(done(portward("ban", "list", "--json")))
    assert {ban["source"]: ban["reason"] for ban in bans} == {
        "203.0.113.7": "scanner",
        "203.0.114.0/24": "imported from list.txt",
    }
    assert all(ban["until"] and ban["by"] == "import" for ban in bans)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"203.0.113.7\nnobody\n203.0.113.8\n", "line 2: 'nobody' is no address"),
        (b"source,reason\n203.0.113.7,x\n,\n", "line 3"),
        (b'{"bans": 7}', "is no export of Portward"),
        (b'{"bans": [{"source": "203.0.113.7"}, {}]}', "is no export of Portward"),
        (b"\xff\xfe\x00\x01", "neither text nor a database"),
        (b"SQLite format 3\0 but not really", "can't be read as fail2ban's database"),
    ],
)
def test_a_file_is_imported_whole_or_not_at_all(portward: Portward, content: bytes, why: str) -> None:
    Path("bans").write_bytes(content)
    result = portward("ban", "import", "bans")
    assert result.exit_code == 6
    assert why in result.stderr
    assert banned(portward) == []


def test_what_is_over_is_skipped(portward: Portward) -> None:
    Path("bans.csv").write_text("source,until\n203.0.113.7,2020-01-01T00:00:00Z\n203.0.113.8,2999-01-01T00:00:00Z\n")
    assert "skipped 203.0.113.7: its ban was over at 2020-01-01 00:00:00 UTC" in done(
        portward("ban", "import", "bans.csv")
    )
    assert banned(portward) == ["203.0.113.8"]


def test_a_mistake_in_portward_toml_keeps_nobody_locked_out(portward: Portward) -> None:
    done(portward("ban", "add", "203.0.113.7"))
    Path("portward.toml").write_text("nonsense")
    assert "may come again" in done(portward("ban", "remove", "203.0.113.7"))


def test_without_a_store_there_is_nothing_to_ask(portward: Portward, state: Path) -> None:
    State(state).database.unlink()
    assert portward("ban", "list").exit_code == 7


def test_nobody_shuts_out_his_own_terminal_by_mistake(portward: Portward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.7 50022 192.0.2.1 22")
    assert portward("ban", "add", "203.0.113.8").exit_code == 0
    for source in ("203.0.113.7", "203.0.113.0/24"):
        result = portward("ban", "add", source)
        assert result.exit_code == 6
        assert "needs a confirmation" in result.stderr
    assert banned(portward) == ["203.0.113.8"]
    done(portward("ban", "add", "203.0.113.7", "--yes"))
    assert banned(portward) == ["203.0.113.7", "203.0.113.8"]
