"""Which addresses this machine has, and which way leads out, from the kernel's own tables (proc(5)).

own_addresses()       # ('127.0.0.1', '192.0.2.7', '::1', '2001:db8::7')
default_gateways()    # ('192.0.2.1', 'fe80::1')
"""

import re
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_IPV4 = Path("/proc/net/fib_trie")
_IPV6 = Path("/proc/net/if_inet6")
_ROUTES = Path("/proc/net/route")
_ROUTES6 = Path("/proc/net/ipv6_route")


def own_addresses(ipv4: Path = _IPV4, ipv6: Path = _IPV6) -> tuple[str, ...]:
    """Every address of every interface, IPv4 first; of a family that the kernel does not speak, none."""
    local = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", ipv4.read_text()) if ipv4.exists() else []
    rows = ipv6.read_text().split("\n") if ipv6.exists() else []
    six = [str(IPv6Address(int(row.split()[0], 16))) for row in rows if row]
    return (*dict.fromkeys(local), *dict.fromkeys(six))


def default_gateways(ipv4: Path = _ROUTES, ipv6: Path = _ROUTES6) -> tuple[str, ...]:
    """The routers that default routes name, IPv4 first; a route that names an interface only has none."""
    rows = [row.split() for row in ipv4.read_text().splitlines()[1:]] if ipv4.exists() else []
    # In the byte order of the machine, which is that of all machines that Portward is built for.
    four = [IPv4Address(bytes.fromhex(row[2])[::-1]) for row in rows if row[1] == row[7] == "00000000"]
    rows = [row.split() for row in ipv6.read_text().splitlines()] if ipv6.exists() else []
    six = [IPv6Address(int(row[4], 16)) for row in rows if row[1] == "00" and int(row[0], 16) == 0]
    return tuple(dict.fromkeys(str(address) for address in (*four, *six) if int(address)))
