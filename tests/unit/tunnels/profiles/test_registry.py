"""Exports of Windows' registry, as regedit writes them, in each of its encodings."""

from datetime import timedelta

import pytest

from portward.errors import ConfigError
from portward.tunnels.profiles import registry
from portward.tunnels.profiles.profile import Profile, Tcp
from portward.tunnels.profiles.spelling import parse_forward

WRITTEN = r"""Windows Registry Editor Version 5.00

; exported by somebody
[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY]

[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions]

[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\my%20gate]
"Present"=dword:00000001
"HostName"="gate.example.com"
"PortNumber"=dword:000008ae
"Protocol"="ssh"
"PublicKeyFile"="C:\\Users\\ann\\key \"one\".ppk"
"PortForwardings"="L8080=intranet:80,D1080="
"UserName"=hex(1):61,00,\
  6e,00,6e,00,\
  00,00
"Wordness0"=hex:00,01
"BugIgnore1"=dword:ffffffff
"Gone"=-
@="default"

[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\Default%20Settings]
"Protocol"="ssh"

[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\router]
"Protocol"="telnet"
"HostName"="router"

[-HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\Sessions\old]

[HKEY_CURRENT_USER\Software\SimonTatham\PuTTY\SshHostKeys]
"ssh-ed25519@22:gate"="0x1,0x2"
"""
GATE = Profile(
    "my gate",
    "gate.example.com",
    port=2222,
    user="ann",
    key_file=r'C:\Users\ann\key "one".ppk',
    keepalive=timedelta(),
    local=(parse_forward("8080 -> intranet:80"),),
    dynamic=(Tcp("", 1080),),
)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "utf-8-sig", "utf-16-le"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_sessions_are_read_in_each_encoding(encoding: str, newline: str) -> None:
    found = registry.read(WRITTEN.replace("\n", newline).encode(encoding), "putty.reg")
    assert found.profiles == (GATE,)
    assert not found.broken
    said = "\n".join(map(str, found.notes))
    assert "Default Settings: left out" in said
    assert "router: left out: it is telnet" in said
    assert "Wordness0" in said


def test_the_old_format_is_in_the_code_page_of_its_machine() -> None:
    text = WRITTEN.replace("Windows Registry Editor Version 5.00", "REGEDIT4").replace(
        "hex(1):61,00,\\\n  6e,00,6e,00,\\\n  00,00", "hex(1):e4,6e,6e,00"
    )
    found = registry.read(text.encode("cp1252"), "putty.reg")
    assert found.profiles[0].user == "änn"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "can't be read: nonsense"),
        ('"PortNumber"=dword:xyz', "has no value: dword:xyz"),
        ('"UserName"="open', 'has no value: "open'),
        ('"UserName"=hex(1):6', "half a byte"),
    ],
)
def test_a_line_without_sense_is_named(line: str, reason: str) -> None:
    text = WRITTEN.replace('"Protocol"="ssh"\n"PublicKeyFile"', f'{line}\n"PublicKeyFile"')
    with pytest.raises(ConfigError) as caught:
        registry.read(text.encode(), "putty.reg")
    assert str(caught.value).startswith("putty.reg:12: ")
    assert reason in str(caught.value)


def test_what_is_no_registry_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"putty.reg:1: is no export of the registry"):
        registry.read(b"Host gate\n", "putty.reg")
    assert not registry.is_registry(b"Host gate\n")
    assert registry.is_registry(WRITTEN.encode("utf-16"))


def test_an_export_without_sessions_says_what_to_export() -> None:
    found = registry.read(b"REGEDIT4\n\n[HKEY_CURRENT_USER\\Software\\Other]\n", "other.reg")
    assert not found.profiles
    assert "SimonTatham" in str(found.notes[0])


@pytest.mark.parametrize(
    "name", ['a]"x"=dword:1', r"..\..\Run", "[x]", "50 % *?", "Übung", "水", ".dot", 'say "hi"', "Ã¼"]
)
def test_no_name_leaves_its_key(name: str) -> None:
    exported = registry.write(Profile(name, "gate.example.com"))
    keys = [line for line in exported.text.split("\r\n") if line.startswith("[")]
    assert keys == [f"[HKEY_CURRENT_USER{registry.SESSIONS}\\{registry.escape(name)}]"]
    assert not set(registry.escape(name)) & set("\\[] *?")
    assert registry.read(exported.text.encode(exported.encoding), "x.reg").profiles[0].name == name


def test_a_value_is_quoted() -> None:
    exported = registry.write(Profile("a", "b", key_file=r'C:\k "x"\y.ppk'))
    assert r'"PublicKeyFile"="C:\\k \"x\"\\y.ppk"' in exported.text


def test_a_broken_session_does_not_hide_the_others() -> None:
    text = WRITTEN.replace('"HostName"="router"', '"HostName"="-x"').replace('"Protocol"="telnet"', '"Protocol"="ssh"')
    found = registry.read(text.encode(), "putty.reg")
    assert [profile.name for profile in found.profiles] == ["my gate"]
    assert [(broken.tunnel, broken.mistake.line) for broken in found.broken] == [("router", 28)]
