"""What is counted of requests, for whom, and when one more fits: the rules behind 429.

    windows = windows_of(settings.limits, bounds, slot=2)
    windows[0].over             # '{ sc_http_req_rate(0) gt 2000 }'

HAProxy counts in steps as long as the window: what came in this step, and of the one before that part which the window
still holds (its `freq_ctr`). So if n requests are counted where L are let through, and nothing more comes, there is
room for another one after (2 - (L - 1) / n) windows at the latest: all n may have come at the beginning of this step.
Retry-After says that, rounded up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from portward.config.limits import LONG_WINDOW, SHORT_WINDOW, Limits
from portward.edge.bounds import Bounds

_NEW = "new connections"


@dataclass(frozen=True, slots=True)
class Window:
    """One count, and the most that it may reach: a number, or a variable of HAProxy that holds it.

    `seconds` is 0 for what is open at the same time: no waiting helps there, only the end of something. The
    variable of a limit of new connections exists with the first request of a connection alone.
    """

    key: str
    of: Literal["source", "session", "service"]
    seconds: int
    fetch: str
    most: int | str
    what: str = "requests"

    @property
    def over(self) -> str:
        """The condition under which a request is refused."""
        if isinstance(self.most, int):
            return f"{{ {self.fetch} gt {self.most} }}"
        seldom = f"{{ var({self.most}) -m found }} " if self.what == _NEW else ""
        return f"{seldom}{{ {self.fetch},sub({self.most}) gt 0 }}"

    @property
    def full(self) -> str:
        """The condition under which one more request would be refused; `txn.count` holds the count."""
        if isinstance(self.most, int):
            return f"{{ var(txn.count) -m int ge {self.most} }}"
        return f"{{ var(txn.count),sub({self.most}) ge 0 }}"

    @property
    def wait(self) -> str:
        """Seconds until one more request fits; `txn.count` holds the count."""
        most = f"int({self.most})" if isinstance(self.most, int) else f"int(0),add({self.most})"
        return f"{most},sub(1),mul({self.seconds}),div(txn.count),neg,add({2 * self.seconds})"

    @property
    def detail(self) -> str:
        """What was exceeded, for the operator."""
        return f"{self.key}: %[{self.fetch}], more than {self._most}"

    @property
    def sentence(self) -> str:
        """What was exceeded, for the visitor."""
        whose = {"source": "of one address", "session": "of one session", "service": "of one visitor to this service"}
        when = {LONG_WINDOW: "in 10 seconds", SHORT_WINDOW: "in one second"}.get(self.seconds, "at the same time")
        return f"At most {self._most} {self.what} {whose[self.of]} are let through {when}."

    @property
    def _most(self) -> str:
        return str(self.most) if isinstance(self.most, int) else f"%[var({self.most}),add(0)]"


def windows_of(limits: Limits, bounds: Bounds, slot: int) -> tuple[Window, ...]:
    """All counts that are kept; `slot` is the number under which visitors of services are tracked."""
    found = [Window("limits.requests", "source", LONG_WINDOW, "sc_http_req_rate(0)", limits.requests)]
    if limits.burst:
        found.append(Window("limits.burst", "source", SHORT_WINDOW, "sc_gpc0_rate(0)", limits.burst))
    if bounds.counts:
        found += [window for name, window in _of_services(slot) if name in bounds.counts]
    return (*found, *_of_sessions(limits))


def _of_services(slot: int) -> Iterator[tuple[str, Window]]:
    """With the key that each of them needs. The bounds begin with the number of requests."""
    key = "limits.{} of the service"
    yield "requests", Window(key.format("requests"), "service", LONG_WINDOW, f"sc_http_req_rate({slot})", "txn.bounds")
    yield "burst", Window(key.format("burst"), "service", SHORT_WINDOW, f"sc_conn_rate({slot})", "txn.most_at_once")
    yield "connections", Window(key.format("connections"), "service", 0, f"sc_conn_cur({slot})", "txn.most_open")
    fetch = f"sc_gpc0_rate({slot})"
    yield (
        "new_connections",
        Window(key.format("new-connections"), "service", LONG_WINDOW, fetch, "txn.new", _NEW),
    )


def _of_sessions(limits: Limits) -> Iterator[Window]:
    yield Window("limits.session-requests", "session", LONG_WINDOW, "sc_http_req_rate(1)", limits.session_requests)
    if limits.session_burst:
        yield Window("limits.session-burst", "session", SHORT_WINDOW, "sc_conn_rate(1)", limits.session_burst)
    if limits.session_connections:
        yield Window("limits.session-connections", "session", 0, "sc_conn_cur(1)", limits.session_connections)
    if limits.session_new_connections:
        key = "limits.session-new-connections"
        yield Window(key, "session", LONG_WINDOW, "sc_gpc0_rate(1)", "txn.arrives", _NEW)
