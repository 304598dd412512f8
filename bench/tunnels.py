"""`python -m bench tunnels`: the SSH server for tunnels beside OpenSSH's sshd, behind the same edge.

    scripts/bench tunnels              # three rounds; --docs writes docs/tunnels-bench.md

One core has the SSH server alone. The other has HAProxy, OpenSSH's client, nginx and the load generator, the same for
both. HAProxy speaks plain HTTP here and reaches either server by a Unix socket, so that the tunnel is what is measured.
"""

import argparse
import asyncio
import getpass
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import psutil

from bench import machine
from bench.load import parse_wrk
from bench.processes import running
from bench.stage import Cores, Stage, free_port, open_stage
from portward.host.paths import State
from portward.tunnels.rules import KeyRule, Policy, Rules, ServiceRule, spell

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
IDLE = 1000
_IDLE_KEYS = 20
STREAM_BYTES = 100_000_000
_PATIENCE = 60.0


@dataclass(frozen=True)
class Server:
    """One SSH server under test: `forward` is what its client asks for, `socket` where visitors reach it."""

    title: str
    pid: int
    port: int
    user: str
    forward: Callable[[int], str]
    socket: Path


@dataclass(frozen=True)
class Figure:
    title: str
    unit: str
    more_is_better: bool
    values: Mapping[str, Sequence[float]]

    def median(self, server: str) -> float:
        return statistics.median(self.values[server])


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/bench tunnels", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--idle", type=int, default=IDLE, help=f"idle tunnels (default: {IDLE}); 0 leaves them out")
    parser.add_argument("--docs", action="store_true", help="write docs/tunnels-bench.md")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    figures = measure(options.rounds, options.seconds, options.idle)
    text = table(figures)
    print(text)
    if options.docs:
        (ROOT / "docs" / "tunnels-bench.md").write_text(page(text, options.rounds, options.seconds))
    return 0


def measure(rounds: int, seconds: int, idle: int) -> list[Figure]:
    """Both servers, turn by turn."""
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pb-", dir="/dev/shm")))
        stage = stack.enter_context(open_stage(place, Cores(product=0, load=1)))
        _key(place)
        with (place / "upstream" / "stream").open("wb") as stream:
            stream.truncate(STREAM_BYTES)
        servers = {
            "Portward": stack.enter_context(_portward(stage)),
            "OpenSSH": stack.enter_context(_sshd(stage)),
        }
        values: dict[str, dict[str, list[float]]] = {}
        for name, server in servers.items():
            note = values.setdefault
            if idle:
                note("memory", {}).setdefault(name, []).append(asyncio.run(_idle_memory(server, place, idle)))
        doors = {name: stack.enter_context(_edge(stage, server)) for name, server in servers.items()}
        for _ in range(rounds):
            for name, port in doors.items():
                for figure, value in _round(port, seconds).items():
                    values.setdefault(figure, {}).setdefault(name, []).append(value)
    return [Figure(title, unit, more, values[key]) for key, (title, unit, more) in _FIGURES.items() if key in values]


_FIGURES = {
    "requests": ("small requests, 32 at once", "requests/s", True),
    "p99": ("p99 of these", "ms", False),
    "one": ("one stream of 100 MB", "MB/s", True),
    "eight": ("eight streams of 100 MB at once", "MB/s", True),
    "memory": (f"memory of {IDLE:,} idle tunnels, each", "KB", False),
}


def _round(port: int, seconds: int) -> dict[str, float]:
    command = ("wrk", "-t1", "-c32", f"-d{seconds}s", "--timeout", "10s", "-s", str(HERE / "wrk.lua"))
    done = subprocess.run(
        ("taskset", "--cpu-list", "1", *command, f"http://127.0.0.1:{port}/small"),
        capture_output=True, text=True, check=True, timeout=seconds * 10 + 30,
    )  # fmt: skip
    small = parse_wrk(done.stdout)
    assert small.errors == 0
    return {
        "requests": small.rate,
        "p99": small.p99_ms or 0.0,
        "one": _stream(port, 1),
        "eight": _stream(port, 8),
    }


