"""What a saved tunnel may hold, and how its parts are spelt."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given
from tests.unit.tunnels.profiles.strategies import jumps, listeners, proxies, targets

from portward.errors import Invalid
from portward.tunnels.profiles.profile import Endpoint, Forward, Jump, Profile, Proxy, Tcp, Unix
from portward.tunnels.profiles.spelling import (
    fill_in,
    parse_endpoint,
    parse_forward,
    parse_jump,
    parse_keepalive,
    parse_proxy,
    spell_endpoint,
    spell_jump,
    spell_keepalive,
    spell_proxy,
)

GATE = Profile("gate", "gate.example.com")


@pytest.mark.parametrize("name", ["", " ", "a ", "-rf", "two\nlines", "tab\t", "\x1b[2J", "x" * 101])
def test_a_name_that_would_steer_something_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="can't be a tunnel's name"):
        Profile(name, "gate.example.com")


@pytest.mark.parametrize(
    "name", ["blog", "my blog", "50 % off", "Übung", "水", 'say "hello"', "it's", "$(reboot)", "a/b"]
)
def test_a_difficult_name_is_a_name(name: str) -> None:
    assert Profile(name, "gate.example.com").name == name


@pytest.mark.parametrize(
    "host", ["", "-oProxyCommand=x", "a b", "a;b", "$(id)", "a:b", "1::2::3", "fe80::1%a b", "%h", "a\nb"]
)
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(Invalid, match="is no host"):
        Profile("gate", host)


@pytest.mark.parametrize("user", ["-l", "a`b", "$(id)", "a\nb", "a\\", "a -x", " a", 'a"b', "a;b"])
def test_a_user_that_opens_a_shell_is_refused(user: str) -> None:
    with pytest.raises(Invalid, match="user's name"):
        Profile("gate", "gate.example.com", user=user)


@pytest.mark.parametrize("path", ["a\nb", "\0", "x" * 2000])
def test_a_path_that_begins_a_new_line_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match="can't be a key file"):
        Profile("gate", "gate.example.com", key_file=path)


def test_a_tunnel_goes_one_way_only() -> None:
    with pytest.raises(Invalid, match="not through two of them"):
        Profile("gate", "gate.example.com", jumps=(Jump("a"),), proxy=Proxy("http", "b", 8080))


def test_two_forwards_never_listen_at_one_port() -> None:
    with pytest.raises(Invalid, match="two forwards listen at 80"):
        Profile("gate", "gate.example.com", local=(parse_forward("80 -> a:80"),), dynamic=(Tcp("localhost", 80),))


def test_only_the_server_may_choose_a_port() -> None:
    assert Profile("gate", "gate.example.com", remote=(parse_forward("0 -> 80"), parse_forward("0 -> 81"))).remote
    with pytest.raises(Invalid, match="needs a port"):
        Profile("gate", "gate.example.com", local=(parse_forward("0 -> a:80"),))


@pytest.mark.parametrize("seconds", [-1, 0.5, 86401])
def test_keepalives_are_whole_seconds(seconds: float) -> None:
    with pytest.raises(Invalid, match="no interval"):
        Profile("gate", "gate.example.com", keepalive=timedelta(seconds=seconds))


def test_listening_at_localhost_is_listening_for_this_machine_alone() -> None:
    forward = parse_forward("localhost:8080 -> a:80")
    assert forward.listen == Tcp("", 8080)
    assert Profile("gate", "a", dynamic=(Tcp("localhost", 1080),)).dynamic == (Tcp("", 1080),)


def test_what_is_open_to_other_machines_is_known() -> None:
    local = tuple(map(parse_forward, ("80 -> a:1", "*:81 -> a:1", "[::1]:82 -> a:1", "192.0.2.1:83 -> a:1")))
    profile = Profile("gate", "a", local=local, dynamic=(Tcp("127.0.0.2", 84), Tcp("office", 85)))
    assert [end.port for end in profile.open_to_others()] == [81, 83, 85]


@pytest.mark.parametrize(
    ("text", "listen", "to"),
    [
        ("8080 -> intranet:80", Tcp("", 8080), Tcp("intranet", 80)),
        ("*:8080 -> [2001:db8::1]:80", Tcp("*", 8080), Tcp("2001:db8::1", 80)),
        ("blog:80 -> 1313", Tcp("blog", 80), Tcp("localhost", 1313)),
        ("unix:/run/a b.sock -> unix:/var/run/docker.sock", Unix("/run/a b.sock"), Unix("/var/run/docker.sock")),
    ],
)
def test_a_forward_is_an_arrow_between_two_places(text: str, listen: Endpoint, to: Endpoint) -> None:
    assert parse_forward(text) == Forward(listen, to)


@pytest.mark.parametrize(
    "text", ["80", "80 -> ", "-> a:80", "80 -> a", "80 -> :80", "80 -> a:80 -> b:80", "80 -> unix:x"]
)
def test_half_a_forward_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_forward(text)


@given(end=listeners | targets)
def test_an_endpoint_is_read_as_it_was_spelt(end: Endpoint) -> None:
    assert parse_endpoint(spell_endpoint(end)) == end


@given(jump=jumps)
def test_a_jump_is_read_as_it_was_spelt(jump: Jump) -> None:
    assert parse_jump(spell_jump(jump)) == jump


@given(proxy=proxies)
def test_a_proxy_is_read_as_it_was_spelt(proxy: Proxy) -> None:
    assert parse_proxy(spell_proxy(proxy)) == proxy


@pytest.mark.parametrize("text", ["ftp://a:1", "socks5:a:1", "http://a b:1", "http://a:99999"])
def test_what_is_no_proxy_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_proxy(text)


@pytest.mark.parametrize(("text", "seconds"), [("15s", 15), ("2m", 120), ("1h", 3600), ("off", 0), ("90s", 90)])
def test_keepalives_are_spelt_with_their_unit(text: str, seconds: int) -> None:
    assert parse_keepalive(text) == timedelta(seconds=seconds)
    assert spell_keepalive(timedelta(seconds=seconds)) == text


def test_a_proxy_command_is_filled_in_once() -> None:
    assert fill_in("nc -X 100%% %%h %h %p", "gate", 22) == "nc -X 100% %h gate 22"


@pytest.mark.parametrize("parse", [parse_keepalive, parse_jump, parse_proxy, parse_endpoint])
def test_nonsense_is_refused_with_a_sentence(parse: Callable[[str], object]) -> None:
    with pytest.raises(Invalid, match="is no"):
        parse("non sense:")


@pytest.mark.parametrize("command", ["none", "=x", "nc %x", "nc ''' %h", 'nc "%h'])
def test_a_command_that_openssh_would_read_otherwise_or_not_at_all_is_no_proxy(command: str) -> None:
    with pytest.raises(Invalid, match="can't be a proxy command"):
        Profile("gate", "gate.example.com", proxy_command=command)
