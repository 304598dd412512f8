"""What other programs make of the formats: OpenSSH, a shell, systemd, plink, an XML parser. No name reaches them."""

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.unit.tunnels.profiles.strategies import names, profiles

from portward.tunnels.profiles import openssh, plink, task, unit
from portward.tunnels.profiles.formats import FORMATS
from portward.tunnels.profiles.profile import Forward, Jump, Profile, Tcp, Unix
from portward.tunnels.profiles.spelling import parse_forward, parse_jump

HOSTILE = 'x"; touch ran; $(touch ran) `touch ran` %h %n </Description><Exec>&amp; [Service] \\'
FULL = Profile(
    "full",
    "gate.example.com",
    port=2222,
    user="ann",
    family="ipv4",
    key_file="/home/ann/my keys/50%.pem",
    certificate_file="/home/ann/cert.pub",
    agent=False,
    jumps=(Jump("a.example.com", 2200, "bob"), Jump("b.example.com")),
    compression=True,
    local=(parse_forward("8080 -> intranet:80"), parse_forward("*:81 -> [2001:db8::1]:80")),
    remote=(parse_forward("blog:80 -> localhost:1313"), Forward(Tcp("*", 90), Unix("/run/app"))),
    dynamic=(Tcp("", 1080), Tcp("::1", 1081)),
)
few = settings(max_examples=25, suppress_health_check=list(HealthCheck))


def asked(words: Sequence[str]) -> dict[str, list[str]]:
    """What OpenSSH makes of its arguments (`ssh -G`)."""
    out = subprocess.run(["ssh", "-G", *words], capture_output=True, text=True, check=False)
    assert (out.returncode, out.stderr) == (0, "")
    found: dict[str, list[str]] = {}
    for line in out.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def spelt(end: object, here: str) -> str:
    """An end as `ssh -G` prints it."""
    if isinstance(end, Unix):
        return end.path
    assert isinstance(end, Tcp)
    return f"[{end.host or here}]:{end.port}" if end.host or here else str(end.port)


def means(profile: Profile, said: dict[str, list[str]]) -> None:
    assert said["hostname"] == [profile.host]
    assert said["port"] == [str(profile.port)]
    assert said["compression"] == ["yes" if profile.compression else "no"]
    assert said["serveraliveinterval"] == [str(int(profile.keepalive.total_seconds()))]
    assert said["serveralivecountmax"] == [str(profile.keepalive_count)]
    assert said["addressfamily"] == [{"any": "any", "ipv4": "inet", "ipv6": "inet6"}[profile.family]]
    assert said["exitonforwardfailure"] == ["yes"]
    assert said["sessiontype"] == ["none"]
    if profile.user:
        assert said["user"] == [profile.user]
    if profile.key_file:
        assert said["identityfile"] == [profile.key_file.replace("%", "%%")]
    if profile.certificate_file:
        assert said["certificatefile"] == [profile.certificate_file.replace("%", "%%")]
    if profile.jumps:
        jumps = [parse_jump(jump) for jump in said["proxyjump"][0].split(",")]
        assert [(jump.host, jump.port) for jump in jumps] == [(jump.host, jump.port) for jump in profile.jumps]
    if profile.proxy_command:
        assert said["proxycommand"] == [profile.proxy_command]
    local = [f"{spelt(forward.listen, 'localhost')} {spelt(forward.to, '')}" for forward in profile.local]
    assert said.get("localforward", []) == local
    remote = [f"{spelt(forward.listen, '')} {spelt(forward.to, '')}" for forward in profile.remote]
    assert said.get("remoteforward", []) == remote
    dynamic = [spelt(end, "localhost") for end in profile.dynamic]
    # `ssh -G` lists forwards to or from a socket among the dynamic ones, too.
    assert [end for end in said.get("dynamicforward", []) if end in dynamic] == dynamic


def test_openssh_understands_the_config_as_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(openssh.config(FULL).text)
    means(FULL, asked(["-F", str(tmp_path / "config"), "full"]))


def test_openssh_understands_the_command_as_it_is_meant() -> None:
    program, *words = shlex.split(openssh.command(FULL).text)
    assert program == "ssh"
    means(FULL, asked(["-F", "none", *words]))


@given(profile=profiles())
@few
def test_openssh_understands_every_tunnel(tmp_path: Path, profile: Profile) -> None:
    assume(not any("for a loop" in note for note in openssh.config(profile).notes))
    file = tmp_path / "config"
    file.write_text(openssh.config(profile).text)
    means(profile, asked(["-F", str(file), openssh.alias_of(profile.name)]))
    means(profile, asked(["-F", "none", *shlex.split(openssh.command(profile).text)[1:]]))