def _stream(port: int, number: int) -> float:
    """MB/s of so many downloads at once, together."""
    began = time.monotonic()
    curl = ("taskset", "--cpu-list", "1", "curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}\n")
    clients = [
        subprocess.Popen((*curl, f"http://127.0.0.1:{port}/stream"), stdout=subprocess.PIPE, text=True)
        for _ in range(number)
    ]
    sizes = [client.communicate(timeout=_PATIENCE)[0] for client in clients]
    assert all(int(size) == STREAM_BYTES for size in sizes), sizes
    return number * STREAM_BYTES / (time.monotonic() - began) / 1e6


# ---- what stands there -----------------------------------------------------------------------------------------------


def _key(place: Path) -> None:
    """One key for the tunnel under load, and enough for the idle ones: a key has a hundred names at most."""
    for name in ("id", *(f"idle-{number}" for number in range(_IDLE_KEYS))):
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)), check=True)


def _rule(place: Path, name: str) -> KeyRule:
    key = asyncssh.read_public_key(place / f"{name}.pub")
    public = key.export_public_key().decode().strip()
    return KeyRule(name=name, account="bench", fingerprint=key.get_fingerprint(), public=public, publish=("*",))


@contextmanager
def _portward(stage: Stage) -> Iterator[Server]:
    place, port = stage.place("portward"), free_port()
    state = State(place / "state")
    state.prepare()
    keys = tuple(_rule(stage.directory, name) for name in ("id", *(f"idle-{n}" for n in range(_IDLE_KEYS))))
    service = ServiceRule(name="web", host="web.test", url="https://web.test")
    policy = Policy(listen=(("127.0.0.1", port),), naming="any", allow=("127.0.0.0/8",))
    state.tunnel_rules.write_bytes(spell(Rules(policy=policy, keys=keys, services=(service,))))
    command = (sys.executable, "-m", "portward.tunnels.server", str(state.directory))
    with running(command, core=stage.cores.product, log=place / "output") as pid:
        _wait_for(lambda: "ready" in (place / "output").read_text())
        socket = state.service_socket("web")
        yield Server("Portward", pid, port, "bench", lambda web: f"web:80:127.0.0.1:{web}", socket)


@contextmanager
def _sshd(stage: Stage) -> Iterator[Server]:
    place, port = stage.place("sshd"), free_port()
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / "host")), check=True)
    authorized = place / "authorized"
    authorized.write_text("".join(public.read_text() for public in stage.directory.glob("id*.pub")))
    config = place / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {place}/host\nPidFile none\nAuthorizedKeysFile {authorized}\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nUseDNS no\n"
        "MaxStartups 2000\nPermitRootLogin yes\nStreamLocalBindUnlink yes\nLogLevel ERROR\n"
        "Ciphers aes128-gcm@openssh.com,aes256-gcm@openssh.com,chacha20-poly1305@openssh.com\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with running(
        ("/usr/sbin/sshd", "-D", "-e", "-f", str(config)), core=stage.cores.product, log=place / "output"
    ) as pid:
        socket = place / "web.sock"
        yield Server("OpenSSH", pid, port, getpass.getuser(), lambda web: f"{socket}:127.0.0.1:{web}", socket)


@contextmanager
def _edge(stage: Stage, server: Server) -> Iterator[int]:
    """The client's tunnel, and HAProxy in front of it. Gives the port of HAProxy."""
    place, port = stage.place(f"edge-{server.title}"), free_port()
    config = place / "haproxy.cfg"
    config.write_text(
        "global\n  nbthread 1\n  maxconn 2000\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n"
        f"  timeout server 60s\nfrontend edge\n  bind 127.0.0.1:{port}\n  default_backend tunnel\n"
        f"backend tunnel\n  http-reuse always\n  server tunnel unix@{server.socket}\n"
    )
    ssh = (
        "ssh", "-F", "none", "-N", "-p", str(server.port), "-i", str(stage.directory / "id"), "-o", "BatchMode=yes",
        "-o", "UserKnownHostsFile=/dev/null", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR",
        "-o", "ExitOnForwardFailure=yes", "-o", "Ciphers=aes128-gcm@openssh.com", "-R",
        server.forward(stage.upstream_port), f"{server.user}@127.0.0.1",
    )  # fmt: skip
    with (
        running(ssh, core=stage.cores.load, log=place / "ssh"),
        running(("haproxy", "-db", "-q", "-f", str(config)), core=stage.cores.load, log=place / "haproxy"),
    ):
        _wait_for(lambda: _answers(port))
        yield port


