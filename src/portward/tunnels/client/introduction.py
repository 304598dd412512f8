"""Meets the hosts on the way of a tunnel that are not known yet, before anything is kept up.

await introduce(profile, door, decide)      # asks `decide` about each, and notes those that it accepts
"""

from collections.abc import Callable

from portward.errors import Unreachable
from portward.tunnels.client.knownhosts import Known, KnownHosts
from portward.tunnels.client.link import Door
from portward.tunnels.client.trust import UnknownHostKey
from portward.tunnels.profiles.profile import Jump, Profile

Decide = Callable[[UnknownHostKey], bool]


async def introduce(profile: Profile, door: Door, decide: Decide) -> None:
    """Raises the first `UnknownHostKey` that is not accepted, and whatever else keeps a first connection from standing.

    A server that can't be reached now introduces itself another time.
    """
    for _ in hops(profile):
        if all(is_known(hop, door.hosts) for hop in hops(profile)):
            return
        try:
            async with door.open(profile):
                return
        except UnknownHostKey as error:
            if not decide(error):
                raise
            door.hosts.add(error.host, error.port, error.key)
        except Unreachable:
            return


def hops(profile: Profile) -> tuple[Jump, ...]:
    """Every SSH server on the way, the last one included."""
    return (*profile.jumps, Jump(profile.host, profile.port, profile.user))


def is_known(hop: Jump, hosts: KnownHosts) -> bool:
    """Whether there is anything to compare its host key with."""
    return hosts.of(hop.host, hop.port) != Known()
