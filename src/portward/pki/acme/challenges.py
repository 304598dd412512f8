"""How each kind of challenge is met: shown, made sure of, and taken away again.

with solver_for(job, keeper) as solver:
    solver.show(task)
    solver.make_sure(task)          # it can be seen now
    solver.take_away(task)
"""

import contextlib
from types import TracebackType
from typing import Protocol, Self

from portward.pki.acme.alpn import Responder
from portward.pki.acme.job import Job
from portward.pki.acme.keeper import Keeper
from portward.pki.acme.order import Task
from portward.pki.acme.records import Zone
from portward.pki.acme.troubles import Trouble


class Solver(Protocol):
    """Every method raises the kinds of `troubles`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, task: Task) -> None:
        """Put the answer where the authority will look."""

    def make_sure(self, task: Task) -> None:
        """Return when it can be seen there."""

    def take_away(self, task: Task) -> None:
        """Undo `show`."""


class Http01(contextlib.AbstractContextManager["Http01"]):
    """RFC 8555 section 8.3: the edge answers at port 80."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, task: Task) -> None:
        self._keeper.ask("present", host=task.host, token=task.token, value=task.value)

    def make_sure(self, task: Task) -> None:
        """It is in force when `show` returns."""

    def take_away(self, task: Task) -> None:
        self._keeper.ask("withdraw", host=task.host, token=task.token)


class TlsAlpn01:
    """RFC 8737: while a challenge is open, the edge passes connections with ALPN `acme-tls/1` on to us."""

    def __init__(self, keeper: Keeper, responder: Responder) -> None:
        self._keeper, self._responder = keeper, responder
        self._switched = False

    def __enter__(self) -> Self:
        self._responder.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._switched:
                self._keeper.ask("switch", on=False)
        finally:
            self._responder.__exit__(kind, error, trace)

    def show(self, task: Task) -> None:
        self._responder.show(task.host, task.value)

    def make_sure(self, task: Task) -> None:
        if not self._switched:
            self._switched = True
            self._keeper.ask("switch", on=True)

    def take_away(self, task: Task) -> None:
        self._responder.take_away(task.host)


class Dns01(contextlib.AbstractContextManager["Dns01"]):
    """RFC 8555 section 8.4: a TXT record."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, task: Task) -> None:
        self._zone.add(task.host, task.value)

    def make_sure(self, task: Task) -> None:
        self._zone.wait_for_record(task.host, task.value)

    def take_away(self, task: Task) -> None:
        self._zone.remove(task.host, task.value)


def solver_for(job: Job, keeper: Keeper, responder: Responder) -> Solver:
    if job.challenge == "dns-01":
        if job.dns is None:
            raise Trouble("dns-01 was asked for without a way to write records")
        return Dns01(Zone.of(job.dns, job.resolvers))
    return Http01(keeper) if job.challenge == "http-01" else TlsAlpn01(keeper, responder)