def _answers(port: int) -> bool:
    url = f"http://127.0.0.1:{port}/small"
    return subprocess.run(("curl", "-sf", "-o", "/dev/null", "--max-time", "2", url)).returncode == 0


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("a program of the benchmark does not come up")
        time.sleep(0.05)


# ---- many that rest --------------------------------------------------------------------------------------------------


async def _idle_memory(server: Server, place: Path, number: int) -> float:
    """KB of memory that each of so many idle tunnels costs a server; of shared pages, only its share."""
    before = _proportional_kb(server.pid)
    os.sched_setaffinity(0, {1})
    async with AsyncTunnels(server, place) as tunnels:
        for first in range(0, number, 20):
            await asyncio.gather(*(tunnels.open(first + each) for each in range(min(20, number - first))))
        await asyncio.sleep(2)
        return (_proportional_kb(server.pid) - before) / number


class AsyncTunnels:
    """Connections with one tunnel each, all in this process."""

    def __init__(self, server: Server, place: Path) -> None:
        self._server, self._place = server, place
        self._connections: list[asyncssh.SSHClientConnection] = []

    async def __aenter__(self) -> "AsyncTunnels":
        return self

    async def __aexit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.abort()
        await asyncio.gather(*(connection.wait_closed() for connection in self._connections))

    async def open(self, number: int) -> None:
        connection = await asyncssh.connect(
            "127.0.0.1",
            self._server.port,
            username=self._server.user,
            client_keys=[str(self._place / f"idle-{number % _IDLE_KEYS}")],
            known_hosts=None,
            config=None,
            agent_path=None,
            encryption_algs=["aes128-gcm@openssh.com"],
        )
        self._connections.append(connection)
        if self._server.title == "Portward":
            await connection.forward_remote_port(f"idle-{number}", 80, "127.0.0.1", 1)
        else:
            await connection.forward_remote_path_to_port(f"{self._place}/sshd/idle-{number}", "127.0.0.1", 1)


def _proportional_kb(pid: int) -> float:
    """Proportional set size of a process and its descendants (smaps_rollup)."""
    process = psutil.Process(pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        text = Path(f"/proc/{each.pid}/smaps_rollup").read_text()
        total += next(float(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


# ---- what is written down --------------------------------------------------------------------------------------------


def table(figures: Sequence[Figure]) -> str:
    lines = ["| | Portward | OpenSSH's sshd | |", "|---|---:|---:|---|"]
    for figure in figures:
        ours, theirs = figure.median("Portward"), figure.median("OpenSSH")
        better = ours >= theirs if figure.more_is_better else ours <= theirs
        verdict = "at least equal" if better else f"{ours / theirs:.0%} of it"
        lines.append(f"| {figure.title}, {figure.unit} | {ours:,.1f} | {theirs:,.1f} | {verdict} |")
    return "\n".join(lines) + "\n"


def page(text: str, rounds: int, seconds: int) -> str:
    about = machine.describe()
    return f"""\
# Tunnels: the SSH server beside OpenSSH's

This page is written by `scripts/bench tunnels --docs`; nothing in it is edited by hand. Measured on
{about["cores"]} cores, {about["memory"]} of memory, {about["kernel"]}, {about["system"]}, Python {about["python"]}.

OpenSSH's client carries one tunnel to each server (AES-128-GCM). HAProxy stands in front and reaches both by a Unix
socket. The SSH server has one core alone; HAProxy, the client, nginx and the load generator share the other. Medians of
{rounds} rounds, {seconds} s of small requests in each, turn by turn. Memory is the proportional set size of all of a
server's processes, so that pages which they share count once.

{text}
sshd's p99 is most likely that of a delayed acknowledgement (40 ms): it leaves Nagle's algorithm on for a connection
that has no terminal. Its small requests suffer from the same.
"""
