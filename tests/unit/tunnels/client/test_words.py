import pytest

from portward.errors import Invalid
from portward.tunnels.client.words import destination, dynamic, forward, jumps
from portward.tunnels.profiles.profile import Forward, Jump, Tcp, Unix

FORWARDS = {
    "8080:intranet:80": Forward(Tcp("", 8080), Tcp("intranet", 80)),
    "localhost:8080:intranet:80": Forward(Tcp("", 8080), Tcp("intranet", 80)),
    "127.0.0.1:8080:intranet:80": Forward(Tcp("127.0.0.1", 8080), Tcp("intranet", 80)),
    "*:8080:intranet:80": Forward(Tcp("*", 8080), Tcp("intranet", 80)),
    ":8080:intranet:80": Forward(Tcp("*", 8080), Tcp("intranet", 80)),
    "[::1]:8080:[2001:db8::1]:80": Forward(Tcp("::1", 8080), Tcp("2001:db8::1", 80)),
    "8080:/run/app.sock": Forward(Tcp("", 8080), Unix("/run/app.sock")),
    "[::1]:8080:/run/app.sock": Forward(Tcp("::1", 8080), Unix("/run/app.sock")),
    "/run/here.sock:/run/there.sock": Forward(Unix("/run/here.sock"), Unix("/run/there.sock")),
    "/run/here.sock:intranet:80": Forward(Unix("/run/here.sock"), Tcp("intranet", 80)),
    "blog:80:localhost:1313": Forward(Tcp("blog", 80), Tcp("localhost", 1313)),
    "8080 -> intranet:80": Forward(Tcp("", 8080), Tcp("intranet", 80)),
}


@pytest.mark.parametrize(("text", "meant"), FORWARDS.items())
def test_forwards_are_spelt_as_for_ssh(text: str, meant: Forward) -> None:
    assert forward(text) == meant


@pytest.mark.parametrize(
    "text", ["", "8080", "8080:intranet", "a:b:c:d:e", "8080:intranet:http", "8080::80", "x[::1]:1:2:3", "70000:a:1"]
)
def test_what_is_no_forward_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        forward(text)


def test_a_socks_proxy_is_for_this_machine_unless_it_says_otherwise() -> None:
    assert [dynamic(text) for text in ("1080", "*:1080", "[::1]:1080")] == [
        Tcp("", 1080),
        Tcp("*", 1080),
        Tcp("::1", 1080),
    ]
    with pytest.raises(Invalid):
        dynamic("1080:intranet:80")


def test_options_win_over_the_destination() -> None:
    assert destination("ann@gate.example.com:2222", None, "") == Jump("gate.example.com", 2222, "ann")
    assert destination("ann@gate.example.com:2222", 22, "ben") == Jump("gate.example.com", 22, "ben")


def test_jump_hosts_come_in_a_list_or_one_by_one() -> None:
    assert jumps(["ann@one,two:2222", "three"]) == (Jump("one", user="ann"), Jump("two", 2222), Jump("three"))
