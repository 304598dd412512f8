"""PuTTY's saved sessions as tunnels: every spelling of a forward, the ways to a server, and what is named as lost."""

from datetime import timedelta

import pytest

from portward.errors import Invalid
from portward.tunnels.profiles import putty_files, putty_forwards
from portward.tunnels.profiles.exchange import Imported
from portward.tunnels.profiles.profile import Forward, Jump, Profile, Proxy, Tcp
from portward.tunnels.profiles.putty import Setting, at_home, from_session, to_session
from portward.tunnels.profiles.spelling import parse_forward


def imported(**settings: str) -> Imported:
    known = {"Protocol": "ssh", "HostName": "gate.example.com", **settings}
    return from_session("work", {key: Setting(value, line) for line, (key, value) in enumerate(known.items(), 1)}, "f")


def profile(**settings: str) -> Profile:
    (found,) = imported(**settings).profiles
    return found


def notes(**settings: str) -> str:
    return "\n".join(map(str, imported(**settings).notes))


@pytest.mark.parametrize(
    ("text", "forward"),
    [
        ("L8080=intranet:80", "8080 -> intranet:80"),
        ("8080=intranet:80", "8080 -> intranet:80"),
        ("AL8080=intranet:80", "8080 -> intranet:80"),
        ("4L8080=intranet:80", "127.0.0.1:8080 -> intranet:80"),
        ("6L8080=intranet:80", "[::1]:8080 -> intranet:80"),
        ("4L192.0.2.7:8080=intranet:80", "192.0.2.7:8080 -> intranet:80"),
        ("L192.0.2.7:8080=intranet:80", "192.0.2.7:8080 -> intranet:80"),
        ("L[2001:db8::7]:8080=[2001:db8::1]:80", "[2001:db8::7]:8080 -> [2001:db8::1]:80"),
        ("Llocalhost:8080=intranet:http", "8080 -> intranet:80"),
        ("L:8080=intranet:80,", "8080 -> intranet:80"),
    ],
)
def test_every_spelling_of_a_local_forward_is_read(text: str, forward: str) -> None:
    assert profile(PortForwardings=text).local == (parse_forward(forward),)


@pytest.mark.parametrize(
    ("text", "forward"),
    [
        ("R80=localhost:1313", "80 -> localhost:1313"),
        ("4R80=localhost:1313", "80 -> localhost:1313"),
        ("Rblog:80=localhost:1313", "blog:80 -> localhost:1313"),
        ("6R[2001:db8::7]:80=[::1]:1313", "[2001:db8::7]:80 -> [::1]:1313"),
    ],
)
def test_every_spelling_of_a_remote_forward_is_read(text: str, forward: str) -> None:
    assert profile(PortForwardings=text).remote == (parse_forward(forward),)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("D1080=", Tcp("", 1080)),
        ("D1080", Tcp("", 1080)),
        ("L1080=D", Tcp("", 1080)),
        ("4D1080=", Tcp("127.0.0.1", 1080)),
        ("D[::1]:1080=", Tcp("::1", 1080)),
        ("D192.0.2.7:1080=", Tcp("192.0.2.7", 1080)),
    ],
)
def test_every_spelling_of_a_dynamic_forward_is_read(text: str, end: Tcp) -> None:
    assert profile(PortForwardings=text).dynamic == (end,)


def test_a_list_of_forwards_is_read_whole() -> None:
    found = profile(PortForwardings="L1=a:1,4L2=b:2,D3=,R4=c:4,R5=d:5")
    assert (len(found.local), len(found.remote), len(found.dynamic)) == (2, 2, 1)


def test_accepting_others_holds_for_what_has_no_address() -> None:
    text = "L1=a:1,L127.0.0.1:2=a:1,4L3=a:1,6D4=,R5=a:1"
    found = profile(PortForwardings=text, LocalPortAcceptAll="1")
    assert [forward.listen for forward in found.local] == [Tcp("*", 1), Tcp("127.0.0.1", 2), Tcp("0.0.0.0", 3)]  # noqa: S104
    assert (found.dynamic, found.remote[0].listen) == ((Tcp("::", 4),), Tcp("", 5))
    assert profile(PortForwardings=text, RemotePortAcceptAll="1").remote[0].listen == Tcp("*", 5)


