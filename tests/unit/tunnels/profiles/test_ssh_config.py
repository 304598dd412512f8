"""OpenSSH's client configuration as tunnels, compared with what `ssh -G` makes of the same file."""

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from portward.errors import ConfigError
from portward.tunnels.profiles import ssh_config
from portward.tunnels.profiles.exchange import Imported
from portward.tunnels.profiles.profile import Jump, Profile, Proxy, Tcp
from portward.tunnels.profiles.spelling import parse_forward

ME = pwd.getpwuid(os.getuid()).pw_name
WRITTEN = r"""
# What many people have.
Include conf.d/*.conf

Host work "office machine" !never
  HostName = work.example.com
  User "ann smith"
  Port=2222
  IdentityFile ~/.ssh/work%%key
  IdentityFile ~/.ssh/second
  LocalForward 8080 intranet:80
  LocalForward [::1]:8081 [2001:db8::1]:80
  RemoteForward *:80 localhost:1313
  RemoteForward "/run/app 1.sock" 127.0.0.1:3000
  DynamicForward 1080
  ProxyJump ann@gate.example.com:2222,inner

Match host work.example.com user "ann smith"
  Compression yes

Match originalhost other !user nobody
  Port 99

Host other *.lab
  ServerAliveInterval 1m30s
  ServerAliveCountMax 5
  AddressFamily inet6
  GatewayPorts yes
  DynamicForward 1081
  IdentityAgent none
  ProxyCommand nc -X 5 -x proxy:1080 %h %p

Host *
  User fallback
  Port 2200
  ForwardAgent yes
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".ssh" / "conf.d").mkdir(parents=True)
    (tmp_path / ".ssh" / "conf.d" / "a.conf").write_text(
        "Host included\n  HostName inc.example.com\n  LocalForward 1 a:1\n"
    )
    return tmp_path


def read(home: Path, text: str = WRITTEN) -> Imported:
    file = home / ".ssh" / "config"
    file.write_text(text)
    return ssh_config.read(file, user=ME, home=home)


def by_name(found: Imported) -> dict[str, Profile]:
    return {profile.name: profile for profile in found.profiles}


def asked(home: Path, alias: str) -> dict[str, list[str]]:
    """What OpenSSH itself makes of a host."""
    words = ["ssh", "-G", "-F", str(home / ".ssh" / "config"), alias]
    out = subprocess.run(words, check=True, capture_output=True, text=True)
    found: dict[str, list[str]] = {}
    for line in out.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def test_hosts_become_tunnels(home: Path) -> None:
    found = by_name(read(home))
    assert list(found) == ["included", "work", "office machine", "other"]
    assert found["included"].local == (parse_forward("1 -> a:1"),)
    work = found["work"]
    assert (work.host, work.port, work.user, work.compression) == ("work.example.com", 2222, "ann smith", True)
    assert work.key_file == "~/.ssh/work%key"
    assert work.jumps == (Jump("gate.example.com", 2222, "ann"), Jump("inner"))
    assert work.local == (parse_forward("8080 -> intranet:80"), parse_forward("[::1]:8081 -> [2001:db8::1]:80"))
    assert work.remote == (parse_forward("*:80 -> 1313"), parse_forward("unix:/run/app 1.sock -> 127.0.0.1:3000"))
    assert work.dynamic == (Tcp("", 1080),)


def test_the_first_value_counts_and_match_is_followed(home: Path) -> None:
    other = by_name(read(home))["other"]
    assert (other.port, other.user, other.family, other.agent) == (99, "fallback", "ipv6", False)
    assert (int(other.keepalive.total_seconds()), other.keepalive_count) == (90, 5)
    assert other.dynamic == (Tcp("*", 1081),)
    assert other.proxy == Proxy("socks5", "proxy", 1080)


@pytest.mark.parametrize("alias", ["included", "work", "other"])
def test_openssh_reads_the_same(home: Path, alias: str) -> None:
    text = WRITTEN.replace("Include conf.d", f"Include {home}/.ssh/conf.d")
    profile = by_name(read(home, text))[alias]
    said = asked(home, alias)
    assert said["hostname"] == [profile.host]
    assert said["port"] == [str(profile.port)]
    assert said["user"] == [profile.user]
    assert said["compression"] == ["yes" if profile.compression else "no"]
    assert said["serveraliveinterval"] == [str(int(profile.keepalive.total_seconds()))]
    assert len(said.get("localforward", [])) == len(profile.local)
    assert len(said.get("remoteforward", [])) == len(profile.remote)


def test_what_cannot_be_carried_over_is_named(home: Path) -> None:
    said = "\n".join(str(note) for note in read(home).notes if note.tunnel == "work")
    assert "only the first of 2 is used, ~/.ssh/work%%key" in said
    assert "forwardagent" in said
    assert f"{home}/.ssh/config:" in said


def test_match_exec_is_never_run(home: Path) -> None:
    found = read(home, f"Host a\nMatch exec 'touch {home}/ran'\n  Port 99\nHost b\n")
    assert not (home / "ran").exists()
    assert "Match exec is not followed" in "\n".join(map(str, found.notes))
    assert [profile.port for profile in found.profiles] == [22, 22]


def test_a_host_in_an_included_file_does_not_outlive_it(home: Path) -> None:
    (home / ".ssh" / "conf.d" / "a.conf").write_text("Host inner\n  Port 1\n")
    found = by_name(read(home, "Host a\n  Include conf.d/*\n  Port 2\n"))
    assert found["a"].port == 2


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("Host a\n  Port\n", 2, "is no `Keyword value`"),
        ('Host a\n  User "open\n', 2, "a quote has no end"),
        ("Host a\nMatch nonsense x\n", 2, "nothing that OpenSSH knows"),
        ("Host a\nMatch user\n", 2, "has no value"),
        ("Host a\n\nInclude config\n", 3, "too deep, or in a circle"),
    ],
)
def test_a_file_that_makes_no_sense_gives_its_line(home: Path, text: str, line: int, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(home, text)
    assert str(caught.value).startswith(f"{home}/.ssh/config:{line}: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Port x", "'x' is no number"),
        ("LocalForward 80", "is no forward"),
        ("LocalForward x y:80", "no place to listen"),
        ("DynamicForward a:b:c", "no place to listen"),
        ("ServerAliveInterval soon", "is no time"),
        ("ProxyJump -x", "is no host"),
        ("ProxyCommand nc %z", "can't be a proxy command"),
    ],
)
def test_a_host_that_makes_no_sense_is_broken_alone(home: Path, row: str, reason: str) -> None:
    found = read(home, f"Host a\n  {row}\nHost b\n")
    assert [profile.name for profile in found.profiles] == ["b"]
    (broken,) = found.broken
    assert (broken.tunnel, broken.mistake.line) == ("a", 2)
    assert reason in broken.mistake.problem


def test_a_file_that_is_missing_is_named(home: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        ssh_config.read(home / "nope", user=ME, home=home)


def test_socks_at_the_server_is_named(home: Path) -> None:
    found = read(home, "Host a\n  RemoteForward 1080\n  DynamicForward /run/socks\n")
    assert found.profiles[0].remote == ()
    assert len([note for note in found.notes if "can't be carried over" in note.text]) == 2
