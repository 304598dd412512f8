"""The running program `tunnels`, with rules that a test writes and the facts that it tells.

with TunnelServer(directory, services=(ServiceRule(name="blog"),), keys=(("ann", {"publish": ("blog",)}),)) as server:
    server.get("blog")                     # what a visitor gets at the service's socket
    server.wait_for_fact("TunnelOpened", service="blog")
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tests.lives.gateway import free_ports
from tests.lives.network import Host
from tests.lives.output import Output
from tests.lives.waiting import PATIENCE, wait_for

from portward.host.paths import State
from portward.tunnels.control import Control, Live
from portward.tunnels.rules import KeyRule, Policy, Rules, ServiceRule, spell


class TunnelServer:
    """`keys` are names with what their `KeyRule` says besides; each has a key pair of its own in the directory.

    `at`: a host of the test's own network; the loopback otherwise.
    """

    def __init__(
        self,
        directory: Path,
        keys: Mapping[str, Mapping[str, Any]],
        services: tuple[ServiceRule, ...] = (),
        *,
        at: Host | None = None,
        **policy: Any,
    ) -> None:
        self.directory = directory
        self.address, self._prefix = (at.address, at.prefix) if at else ("127.0.0.1", ())
        self.state = State(directory / "state")
        self.state.prepare()
        self.control = Control(self.state.tunnels_socket)
        (self.port,) = free_ports(1)
        self.facts: list[dict[str, Any]] = []
        self.rules = Rules(
            policy=Policy(
                listen=((self.address, self.port),), domain="gate.test", portal="https://auth.gate.test", **policy
            ),
            keys=tuple(self.key_rule(name, **fields) for name, fields in keys.items()),
            services=services,
            accounts=("ann", "ben"),
        )

    # ---- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._listen()
        self.write()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._listener.close()
            if kind is not None:
                print(self.err.text, *self.facts, sep="\n", file=sys.stderr)

    def start(self, *prefix: str) -> None:
        self.process = subprocess.Popen(
            (
                *self._prefix,
                *prefix,
                sys.executable,
                "-W",
                "error::ResourceWarning",
                "-m",
                "portward.tunnels.server",
                self.state.directory,
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.out, self.err = Output(self.process.stdout), Output(self.process.stderr)
        self.out.wait_for_line(r"^ready$")

    def stop(self) -> None:
        """SIGTERM: it must go cleanly, and without a word of complaint."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(PATIENCE) == 0
            self.out.close()
            self.err.close()
            assert self.err.text == "", self.err.text

    # ---- rules -----------------------------------------------------------------------------------------------------

    def key_file(self, name: str) -> Path:
        """A private key in OpenSSH's format, made when it is first asked for; its public half is beside it."""
        path = self.directory / name
        if not path.exists():
            subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path), check=True)
        return path

    def key_rule(self, name: str, account: str = "ann", **fields: Any) -> KeyRule:
        public = self.key_file(name).with_suffix(".pub")
        printed = subprocess.run(("ssh-keygen", "-l", "-f", public), check=True, capture_output=True, text=True).stdout
        return KeyRule(
            name=name,
            account=account,
            fingerprint=printed.split()[1],
            public=" ".join(public.read_text().split()[:2]),
            **fields,
        )

    def write(self, **changes: Any) -> None:
        """Write rules as the keeper does: whole, in one step."""
        self.rules = replace(self.rules, **changes)
        new = self.state.tunnel_rules.with_suffix(".new")
        new.write_bytes(spell(self.rules))
        new.replace(self.state.tunnel_rules)

    # ---- what it tells ---------------------------------------------------------------------------------------------

    def live(self) -> tuple[Live, ...]:
        return asyncio.run(self.control.live())

    def wait_for_tunnels(self, number: int, service: str = "") -> tuple[Live, ...]:
        """Until so many tunnels stand (of one service)."""

        def look() -> tuple[Live, ...] | None:
            those = tuple(live for live in self.live() if service in ("", live.service))
            return those if len(those) == number else None

        if number:
            return wait_for(look, f"{number} tunnels")
        wait_for(lambda: look() is not None, "no tunnel")
        return ()

    def wait_for_fact(self, kind: str, seconds: float = PATIENCE, **fields: Any) -> dict[str, Any]:
        return wait_for(lambda: self.fact(kind, **fields), f"{kind} with {fields}", seconds)

    def fact(self, kind: str, **fields: Any) -> dict[str, Any] | None:
        """The first fact of this kind whose fields contain these."""
        return next(
            (fact for fact in self.facts if fact["fact"] == kind and all(fact.get(k) == v for k, v in fields.items())),
            None,
        )

    def _listen(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.fspath(self.state.events_socket))
        self._listener.listen()
        Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            self.facts.extend(json.loads(line) for line in lines)

    # ---- visitors --------------------------------------------------------------------------------------------------

    def connect(self, service: str, seconds: float = PATIENCE) -> socket.socket:
        """A connection to a service's socket, as the edge makes it."""
        visitor = socket.socket(socket.AF_UNIX)
        visitor.settimeout(seconds)
        visitor.connect(os.fspath(self.state.service_socket(service)))
        return visitor

    def get(self, service: str, path: str = "/", seconds: float = PATIENCE) -> str:
        """The whole answer to a request."""
        with self.connect(service, seconds) as visitor:
            visitor.sendall(f"GET {path} HTTP/1.0\r\nHost: {service}\r\n\r\n".encode())
            return _all(visitor).decode()


def _all(visitor: socket.socket) -> bytes:
    pieces = []
    while piece := visitor.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)