def test_a_listener_for_this_machine_alone_stays_so_beside_an_open_one() -> None:
    mixed = Profile("a", "b", local=(parse_forward("*:1 -> a:1"), parse_forward("2 -> a:1")), dynamic=(Tcp("", 3),))
    assert putty_forwards.spell(mixed) == ("L1=a:1,Llocalhost:2=a:1,Dlocalhost:3=", True, False)


def test_an_open_ipv6_address_needs_an_open_session() -> None:
    """PuTTY would turn every other machine away from it."""
    assert putty_forwards.spell(Profile("a", "b", dynamic=(Tcp("2001:db8::7", 3),)))[1]
    assert not putty_forwards.spell(Profile("a", "b", dynamic=(Tcp("::1", 3), Tcp("192.0.2.7", 3))))[1]


def test_no_letter_d_of_an_address_turns_a_forward_into_a_dynamic_one() -> None:
    """PuTTY's own reader takes the first D in the source for one (settings.c, gppmap)."""
    spelt, *_ = putty_forwards.spell(Profile("a", "b", remote=(Forward(Tcp("Dev", 80), Tcp("::1", 1)),)))
    assert spelt == "Rdev:80=[::1]:1"


@pytest.mark.parametrize("text", ["L=a:1", "X80=a:1", "L80=a", "L80=", "L80=a:nosuch", "Lx y:80=a:1", "L99999=a:1"])
def test_a_broken_forward_is_refused_with_its_line(text: str) -> None:
    (broken,) = imported(PortForwardings=text).broken
    assert (broken.tunnel, broken.mistake.file, broken.mistake.key) == ("work", "f", "PortForwardings")
    assert broken.mistake.line == 3
    assert broken.mistake.problem


def test_all_settings_of_the_connection_are_read() -> None:
    found = profile(
        PortNumber="2222",
        UserName="ann",
        AddressFamily="2",
        PublicKeyFile="/home/ann/key",
        DetachedCertificate="/home/ann/key-cert.pub",
        TryAgent="0",
        Compression="1",
        PingInterval="1",
        PingIntervalSecs="30",
    )
    assert found == Profile(
        "work",
        "gate.example.com",
        port=2222,
        user="ann",
        family="ipv6",
        key_file="/home/ann/key",
        certificate_file="/home/ann/key-cert.pub",
        agent=False,
        compression=True,
        keepalive=timedelta(seconds=90),
    )


def test_defaults_are_those_of_putty() -> None:
    assert profile() == Profile("work", "gate.example.com", keepalive=timedelta())


def test_a_user_in_the_field_of_the_host_counts_more() -> None:
    found = profile(HostName="bob@gate.example.com", UserName="ann")
    assert (found.user, found.host) == ("bob", "gate.example.com")


@pytest.mark.parametrize(
    ("settings", "proxy"),
    [
        ({"ProxyMethod": "1"}, Proxy("socks4", "proxy", 80)),
        ({"ProxyMethod": "2", "ProxyHost": "p", "ProxyPort": "1080"}, Proxy("socks5", "p", 1080)),
        ({"ProxyMethod": "3", "ProxyHost": "p", "ProxyUsername": "ann"}, Proxy("http", "p", 80, "ann")),
        ({"ProxyType": "2", "ProxySOCKSVersion": "4", "ProxyHost": "p"}, Proxy("socks4", "p", 80)),
        ({"ProxyType": "1", "ProxyHost": "p"}, Proxy("http", "p", 80)),
    ],
)
def test_proxies_are_read_in_both_generations_of_the_setting(settings: dict[str, str], proxy: Proxy) -> None:
    assert profile(**settings).proxy == proxy


def test_an_ssh_proxy_is_a_jump_host() -> None:
    found = profile(ProxyMethod="6", ProxyHost="bastion", ProxyPort="2222", ProxyUsername="ann")
    assert found.jumps == (Jump("bastion", 2222, "ann"),)


