"""When there is room for one more request: what Retry-After promises, against HAProxy's way of counting."""

from hypothesis import given
from hypothesis import strategies as st

from portward.config.limits import Limits
from portward.edge.bounds import Bounds
from portward.edge.windows import Window, windows_of

EVERY = frozenset({"requests", "burst", "connections", "new_connections"})


class Counter:
    """HAProxy's `freq_ctr` (include/haproxy/freq_ctr.h): this step, and what the window holds of the one before."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._step, self._now, self._before = 0, 0, 0

    def _turn(self, at: float) -> None:
        step = int(at // self._seconds)
        if step != self._step:
            self._before = self._now if step == self._step + 1 else 0
            self._step, self._now = step, 0

    def add(self, at: float) -> int:
        self._turn(at)
        self._now += 1
        return self.read(at)

    def read(self, at: float) -> int:
        self._turn(at)
        left = self._seconds - at % self._seconds
        return int(self._now + self._before * left / self._seconds)


def told(window: Window, count: int) -> int:
    """What HAProxy makes of the window's converters."""
    value = 0
    for part in window.wait.split(","):
        name, _, argument = part.rstrip(")").partition("(")
        number = count if argument == "txn.count" else int(argument or 0)
        value = {
            "int": number,
            "sub": value - number,
            "mul": value * number,
            "div": value // (number or 1),
            "neg": -value,
            "add": value + number,
        }[name]
    return value


@given(
    st.sampled_from([10, 1]),
    st.integers(1, 30),
    st.lists(st.floats(0, 25, allow_nan=False), min_size=1, max_size=120),
)
def test_whoever_waits_as_long_as_told_has_room_for_one_more(seconds: int, most: int, times: list[float]) -> None:
    window = Window("limits.requests", "source", seconds, "sc_http_req_rate(0)", most)
    counter = Counter(seconds)
    for at in sorted(times):
        count = counter.add(at)
        if count > most:
            last = at
            break
    else:
        return
    wait = told(window, count)
    assert seconds <= wait <= 2 * seconds
    assert counter.add(last + wait) <= most


def test_only_what_is_configured_is_counted() -> None:
    keys = [window.key for window in windows_of(Limits(), Bounds(), slot=2)]
    assert keys == ["limits.requests", "limits.session-requests"]
    everything = Limits.model_validate(
        {"burst": 9, "session-burst": 8, "session-connections": 7, "session-new-connections": 6}
    )
    assert len(windows_of(everything, Bounds(counts=EVERY), slot=2)) == 10


def test_a_limit_of_a_service_is_read_from_its_line_and_a_gateways_stands_in_the_rule() -> None:
    gateway, service, *_ = windows_of(Limits(), Bounds(counts=EVERY), slot=3)
    assert gateway.over == "{ sc_http_req_rate(0) gt 2000 }"
    assert service.over == "{ sc_http_req_rate(3),sub(txn.bounds) gt 0 }"
    assert service.sentence == (
        "At most %[var(txn.bounds),add(0)] requests of one visitor to this service are let through in 10 seconds."
    )


def test_a_limit_of_new_connections_stands_in_a_variable_that_only_their_first_requests_have() -> None:
    windows = windows_of(Limits.model_validate({"session-new-connections": 6}), Bounds(counts=EVERY), slot=2)
    service, session = [window for window in windows if window.what == "new connections"]
    assert service.over == "{ var(txn.new) -m found } { sc_gpc0_rate(2),sub(txn.new) gt 0 }"
    assert session.over == "{ var(txn.arrives) -m found } { sc_gpc0_rate(1),sub(txn.arrives) gt 0 }"
    assert session.sentence == (
        "At most %[var(txn.arrives),add(0)] new connections of one session are let through in 10 seconds."
    )
