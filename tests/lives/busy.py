"""A gateway in the middle of its work: a member is logged in, and services echo over HTTP and WebSocket.

with busy_gateway() as busy:
    with busy.load() as load, busy.socket() as socket:
        busy.apply(wiki={"upstream": busy.upstream.url, "access": "public"})
    assert load.failures == []
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.lives.gateway import Gateway
from tests.lives.load import Load
from tests.lives.places import short_directory
from tests.lives.sockets import Echo, open_socket
from tests.lives.upstream import Upstream
from tests.lives.visitor import Visitor
from websockets.sync.client import ClientConnection


class Busy:
    """`wiki` answers requests and `chat` echoes; both for members. `ann` has been to both."""

    def __init__(self, gateway: Gateway, ann: Visitor, upstream: Upstream, echo: Echo) -> None:
        self.gateway, self.ann, self.upstream, self.echo = gateway, ann, upstream, echo

    @property
    def services(self) -> dict[str, Any]:
        return services_of(self.upstream, self.echo)

    def apply(self, **changed: Any) -> None:
        """The usual services with some in the place of others, or beside them; None takes one away."""
        wanted = {name: table for name, table in {**self.services, **changed}.items() if table}
        self.gateway.apply(wanted)

    def load(self) -> Load:
        return Load(self.gateway, "wiki", cookie=self.ann.cookie("wiki"))

    def socket(self, visitor: Visitor | None = None, host: str = "chat", **more: Any) -> ClientConnection:
        """An open WebSocket of ann, or of a visitor."""
        return open_socket(self.gateway, visitor or self.ann, host, **more)

    def member(self, name: str, *hosts: str, **details: Any) -> Visitor:
        """Somebody new, who has been to these hosts. Close it."""
        self.gateway.add_account(name, **details)
        visitor = self.gateway.log_in(name)
        for host in hosts:
            visitor.arrive(host)
            assert visitor.cookie(host)
        return visitor


@contextmanager
def busy_gateway(**tables: Any) -> Iterator[Busy]:
    with ExitStack() as stack:
        upstream, echo = stack.enter_context(Upstream()), stack.enter_context(Echo())
        directory = stack.enter_context(short_directory())
        gateway = stack.enter_context(Gateway(directory, services_of(upstream, echo), **tables))
        gateway.enrol_owner().close()
        gateway.add_account("ann")
        ann = stack.enter_context(gateway.log_in("ann"))
        for host in ("wiki", "chat"):
            ann.arrive(host)
            assert ann.cookie(host)
        yield Busy(gateway, ann, upstream, echo)


def services_of(upstream: Upstream, echo: Echo) -> dict[str, Any]:
    return {"wiki": {"upstream": upstream.url}, "chat": {"upstream": echo.url}}