def test_a_local_proxy_command_keeps_its_meaning() -> None:
    found = profile(ProxyMethod="5", ProxyTelnetCommand=r"C:\\bin\\nc.exe %host %port 50%%")
    assert found.proxy_command == r"C:\bin\nc.exe %h %p 50%%"
    assert to_session(found).values["ProxyTelnetCommand"] == r"C:\\bin\\nc.exe %host %port 50%%"
    assert "%user" in notes(ProxyMethod="5", ProxyTelnetCommand="nc %user %host")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("RemoteCommand", "top"),
        ("X11Forward", "1"),
        ("AgentFwd", "1"),
        ("ProxyPassword", "secret"),
        ("SSHManualHostKeys", "SHA256:abc"),
        ("ProxyMethod", "4"),
        ("Colour0", "1,2,3"),
    ],
)
def test_what_cannot_be_carried_over_is_named(setting: str, value: str) -> None:
    assert setting in notes(**{setting: value})
    assert "secret" not in notes(**{setting: value})


def test_the_family_of_a_forward_is_named_where_it_has_no_meaning() -> None:
    assert "the 4 of the forward 4R80" in notes(PortForwardings="4R80=a:80")
    assert "the 6 of the forward 6Lname:80" in notes(PortForwardings="6Lname:80=a:80")
    assert "of the forward" not in notes(PortForwardings="4L80=a:80")


@pytest.mark.parametrize("protocol", ["telnet", "raw", "serial"])
def test_a_session_that_is_no_ssh_is_left_out_with_a_note(protocol: str) -> None:
    found = imported(Protocol=protocol)
    assert not found.profiles
    assert protocol in str(found.notes[0])


@pytest.mark.parametrize(
    ("setting", "value"),
    [("PortNumber", "abc"), ("PortNumber", "0"), ("HostName", ""), ("HostName", "-x"), ("UserName", "$(id)")],
)
def test_a_value_that_makes_no_sense_breaks_the_session_alone(setting: str, value: str) -> None:
    (broken,) = imported(**{setting: value}).broken
    assert broken.tunnel == "work"
    assert broken.mistake.problem


def test_what_putty_has_no_setting_for_is_named() -> None:
    lost = Profile(
        "a",
        "b",
        keepalive_count=9,
        start_at_login=True,
        jumps=(Jump("first"), Jump("second")),
        local=(parse_forward("unix:/run/a -> b:1"),),
        remote=(parse_forward("0 -> b:1"),),
        key_file="/home/ann/.ssh/id_ed25519",
    )
    said = "\n".join(to_session(lost).notes)
    for word in ("keepalive-count", "start-at-login", "first", "unix:/run/a", "port 0", "id_ed25519"):
        assert word in said
    assert to_session(lost).values["PortForwardings"] == ""


def test_the_name_of_a_file_is_coded_as_putty_does_it() -> None:
    assert putty_files.filename("my gate/50 %é") == "my%20gate%2F50%20%25%C3%A9"
    assert putty_files.name_of("my%20gate%2F50%20%25%C3%A9") == "my gate/50 %é"
    assert putty_files.name_of("caf%E9") == "café"


def test_a_session_file_without_sense_gives_its_line() -> None:
    with pytest.raises(Exception, match=r"work:2: is no line of a PuTTY session"):
        putty_files.read(b"HostName=a\nnonsense\n", "work", "work")


def test_a_tilde_becomes_the_home_that_putty_needs() -> None:
    exported = putty_files.write(at_home(Profile("a", "b", key_file="~/.ssh/k.ppk"), "/home/ann"))
    assert "PublicKeyFile=/home/ann/.ssh/k.ppk\n" in exported.text


@pytest.mark.parametrize(
    ("environ", "directory"),
    [
        ({"PUTTYSESSIONS": "/s"}, "/s"),
        ({"PUTTYDIR": "/p"}, "/p/sessions"),
        ({"HOME": "/home/nobody"}, "/home/nobody/.putty/sessions"),
    ],
)
def test_sessions_lie_where_putty_keeps_them(environ: dict[str, str], directory: str) -> None:
    assert str(putty_files.directory(environ)) == directory


def test_a_forward_between_ports_alone_is_what_putty_reads() -> None:
    with pytest.raises(Invalid, match="goes to"):
        putty_forwards.read("L80=/run/x", local_open=False, remote_open=False)