def test_autossh_gets_the_same_arguments_as_ssh() -> None:
    words = shlex.split(openssh.autossh(FULL).text)
    assert words[:4] == ["AUTOSSH_GATETIME=0", "autossh", "-M", "0"]
    assert words[4:] == shlex.split(openssh.command(FULL).text)[1:]


@given(profile=profiles(names | st.just(HOSTILE)))
@few
def test_a_shell_reads_one_command_and_runs_nothing_else(profile: Profile) -> None:
    """printf shows the words that arrive; whatever the shell would expand or run would be missing among them."""
    for name in ("ssh", "plink"):
        line = FORMATS[name].write(profile).text
        shown = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
        assert shown.stderr == ""
        assert shown.stdout.splitlines() == words_of(name, profile)


def words_of(name: str, profile: Profile) -> list[str]:
    return ["ssh", *openssh.arguments(profile, [])] if name == "ssh" else ["plink", *plink.arguments(profile)]


@pytest.mark.parametrize("profile", [FULL, Profile(HOSTILE, "gate.example.com", key_file=f"/k{HOSTILE}")])
def test_systemd_finds_nothing_to_complain_about(tmp_path: Path, profile: Profile) -> None:
    file = tmp_path / "portward-tunnel.service"
    file.write_text(unit.write(profile).text)
    words = ["systemd-analyze", "verify", "--user", "--man=no", str(file)]
    out = subprocess.run(words, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True)
    assert (out.returncode, out.stderr.strip()) == (0, "")


@given(profile=profiles(names | st.just(HOSTILE)))
@few
def test_a_unit_has_the_lines_that_it_should_have(profile: Profile) -> None:
    lines = unit.write(profile).text.splitlines()
    plain = unit.write(Profile("a", "b")).text.splitlines()
    assert len(lines) == len(plain)
    changed = [line.partition("=")[0] for line, other in zip(lines, plain, strict=True) if line != other]
    assert {key for key in changed if not key.startswith("#")} <= {"Description", "ExecStart"}
    assert not any(line.endswith("\\") for line in lines)


@given(profile=profiles(names | st.just(HOSTILE)))
@few
def test_a_task_runs_one_program_with_its_arguments(profile: Profile) -> None:
    exported = task.write(profile)
    tree = ElementTree.fromstring(exported.text.encode(exported.encoding))  # noqa: S314
    name = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    (command,) = tree.findall(".//t:Exec/t:Command", name)
    (arguments,) = tree.findall(".//t:Exec/t:Arguments", name)
    (description,) = tree.findall(".//t:Description", name)
    assert command.text == r"%SystemRoot%\System32\OpenSSH\ssh.exe"
    assert description.text == f'Tunnel "{profile.name}" over SSH'
    assert words_on_windows(arguments.text or "") == ["-o", "BatchMode=yes", *openssh.arguments(profile, [])]


def words_on_windows(line: str) -> list[str]:
    """How the C runtime of Windows splits a command line (CommandLineToArgvW)."""
    words, word, quoted, backslashes, open_word = list[str](), "", False, 0, False
    for char in f"{line} ":
        if char == "\\":
            backslashes, open_word = backslashes + 1, True
            continue
        if char == '"':
            word += "\\" * (backslashes // 2)
            word, quoted = (word + '"', quoted) if backslashes % 2 else (word, not quoted)
            open_word = True
        elif char in " \t" and not quoted:
            word += "\\" * backslashes
            words += [word] * open_word
            word, open_word = "", False
        else:
            word, open_word = word + "\\" * backslashes + char, True
        backslashes = 0
    return words


def test_plink_takes_all_of_its_arguments() -> None:
    """It gets as far as looking up a host that does not exist; an option that it didn't know would end it before."""
    profile = Profile("a", "nowhere.invalid", user="ann", compression=True, dynamic=(Tcp("", 1080),), family="ipv4")
    words = ["plink", "-batch", *plink.arguments(profile)]
    out = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "unknown option" not in out.stderr
    assert "nowhere.invalid" in out.stderr or "not known" in out.stderr


def test_plink_is_quoted_for_both_worlds_where_that_can_be() -> None:
    line = plink.command(Profile("a", "b", key_file=r"C:\Users\Ann Lee\key.ppk")).text
    assert r'-i "C:\Users\Ann Lee\key.ppk"' in line
    assert shlex.split(line)[-2] == r"C:\Users\Ann Lee\key.ppk"
