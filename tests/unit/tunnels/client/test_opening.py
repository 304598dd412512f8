from portward.tunnels.client.opening import closed, opened, openings
from portward.tunnels.profiles.profile import Forward, Profile, Tcp, Unix

INTRANET = Tcp("intranet", 80)
PRIVATE = Profile(
    "work",
    host="gate.example.com",
    local=(
        Forward(Tcp("", 8080), INTRANET),
        Forward(Tcp("::1", 8081), INTRANET),
        Forward(Unix("/run/a.sock"), INTRANET),
    ),
    remote=(Forward(Tcp("", 9000), INTRANET),),
    dynamic=(Tcp("", 1080),),
)


def test_nothing_is_said_of_what_stays_on_the_machine() -> None:
    assert openings(PRIVATE) == ()


def test_what_is_opened_is_named_with_where_it_leads() -> None:
    first, second = openings(opened(PRIVATE))
    assert first.startswith("*:8080 takes connections from other machines, and leads them to intranet:80")
    assert "an open proxy" in second


def test_a_remote_forward_for_everybody_is_named_too() -> None:
    (sentence,) = openings(Profile("hook", host="gate", remote=(Forward(Tcp("*", 9000), Tcp("localhost", 3000)),)))
    assert sentence.startswith("*:9000 at gate takes connections from everywhere")


def test_opening_and_closing_leaves_everything_as_it_was() -> None:
    assert closed(opened(PRIVATE)) == PRIVATE
