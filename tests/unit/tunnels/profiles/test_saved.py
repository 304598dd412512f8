"""The file of saved tunnels: read, edited with its comments kept, refused with file, line and reason."""

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from tests.unit.tunnels.profiles.strategies import profiles

from portward.errors import ConfigError, NotFound
from portward.tunnels.profiles.profile import Jump, Profile, Tcp
from portward.tunnels.profiles.saved import change, default_file, parse, put, read, remove
from portward.tunnels.profiles.spelling import parse_forward

FILE = Path("tunnels.toml")
WRITTEN = """\
# What I need every day.
[tunnels.database]  # the big one
host = "bastion.example.com"
user = "ann"  # not root
jump = ["gate.example.com:2222"]
local = ["5432 -> db.internal:5432"]

[tunnels."my blog"]
host = "gate.example.com"
port = 2222
remote = ["blog:80 -> 1313"]
dynamic = [1080, "*:1081"]
"""
DATABASE = Profile(
    "database",
    "bastion.example.com",
    user="ann",
    jumps=(Jump("gate.example.com", 2222),),
    local=(parse_forward("5432 -> db.internal:5432"),),
)


def test_a_file_is_read() -> None:
    blog = Profile(
        "my blog",
        "gate.example.com",
        port=2222,
        remote=(parse_forward("blog:80 -> localhost:1313"),),
        dynamic=(Tcp("", 1080), Tcp("*", 1081)),
    )
    assert parse(WRITTEN, FILE) == {"database": DATABASE, "my blog": blog}


def test_no_file_is_no_tunnel(tmp_path: Path) -> None:
    assert read(tmp_path / "tunnels.toml") == {}


@given(first=profiles(), second=profiles())
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
def test_what_is_put_is_read(first: Profile, second: Profile) -> None:
    text = put(put("", first), second)
    assert parse(text, FILE) == {first.name: first, second.name: second}
    assert parse(put(text, first), FILE)[first.name] == first


def test_comments_outlive_an_edit() -> None:
    edited = put(WRITTEN, Profile("database", "other.example.com", user="ann"))
    assert "# What I need every day." in edited
    assert "# the big one" in edited
    assert "# not root" in edited
    assert "jump" not in edited
    assert parse(edited, FILE)["database"] == Profile("database", "other.example.com", user="ann")


def test_a_removed_tunnel_leaves_the_others() -> None:
    assert list(parse(remove(WRITTEN, "my blog"), FILE)) == ["database"]
    with pytest.raises(NotFound, match="'nope'"):
        remove(WRITTEN, "nope")


def test_the_last_one_may_go_and_another_come() -> None:
    empty = remove(remove(WRITTEN, "my blog"), "database")
    assert parse(empty, FILE) == {}
    assert parse(put(empty, DATABASE), FILE) == {"database": DATABASE}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("[tunnels.a]\nhost = \n", 2, "is no TOML"),
        ("[tunnels.a]\nuser = 'x'\n", 1, "has no host"),
        ("[tunnels.a]\nhost = 'a'\n\nhots = 'b'\n", 4, "is not known"),
        ("[tunnels.a]\nhost = 'a'\nport = '22'\n", 3, "is no whole number"),
        ("[tunnels.a]\nhost = 'a'\nlocal = [\n  '80 -> b:80',\n  '81 ->',\n]\n", 5, "is no forward"),
        ("[tunnels.a]\nhost = 'a'\nlocal = '80 -> b:80'\n", 3, "is no list"),
        ("[tunnels.a]\nhost = 'a'\nagent = 'yes'\n", 3, "neither true nor false"),
        ("[tunnels.a]\nhost = 'a'\nfamily = 'ipv5'\n", 3, "no address family"),
        ("[tunnels.a]\nhost = 'a'\n[tunnels.'x\\']\nhost = '-bad'\n", 3, "is no host"),
        ("[tunnel.a]\nhost = 'a'\n", 1, "is not known"),
        ("tunnels = 3\n", 1, "is no table"),
        ("[tunnels]\na = 3\n", 2, "is no table"),
        ("[tunnels.a]\nhost = 'a'\njump = ['b']\nproxy = 'http://c:1'\n", 1, "not through two of them"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    assert [(mistake.file, mistake.line) for mistake in caught.value.mistakes] == [("tunnels.toml", line)]
    assert reason in str(caught.value)


def test_every_mistake_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("[tunnels.a]\nport = 0\nlocal = ['x', 'y']\n[tunnels.b]\nhost = 'b'\nport = 0\n", FILE)
    assert sorted(mistake.line for mistake in caught.value.mistakes) == [1, 3, 4]


def test_a_changed_file_is_whole_and_private(tmp_path: Path) -> None:
    file = tmp_path / "new" / "tunnels.toml"
    assert change(file, lambda text: put(text, DATABASE)) == {"database": DATABASE}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert read(file) == {"database": DATABASE}


def test_a_file_with_mistakes_is_not_edited(tmp_path: Path) -> None:
    file = tmp_path / "tunnels.toml"
    file.write_text("[tunnels.a]\nhots = 'b'\n")
    with pytest.raises(ConfigError):
        change(file, lambda text: put(text, DATABASE))
    assert file.read_text() == "[tunnels.a]\nhots = 'b'\n"


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "dotfiles.toml").write_text("")
    (tmp_path / "tunnels.toml").symlink_to("dotfiles.toml")
    change(tmp_path / "tunnels.toml", lambda text: put(text, DATABASE))
    assert (tmp_path / "tunnels.toml").is_symlink()
    assert read(tmp_path / "dotfiles.toml") == {"database": DATABASE}


def test_the_file_lies_where_xdg_wants_it() -> None:
    assert default_file({"XDG_CONFIG_HOME": "/x"}) == Path("/x/portward/tunnels.toml")
    assert default_file({"XDG_CONFIG_HOME": "relative", "HOME": "/home/ann"}) == Path(
        "/home/ann/.config/portward/tunnels.toml"
    )
