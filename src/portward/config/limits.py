"""The table [limits]: how much one source may ask for.

Limits.model_validate({"requests": 500})
"""

from portward.config.section import Section
from portward.config.values import Count


class Limits(Section):
    """Per source: an IPv4 address or an IPv6 /64."""

    connections: Count = 200
    """Open connections of one source."""
    new_connections: Count = 300
    """New connections of one source in 10 s."""
    requests: Count = 2000
    """Requests of one source in 10 s, over all services."""
    session_requests: Count = 2000
    """Requests in 10 s of one session."""
    max_connections: Count = 4000
    """Open connections of all sources together."""
