"""What a saved tunnel opens to other machines: said before it happens.

openings(profile)     # ('*:8080 takes connections from other machines, and leads them to intranet:80 …',)
"""

from dataclasses import replace

from portward.tunnels.profiles.profile import EVERYBODY, Endpoint, Forward, Profile, Tcp
from portward.tunnels.profiles.spelling import spell_endpoint


def openings(profile: Profile) -> tuple[str, ...]:
    """A sentence for each place that listens for more than this machine, or than the server's own."""
    others = profile.open_to_others()
    return (
        *(
            f"{spell_endpoint(forward.listen)} takes connections from other machines, and leads them to "
            f"{spell_endpoint(forward.to)} as if they came from {profile.host}"
            for forward in profile.local
            if forward.listen in others
        ),
        *(
            f"{spell_endpoint(end)} takes connections from other machines, and leads them to wherever {profile.host} "
            "can reach: an open proxy for whoever can connect to it"
            for end in profile.dynamic
            if end in others
        ),
        *(
            f"{spell_endpoint(forward.listen)} at {profile.host} takes connections from everywhere, and leads them to "
            f"{spell_endpoint(forward.to)} as if they came from this machine"
            for forward in profile.remote
            if isinstance(forward.listen, Tcp) and forward.listen.host == EVERYBODY
        ),
    )


def opened(profile: Profile) -> Profile:
    """The same tunnel with its local and dynamic forwards open to other machines, where they name no address."""
    return replace(
        profile,
        local=tuple(Forward(_everybody(forward.listen), forward.to) for forward in profile.local),
        dynamic=tuple(Tcp(end.host or EVERYBODY, end.port) for end in profile.dynamic),
    )


def closed(profile: Profile) -> Profile:
    """The other way round: what was open to everybody is for this machine alone."""
    return replace(
        profile,
        local=tuple(Forward(_nobody(forward.listen), forward.to) for forward in profile.local),
        dynamic=tuple(Tcp("" if end.host == EVERYBODY else end.host, end.port) for end in profile.dynamic),
    )


def _everybody(end: Endpoint) -> Endpoint:
    return Tcp(end.host or EVERYBODY, end.port) if isinstance(end, Tcp) else end


def _nobody(end: Endpoint) -> Endpoint:
    return Tcp("", end.port) if isinstance(end, Tcp) and end.host == EVERYBODY else end
