"""Which addresses are this machine's own.

is_own("127.0.0.1")     # True
is_own("192.0.2.1")     # False, unless the machine has it
"""

import socket
from ipaddress import ip_address


def is_own(host: str) -> bool:
    """Whether `localhost` or a literal address means this machine; other names are not looked up. Sends nothing."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_loopback or address.is_unspecified:
        return True
    return _source_towards(host, socket.AF_INET if address.version == 4 else socket.AF_INET6) == host


def _source_towards(host: str, family: socket.AddressFamily) -> str:
    """The address that the kernel would send from; towards one of its own it is that address itself."""
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, 9))
        except OSError:
            return ""
        return str(probe.getsockname()[0])
