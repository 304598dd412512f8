"""From where people have logged in lately: they are not strangers there.

    familiar = Familiar()
    familiar.remember("ann", "203.0.113.7", now)
    familiar.anybody("203.0.113.7", now)            # True, for 30 days

Bounded: of many sources, those that somebody came from last are remembered.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network

from portward.defense.sources import source_of

FOR = timedelta(days=30)
_MOST = 10_000


class Familiar:
    def __init__(self) -> None:
        self._accounts: OrderedDict[str, dict[str, datetime]] = OrderedDict()

    def remember(self, account: str, address: str, now: datetime) -> None:
        """This account has logged in from there."""
        if source := source_of(address, "prefix"):
            self._accounts.setdefault(source, {})[account] = now
            self._accounts.move_to_end(source)
            if len(self._accounts) > _MOST:
                self._accounts.popitem(last=False)

    def anybody(self, address: str, now: datetime) -> bool:
        """Whether some account has logged in from there lately."""
        return any(now - at < FOR for at in self._accounts.get(source_of(address, "prefix"), {}).values())

    def is_theirs(self, account: str, source: str, now: datetime) -> bool:
        """Whether this account has logged in lately from within a source."""
        network = ip_network(source)
        return any(
            account in accounts and now - accounts[account] < FOR and _inside(place, network)
            for place, accounts in self._accounts.items()
        )


def _inside(place: str, network: IPv4Network | IPv6Network) -> bool:
    own = ip_network(place)
    return own.version == network.version and own.network_address in network
