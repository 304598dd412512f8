"""What the kernel does about those who are banned, and how that feels from outside.

banned(gateway)                        # {'91.7.7.7', '2a0e:1:2:3::/64'}: what stands in the kernel's sets
refused_packets(gateway)               # how many it has dropped so far
reaches(mallory, gateway)              # whether a connection from there still comes about
"""

import json
import re
from contextlib import suppress
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from tests.lives.network import Host
from tests.lives.raw import plain_connection

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway

TABLE = ("inet", "portward")
_SOON = 1.0


def banned(gateway: "Gateway") -> set[str]:
    """Every source in the sets of our table, as the ledger spells it; a set holds networks of one size."""
    found = set()
    for part in _table(gateway):
        if name := re.fullmatch(r"[bc]([46]_\d+)", part.get("set", {}).get("name", "")):
            found |= {_spelt(element, int(name[1][2:])) for element in part["set"].get("elem", ())}
    return found


def refused_packets(gateway: "Gateway") -> int:
    """What the counters of our rules say together."""
    rules = (part["rule"] for part in _table(gateway) if "rule" in part)
    return sum(step["counter"]["packets"] for rule in rules for step in rule["expr"] if "counter" in step)


def has_table(gateway: "Gateway") -> bool:
    return bool(_table(gateway))


def reaches(host: Host, gateway: "Gateway", port: int = 443) -> bool:
    """Whether a connection comes about; one that is dropped does not within a second."""
    with suppress(TimeoutError, ConnectionError):
        plain_connection(gateway, port, at=host, seconds=_SOON).close()
        return True
    return False


def _table(gateway: "Gateway") -> list[dict[str, Any]]:
    assert gateway.at
    text = gateway.at.run("nft", "-j", "list", "table", *TABLE, check=False)
    return list(json.loads(text)["nftables"]) if text else []


def _spelt(element: Any, length: int) -> str:
    value = element["elem"]["val"] if isinstance(element, dict) else element
    network = ip_network((value, length))
    return str(network.network_address) if length == network.max_prefixlen else str(network)
