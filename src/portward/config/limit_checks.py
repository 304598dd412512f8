"""Limits and address lists of services, as far as no single value shows a mistake.

list(check_limits(settings))        # [] when all is well
"""

from collections.abc import Iterator

from portward.config.findings import Finding
from portward.config.limits import ServiceLimits
from portward.config.lines import KeyPath
from portward.config.settings import Settings
from portward.config.values import Source

_MOST_LISTS = 62
"""Each pair of lists has a bit of its own in a number of 64 bits with a sign."""
_MOST_OF_A_HOST = 62
"""So has each service of a host that counts new connections."""
_HTTP_ONLY = ("requests", "burst", "body")


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Every contradiction: limits that never count, and keys that mean nothing to this kind of service."""
    limits = settings.limits
    of_session = "limits.session-requests", limits.session_requests
    yield from _idle(("limits", "burst"), "limits.requests", limits.requests, limits.burst)
    yield from _idle(("limits", "session-burst"), *of_session, limits.session_burst)
    yield from _idle(("limits", "session-new-connections"), *of_session, limits.session_new_connections)
    for name, service in settings.services.items():
        path: KeyPath = ("services", name, "limits")
        own = "its `requests`", service.limits.requests
        yield from _idle((*path, "burst"), *own, service.limits.burst)
        yield from _idle((*path, "new-connections"), *own, service.limits.new_connections)
        yield from _meaningless(path, service.limits) if service.kind == "tcp" else ()
    yield from _too_many_lists(settings)
    yield from _too_many_neighbours(settings)


def _too_many_lists(settings: Settings) -> Iterator[Finding]:
    pairs: dict[tuple[frozenset[Source], frozenset[Source]], str] = {}
    for name, service in settings.services.items():
        if service.kind == "http" and (service.allow_from or service.deny_from):
            pairs.setdefault((frozenset(service.allow_from), frozenset(service.deny_from)), name)
    for name in list(pairs.values())[_MOST_LISTS:]:
        yield Finding(
            ("services", name),
            f"has `allow-from` and `deny-from` of its own, as {_MOST_LISTS} services have before it",
            f"up to {_MOST_LISTS} different pairs of lists",
            "give services that belong together the same lists, such as names from [networks]",
        )


def _too_many_neighbours(settings: Settings) -> Iterator[Finding]:
    counting = {name for name, service in settings.services.items() if service.limits.new_connections}
    hosts: dict[str, list[str]] = {}
    for route in settings.routes:
        if route.service in counting and route.service not in hosts.setdefault(route.host, []):
            hosts[route.host].append(route.service)
    for host, names in hosts.items():
        for name in names[_MOST_OF_A_HOST:]:
            yield Finding(
                ("services", name, "limits", "new-connections"),
                f"is one limit of new connections too many for {host}",
                f"up to {_MOST_OF_A_HOST} services of one host with this limit",
                "give some of them a host of their own, or take the limit away",
            )


def _idle(path: KeyPath, other: str, requests: int | None, limit: int | None) -> Iterator[Finding]:
    """In ten seconds there are at least as many requests as in one, and as new connections, since each brings one."""
    if limit is not None and requests is not None and limit >= requests:
        yield Finding(
            path,
            f"is not less than {other}, so that it never counts",
            f"less than {other} allows in 10 s",
            "make it smaller, or take it away",
        )


def _meaningless(path: KeyPath, limits: ServiceLimits) -> Iterator[Finding]:
    for field in _HTTP_ONLY:
        if getattr(limits, field) is not None:
            yield Finding(
                (*path, field.replace("_", "-")),
                "means nothing to raw TCP, which has no requests",
                "connections, new-connections",
                "take it away",
            )
