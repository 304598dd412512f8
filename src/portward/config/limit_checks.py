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
_HTTP_ONLY = ("requests", "burst", "body")


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Every contradiction: limits that never count, and keys that mean nothing to this kind of service."""
    limits = settings.limits
    yield from _burst(("limits", "burst"), "limits.requests", limits.burst, limits.requests)
    yield from _burst(
        ("limits", "session-burst"), "limits.session-requests", limits.session_burst, limits.session_requests
    )
    for name, service in settings.services.items():
        path: KeyPath = ("services", name, "limits")
        yield from _burst((*path, "burst"), "its `requests`", service.limits.burst, service.limits.requests)
        yield from _meaningless(path, service.limits, tcp=service.kind == "tcp")
    yield from _too_many_lists(settings)


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


def _burst(path: KeyPath, other: str, burst: int | None, requests: int | None) -> Iterator[Finding]:
    if burst is not None and requests is not None and burst >= requests:
        yield Finding(
            path,
            f"is not less than {other}, so that it never counts",
            f"fewer requests in 1 s than {other} allows in 10 s",
            "make it smaller, or take it away",
        )


def _meaningless(path: KeyPath, limits: ServiceLimits, *, tcp: bool) -> Iterator[Finding]:
    for field in _HTTP_ONLY if tcp else ("new_connections",):
        if getattr(limits, field) is not None:
            yield Finding(
                (*path, field.replace("_", "-")),
                "means nothing to raw TCP, which has no requests"
                if tcp
                else "is for raw TCP; an HTTP connection carries many requests, and [limits] counts new ones",
                "connections, new-connections" if tcp else "requests, burst, connections, body",
                "take it away",
            )
