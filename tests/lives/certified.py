"""Gateways whose certificates come from Pebble, and what visitors see of that.

with certified({"wiki": {...}}) as (gateway, pebble), gateway: ...
"""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from cryptography import x509
from tests.lives.gateway import Gateway
from tests.lives.pebble import Pebble
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for

Row = dict[str, Any]
LONG = 60.0


@contextmanager
def certified(
    services: Mapping[str, Any],
    table: Callable[[Pebble, Gateway], Mapping[str, Any]] = lambda pebble, gateway: {},
    *,
    config: Mapping[str, Any] | None = None,
    listen: Mapping[str, Any] | None = None,
    proxies: Mapping[str, Any] | None = None,
    **environment: str,
) -> Iterator[tuple[Gateway, Pebble]]:
    """A gateway that was not started yet, and an authority that runs. `table` adds to [tls]."""
    with short_directory() as directory, Pebble(directory, **environment) as pebble:
        gateway = Gateway(directory, services, listen=listen or {}, proxies=proxies or {})
        pebble.start(http_port=gateway.http_port, https_port=gateway.https_port, **(config or {}))
        more = dict(table(pebble, gateway))
        port = gateway.https_port if more.get("challenge") == "tls-alpn-01" else gateway.http_port
        gateway.configure_table("tls", pebble.tls(**{"challenge-port": port, **more}))
        yield gateway, pebble


def shown(gateway: Gateway, name: str) -> x509.Certificate:
    """The certificate that visitors of a host get."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return handshake(gateway, name, context)


def handshake(gateway: Gateway, name: str, context: ssl.SSLContext) -> x509.Certificate:
    """The same, by somebody who checks it."""
    with (
        socket.create_connection(("127.0.0.1", gateway.https_port), 10) as raw,
        context.wrap_socket(raw, server_hostname=gateway.host(name)) as talk,
    ):
        return x509.load_der_x509_certificate(talk.getpeercert(binary_form=True) or b"")


def is_public(gateway: Gateway, name: str) -> bool:
    return "Pebble" in shown(gateway, name).issuer.rfc4514_string()


def wait_for_public(gateway: Gateway, *names: str) -> None:
    for name in names:
        wait_for(lambda name=name: is_public(gateway, name), f"a public certificate for {name}", LONG)


def row(gateway: Gateway, name: str) -> Row:
    """What `portward certificate list` says of a host."""
    found = json.loads(gateway.cli("certificate", "list", "--json"))
    return next(one for one in found if one["host"] == gateway.host(name))


class Watch:
    """Looks at a host again and again in a thread: no handshake may fail, and only the serials of `may` are fine."""

    def __init__(self, gateway: Gateway, name: str) -> None:
        self._gateway, self._name = gateway, name
        self.serials: list[int] = []
        self.errors: list[BaseException] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(LONG)

    def _look(self) -> None:
        while not self._over.wait(0.02):
            try:
                self.serials.append(shown(self._gateway, self._name).serial_number)
            except OSError as error:
                self.errors.append(error)
