"""Whether the edge will be able to listen where it should.

check_free([Address(":8443")])       # raises Environment: port 8443 is taken
"""

import errno
import socket
from collections.abc import Iterable
from typing import Protocol

from portward.errors import Environment


class Listening(Protocol):
    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


def check_free(addresses: Iterable[Listening]) -> None:
    """Try each address for a moment. Raises `Environment` for the first that can't be had, with the reason."""
    for address in addresses:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address.host, address.port))
            except OSError as error:
                raise Environment(_sentence(address, error), way_out=_way_out(address, error)) from error


def _sentence(address: Listening, error: OSError) -> str:
    where = f"{address.host or 'every address'} port {address.port}"
    reasons = {
        errno.EADDRINUSE: "another program listens there",
        errno.EACCES: "this user has not the right to bind a low port",
        errno.EADDRNOTAVAIL: "this machine has no such address",
    }
    return f"can't listen on {where}: {reasons.get(error.errno or 0, error.strerror)}"


def _way_out(address: Listening, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"`ss -ltnp sport = :{address.port}` names it; or choose another port under [listen]"
    if error.errno == errno.EACCES:
        return "use ports from 1024 up, or `portward install`, which grants this one right"
    return "change the address under [listen]"
