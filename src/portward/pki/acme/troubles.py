"""Why a name got no certificate, as the kinds that decide what happens next.

    raise Refused("the authority could not fetch …", way_out="…")

The kinds mirror `job.Outcome`; `retry_after` is what the authority itself asked for.
"""

from portward.errors import PortwardError
from portward.pki.acme.job import Outcome


class Trouble(PortwardError):
    """Base of the kinds. `retry_after` is in seconds; 0 where nobody said."""

    outcome: Outcome = "interrupted"

    def __init__(self, message: str, *, way_out: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, way_out=way_out)
        self.retry_after = retry_after


class Mistaken(Trouble):
    """The preflight found a mistake; the authority was not asked."""

    outcome = "mistaken"


class Refused(Trouble):
    """The authority said no, for a reason that lies with the name."""

    outcome = "refused"


class Limited(Trouble):
    """The authority wants to be asked later (RFC 8555 section 6.6)."""

    outcome = "limited"


class Interrupted(Trouble):
    """The authority is away, or this machine could not go on; what was begun is continued later."""
