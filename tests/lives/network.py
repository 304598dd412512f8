"""A network of a test's own: machines with public addresses on one link, apart from all that is real. Needs root.

with Network() as network:
    gate = network.host("45.90.0.1", "2a0e:b107::1")
    mallory = network.host("91.7.7.7")
    subprocess.run([*mallory.prefix, "curl", "http://45.90.0.1:8080/"])     # a program that runs there
    with mallory.inside():                                                  # or this thread itself
        socket.create_connection(("45.90.0.1", 8080))
    mallory.cut()                                                           # packets vanish, and nobody is told

Each host is a network namespace, and everybody is everybody's neighbour on one bridge without a way out. The addresses
are public ones on purpose, since private and documentation ranges are exempt from bans. What still runs in a host ends
with the network. A process that was killed may leave one behind; the next network takes that away.
"""

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from socket import gethostname
from types import TracebackType
from typing import Self

_PREFIX = "pwtest"
_NAMESPACES = Path("/run/netns")
_FILES = Path("/etc/netns")
_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)


class Host:
    """One machine. `address` is its IPv4 address, or its IPv6 address where it has no other."""

    def __init__(self, name: str, switch: str, port: str, addresses: tuple[str, ...]) -> None:
        self.name, self._switch, self._port = name, switch, port
        self.addresses = list(addresses)
        self.prefix = ("ip", "netns", "exec", name)
        _ip("netns", "add", name)
        veth = (port, "type", "veth", "peer", "name", "net", "netns", name)
        _ip("-n", switch, "link", "add", *veth)
        _ip("-n", switch, "link", "set", port, "master", "net", "up")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "link", "set", "net", "up")
        for address in addresses:
            self._take(address)
        for family in ("-4", "-6"):
            _ip("-n", name, family, "route", "add", "default", "dev", "net")

    @property
    def address(self) -> str:
        return self.addresses[0]

    def run(self, *command: str, seconds: float = 20, check: bool = True) -> str:
        """A command there, to its end. Returns what it printed."""
        done = subprocess.run(
            [*self.prefix, *command], capture_output=True, text=True, timeout=seconds, check=False, errors="replace"
        )
        assert done.returncode == 0 or not check, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Sockets that this thread opens meanwhile are this host's, and stay so; its children run there."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(_NAMESPACES / self.name, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(there)
            yield
        finally:
            _enter(home)
            os.close(there)
            os.close(home)

    def cut(self) -> None:
        """What it sends and what is sent to it is lost from now on; its link looks as before."""
        self._pass(False)

    def mend(self) -> None:
        self._pass(True)

    def move(self, address: str) -> None:
        """It has another address, as after a change of networks."""
        old, self.addresses = self.addresses, [address]
        self._take(address)
        for gone in old:
            _ip("-n", self.name, "addr", "del", _whole(gone), "dev", "net")

    def _take(self, address: str) -> None:
        # An IPv6 address could be used only after a while, which the kernel waits for somebody who has it, too.
        rest = ("nodad",) if ":" in address else ()
        _ip("-n", self.name, "addr", "add", _whole(address), "dev", "net", *rest)

    def _pass(self, everything: bool) -> None:
        state = "3" if everything else "0"
        _run("ip", "netns", "exec", self._switch, "bridge", "link", "set", "dev", self._port, "state", state)


class Network:
    def __init__(self) -> None:
        assert os.geteuid() == 0, "networks of a test's own are made as root: run these tests as root"
        self._names: dict[str, str] = {}
        self.hosts: list[Host] = []

    def __enter__(self) -> Self:
        _sweep()
        self._own = f"{_PREFIX}{os.getpid()}-{_count(os.getpid())}"
        self._switch = f"{self._own}-switch"
        try:
            _ip("netns", "add", self._switch)
            _ip("-n", self._switch, "link", "add", "net", "type", "bridge", "mcast_snooping", "0", "stp_state", "0")
            _ip("-n", self._switch, "link", "set", "net", "up")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def host(self, *addresses: str) -> Host:
        """Another machine, reached by all the others at once."""
        number = len(self.hosts)
        name = f"{self._own}-{number}"
        made = Host(name, self._switch, f"p{number}", addresses)
        self.hosts.append(made)
        self._write_names(made)
        return made

    def know(self, names: Mapping[str, str]) -> None:
        """Programs that run in any host find these names at these addresses."""
        self._names.update(names)
        for host in self.hosts:
            self._write_names(host)

    def _write_names(self, host: Host) -> None:
        """`ip netns exec` shows a program the files of this directory in the place of those in /etc."""
        files = _FILES / host.name
        files.mkdir(parents=True, exist_ok=True)
        names = {"localhost": "127.0.0.1", gethostname(): host.address, **self._names}
        (files / "hosts").write_text("".join(f"{address} {name}\n" for name, address in names.items()))
        # Nobody answers there, at once: another name server could not be reached, and programs would wait for it.
        (files / "resolv.conf").write_text("nameserver 127.0.0.1\n")

    def _remove(self) -> None:
        for host in self.hosts:
            _take_away(host.name)
        _take_away(self._switch)


def _sweep() -> None:
    """Take away what processes that are gone have left."""
    for path in _NAMESPACES.glob(f"{_PREFIX}*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if not Path("/proc", owner).exists():
            _take_away(path.name)


def _take_away(name: str) -> None:
    if not (_NAMESPACES / name).exists():
        return
    for pid in _run("ip", "netns", "pids", name).split():
        with suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)
    _ip("netns", "del", name)
    shutil.rmtree(_FILES / name, ignore_errors=True)


def _count(pid: int) -> int:
    """A number that no network of this process has yet."""
    taken = [path.name for path in _NAMESPACES.glob(f"{_PREFIX}{pid}-*-switch")]
    return max((int(name.split("-")[1]) + 1 for name in taken), default=0)


def _enter(namespace: int) -> None:
    if _LIBC.setns(namespace, _NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _whole(address: str) -> str:
    return f"{address}/{ip_address(address).max_prefixlen}"


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
