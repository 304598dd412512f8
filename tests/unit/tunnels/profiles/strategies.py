"""Saved tunnels as hypothesis makes them up, with difficult names, paths and users."""

import shlex
from datetime import timedelta

from hypothesis import strategies as st

from portward.tunnels.profiles.profile import Endpoint, Forward, Jump, Profile, Proxy, Tcp, Unix

PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
DIFFICULT = st.sampled_from(" %\"'\\$`#;=[]{}*?!,&<>|~^:/@äЖ水—-")
TEXT = st.text(st.one_of(DIFFICULT, PRINTABLE), min_size=1, max_size=20).map(str.strip).filter(bool)
names = TEXT.filter(lambda name: not name.startswith("-"))
hosts = st.sampled_from(("gate.example.com", "gate", "192.0.2.7", "2001:db8::7", "fe80::1%eth0", "a_b-c.example"))
users = st.one_of(st.sampled_from(("ann", "ann@example.com", r"OFFICE\ann", "ann%x", "änn", "a#b", "~ann")))
ports = st.integers(1, 65535)
paths = TEXT.map(lambda text: f"/{text}")
targets = st.one_of(st.builds(Tcp, hosts, ports), st.builds(Unix, paths))
listening_hosts = st.sampled_from(("", "*", "127.0.0.1", "::1", "0.0.0.0", "192.0.2.7", "::", "blog"))  # noqa: S104
listeners = st.builds(Tcp, listening_hosts, ports)
jumps = st.builds(Jump, hosts, ports, st.one_of(st.just(""), users.filter(lambda user: "#" not in user)))
proxies = st.builds(Proxy, st.sampled_from(("socks4", "socks5", "http")), hosts, ports, st.one_of(st.just(""), users))
commands = st.one_of(
    st.sampled_from(("nc %h %p", "cloudflared access ssh --hostname %h", r"C:\bin\nc.exe %h %p")),
    TEXT.map(lambda text: f"nc {shlex.quote(text).replace('%', '%%')} %h"),  # an open quote is no shell command
)
ways = st.one_of(
    st.just({}),
    st.builds(lambda way: {"jumps": tuple(way)}, st.lists(jumps, max_size=3)),
    st.builds(lambda way: {"proxy": way}, proxies),
    st.builds(lambda way: {"proxy_command": way}, commands),
)


def key_of(forward: Forward) -> Endpoint:
    return forward.listen


@st.composite
def profiles(draw: st.DrawFn, name: st.SearchStrategy[str] = names) -> Profile:
    """A whole tunnel; local listeners are distinct, as a profile demands."""
    forwards = st.lists(
        st.builds(Forward, st.one_of(listeners, st.builds(Unix, paths)), targets), max_size=3, unique_by=key_of
    )
    local = draw(forwards)
    taken = {forward.listen for forward in local}
    dynamic = [end for end in draw(st.lists(listeners, max_size=2, unique=True)) if end not in taken]
    return Profile(
        draw(name),
        draw(hosts),
        port=draw(ports),
        user=draw(st.one_of(st.just(""), users)),
        family=draw(st.sampled_from(("any", "ipv4", "ipv6"))),
        key_file=draw(st.one_of(st.just(""), paths)),
        certificate_file=draw(st.one_of(st.just(""), paths)),
        agent=draw(st.booleans()),
        compression=draw(st.booleans()),
        keepalive=timedelta(seconds=draw(st.one_of(st.sampled_from((0, 15, 60, 3600)), st.integers(0, 86400)))),
        keepalive_count=draw(st.integers(1, 100)),
        local=tuple(local),
        remote=tuple(draw(forwards)),
        dynamic=tuple(dynamic),
        start_at_login=draw(st.booleans()),
        **draw(ways),
    )
