"""Whoever attacks from a public address, and how it is noticed that the packets are refused.

with Attackers(network) as attackers:
    address = attackers.next()
    with Probe(attackers.host, address, "45.90.0.1") as probe:
        ...
        probe.refused_at            # time.monotonic() of the first packet that was refused, once there is one

A packet is a SYN from a fresh port, one each millisecond and a bit. Refused is what no answer comes to, or a reset.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import IPv4Network
from types import TracebackType
from typing import Self

from tests.lives.network import Host, Network

PAUSE = 0.001
"""Seconds between two packets: what is measured can't be told apart more finely."""
PATIENCE = 0.2
"""Seconds after which a packet without an answer is given up for refused."""
ROOM = IPv4Network("91.64.0.0/12")


class Attackers:
    """One machine that has a whole network of addresses, each of which attacks once."""

    def __init__(self, network: Network) -> None:
        self.host = network.host("91.32.0.1")
        self.host.run("ip", "route", "add", "local", str(ROOM), "dev", "lo")
        self._addresses: Iterator[str] = (str(address) for address in ROOM.hosts())

    def next(self) -> str:
        return next(self._addresses)


class Probe:
    """Knocks at a port that is open, until it is refused."""

    def __init__(self, host: Host, source: str, target: str, port: int) -> None:
        self._host, self._source, self._target = host, source, (target, port)
        self.refused_at: float | None = None
        self.passed = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self.passed and self._thread.is_alive():
            time.sleep(PAUSE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def wait(self, seconds: float) -> float:
        """When the first packet was refused. Raises TimeoutError when none is."""
        self._thread.join(seconds)
        if self.refused_at is None:
            raise TimeoutError(f"{self._source} still reaches {self._target} after {seconds:g} s")
        return self.refused_at

    def _run(self) -> None:
        with self._host.inside():
            while not self._over.is_set():
                sent = time.monotonic()
                if not self._knock():
                    self.refused_at = sent
                    return
                self.passed += 1
                time.sleep(PAUSE)

    def _knock(self) -> bool:
        with socket.socket() as probe, suppress(OSError):
            probe.settimeout(PATIENCE)
            probe.bind((self._source, 0))
            probe.connect(self._target)
            # A reset in the place of the usual end, so that no port of ours waits for a minute.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return True
        return False
