"""The sockets at which this machine listens for a saved tunnel.

    bind(Tcp("", 5432))                 # two sockets: 127.0.0.1 and ::1
    bind(Tcp("*", 8080))                # for other machines too
    bind(Unix("/run/user/1000/db"))     # 0600

Raises `Environment`, with a way out, where the place is taken or no address of this machine.
"""

import errno
import os
import socket
from contextlib import suppress
from pathlib import Path

from portward.errors import Environment
from portward.tunnels.profiles.profile import EVERYBODY, Endpoint, Tcp, Unix
from portward.tunnels.profiles.spelling import spell_endpoint

_BACKLOG = 128


def bind(end: Endpoint) -> list[socket.socket]:
    """Listening sockets, not blocking; one for each family of a TCP endpoint."""
    made: list[socket.socket] = []
    try:
        if isinstance(end, Unix):
            made.append(_bind_unix(end.path))
        else:
            for family, host in _addresses(end):
                made.append(_bind_tcp(family, host, end.port))
    except OSError as error:
        for listener in made:
            listener.close()
        raise _refusal(end, error) from None
    return made


def _addresses(end: Tcp) -> list[tuple[socket.AddressFamily, str]]:
    if end.host in ("", EVERYBODY):
        hosts = ("127.0.0.1", "::1") if not end.host else ("0.0.0.0", "::")  # noqa: S104 - asked for, and warned of
        return [(socket.AF_INET, hosts[0]), *([(socket.AF_INET6, hosts[1])] if _has_ipv6() else [])]
    found = socket.getaddrinfo(end.host, end.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [(found[0][0], end.host)]


def _bind_tcp(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        return _listening(listener)
    except OSError:
        listener.close()
        raise


def _bind_unix(path: str) -> socket.socket:
    _drop_leftover(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Nobody else can connect before the socket has its mode.
    umask = os.umask(0o177)
    try:
        listener.bind(path)
        return _listening(listener)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(umask)


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(_BACKLOG)
    listener.setblocking(False)
    return listener


def _drop_leftover(path: str) -> None:
    """Take away a socket that nobody listens at any more; whatever else is there stays, and `bind` says so."""
    if not Path(path).is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            with suppress(FileNotFoundError):
                os.unlink(path)
        except OSError:
            return


def _has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback; containers often have none."""
    with suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def _refusal(end: Endpoint, error: OSError) -> Environment:
    place = spell_endpoint(end)
    if error.errno == errno.EADDRINUSE:
        return Environment(
            f"{place} is taken: another program listens there",
            way_out="`ss -ltnp` names it" if isinstance(end, Tcp) else "choose another path",
        )
    if error.errno == errno.EACCES:
        return Environment(f"{place} can't be opened: {error.strerror}", way_out="choose a port from 1024 on")
    return Environment(f"{place} can't be opened: {error.strerror or error}", way_out="choose another address")
