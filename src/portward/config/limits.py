"""How much one source or one session may ask for: the table [limits], and the key `limits` of a service.

    Limits.model_validate({"requests": 500, "burst": 100})
    ServiceLimits.model_validate({"requests": 60, "burst": 10, "body": "20MB"})

Requests are counted in two windows that slide: `requests` in 10 s for what somebody may go on asking for, `burst` in
1 s for what may come at once.
"""

from typing import Annotated

from pydantic import Field

from portward.config.section import Section
from portward.config.values import Count, Size

ByteRate = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
LONG_WINDOW, SHORT_WINDOW = 10, 1
"""Seconds of the windows that requests are counted in."""


class Limits(Section):
    """Per source: an IPv4 address or an IPv6 /64."""

    connections: Count = 200
    """Open connections of one source."""
    new_connections: Count = 300
    """New connections of one source in 10 s."""
    requests: Count = 2000
    """Requests of one source in 10 s, over all services."""
    burst: Count | None = None
    """Requests of one source in 1 s. Default: as many as `requests`."""
    session_requests: Count = 2000
    """Requests of one session in 10 s."""
    session_burst: Count | None = None
    """Requests of one session in 1 s. Default: as many as `session-requests`."""
    session_connections: Count | None = None
    """Requests of one session that are open at the same time, streams included. Default: any number."""
    session_new_connections: Count | None = None
    """New connections of one session in 10 s, counted with the first request. Default: any number."""
    max_connections: Count = 4000
    """Open connections of all sources together."""
    body: Size | None = None
    """The longest body of a request. Default: any length."""
    minimum_rate: ByteRate = 240
    """Bytes per second with which a body must arrive, over half of `timeouts.client`; `0`: it may take any time."""


class ServiceLimits(Section):
    """What one visitor may ask of one service: a session where somebody is logged in, a source where nobody is."""

    requests: Count | None = None
    """Requests of one visitor in 10 s."""
    burst: Count | None = None
    """Requests of one visitor in 1 s."""
    connections: Count | None = None
    """Requests of one visitor that are open at the same time, streams included; of raw TCP, connections of a source."""
    new_connections: Count | None = None
    """New connections of one visitor in 10 s, counted with the first request; of raw TCP, those of a source."""
    body: Size | None = None
    """The longest body of a request. Default: `limits.body`."""
