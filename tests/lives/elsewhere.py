"""Another machine, as far as the network goes: a network namespace with one link to this one. Needs root.

with Elsewhere() as elsewhere:
    subprocess.run([*elsewhere.prefix, "curl", f"http://{elsewhere.here}:8080/"])
    elsewhere.lose_answers()           # what we send there is dropped from now on; nobody there is told
    elsewhere.find_answers()
"""

import os
import subprocess
from types import TracebackType
from typing import Self


class Elsewhere:
    """`here` is our address on the link, `there` the other one's."""

    def __init__(self) -> None:
        assert os.geteuid() == 0, "network namespaces are made as root: run these tests as root"
        number = os.getpid() % 16384
        self._name = f"pe{number}"
        self._here, self._there = f"{self._name}a", f"{self._name}b"
        # 198.18.0.0/15 is for tests of networks (RFC 2544); a /29 for each process.
        base = f"198.{18 + number // 8192}.{number % 8192 // 32}"
        first = number % 32 * 8
        self.here, self.there, self.later = (f"{base}.{first + step}" for step in (1, 2, 3))
        self.prefix = ("ip", "netns", "exec", self._name)

    def __enter__(self) -> Self:
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._here, "type", "veth", "peer", "name", self._there, "netns", self._name)
            _ip("addr", "add", f"{self.here}/29", "dev", self._here)
            _ip("link", "set", self._here, "up")
            self.run("addr", "add", f"{self.there}/29", "dev", self._there)
            self.run("link", "set", self._there, "up")
            self.run("link", "set", "lo", "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def run(self, *words: str) -> None:
        """ip(8), there."""
        _ip("-n", self._name, *words)

    def lose_answers(self) -> None:
        for address in (self.there, self.later):
            _ip("route", "add", "blackhole", f"{address}/32")

    def find_answers(self) -> None:
        for address in (self.there, self.later):
            _ip("route", "del", "blackhole", f"{address}/32")

    def move(self) -> None:
        """The other machine gets another address, as after a change of networks."""
        self.run("addr", "del", f"{self.there}/29", "dev", self._there)
        self.run("addr", "add", f"{self.later}/29", "dev", self._there)

    def _remove(self) -> None:
        """The link goes with the namespace."""
        subprocess.run(["ip", "route", "flush", "type", "blackhole", "root", f"{self.here}/29"], check=False)
        _ip("netns", "del", self._name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
