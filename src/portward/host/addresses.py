"""Which addresses this machine has, from the kernel's own tables (proc(5)).

own_addresses()       # ('127.0.0.1', '192.0.2.7', '::1', '2001:db8::7')
"""

import re
from ipaddress import IPv6Address
from pathlib import Path

_IPV4 = Path("/proc/net/fib_trie")
_IPV6 = Path("/proc/net/if_inet6")


def own_addresses(ipv4: Path = _IPV4, ipv6: Path = _IPV6) -> tuple[str, ...]:
    """Every address of every interface, IPv4 first; of a family that the kernel does not speak, none."""
    local = re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", ipv4.read_text()) if ipv4.exists() else []
    rows = ipv6.read_text().split("\n") if ipv6.exists() else []
    six = [str(IPv6Address(int(row.split()[0], 16))) for row in rows if row]
    return (*dict.fromkeys(local), *dict.fromkeys(six))
