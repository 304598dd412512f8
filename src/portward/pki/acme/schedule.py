"""Which names are due, and how long to wait after a failure. Pure.

lots(("wiki.example.com", "auth.example.com"), wildcards=())       # a lot of its own for each
due_at(lot, certificates, standing)                                # a moment; None where there is nothing to do
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from portward.model import Certificate, Standing

NOW = datetime(1970, 1, 1, tzinfo=UTC)
"""A moment that has come."""
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Lot:
    """One certificate: its name, and the hosts that show it. Each has an order of its own, so that none waits for
    another."""

    name: str
    hosts: tuple[str, ...]


def lots(hosts: Collection[str], wildcards: Collection[str]) -> list[Lot]:
    """A wildcard for all hosts directly below a domain of `wildcards`; a certificate of its own for every other."""
    grouped: dict[str, list[str]] = {}
    for host in hosts:
        parent = host.partition(".")[2]
        grouped.setdefault(f"*.{parent}" if parent in wildcards else host, []).append(host)
    return [Lot(name, tuple(members)) for name, members in grouped.items()]


def due_at(lot: Lot, certificates: Mapping[str, Certificate], standing: Standing | None) -> datetime | None:
    """When to order: at once where a host shows none of an authority's, in time before the end where it does.

    None where the operator's own files serve every host.
    """
    shown = [certificates[host] for host in lot.hosts if host in certificates]
    wanting = [one for one in shown if one.source != "files"]
    if not wanting:
        return None
    renew_at = standing.renew_at if standing else None
    moments = [_renewal(one, renew_at) if one.source == "acme" and not one.staging else NOW for one in wanting]
    earliest = min(moments)
    return max(earliest, standing.not_before) if standing and standing.not_before else earliest


def asks_at(lot: Lot, certificates: Mapping[str, Certificate], standing: Standing | None) -> datetime | None:
    """When to ask the authority whether it wants the certificate renewed; None where there is none of it."""
    if not any(host in certificates and certificates[host].source == "acme" for host in lot.hosts):
        return None
    return standing.ask_at if standing and standing.ask_at else NOW


def _renewal(certificate: Certificate, renew_at: datetime | None) -> datetime:
    """The authority's own wish, else when a third of its life is left."""
    life = certificate.not_after - certificate.not_before
    return min(renew_at, certificate.not_after) if renew_at else certificate.not_after - life / 3


def wait_after(outcome: str, failures: int, retry_after: timedelta) -> timedelta:
    """How long to leave a name in peace after so many failures in a row, and never less than the authority says.

    Validations that fail count against the authority's limits (Let's Encrypt: five in an hour), what is interrupted
    or was not even asked does not.
    """
    first, growth, longest = {
        "refused": (timedelta(minutes=15), 3, _DAY),
        "limited": (_HOUR, 2, _DAY),
        "mistaken": (timedelta(minutes=1), 2, _HOUR),
    }.get(outcome, (timedelta(seconds=5), 2, _HOUR))
    own: timedelta = first * growth ** min(failures - 1, 20)
    return max(min(own, longest), min(retry_after, 7 * _DAY))
