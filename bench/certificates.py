"""A thousand hosts on one gateway: how long it takes to start, what it holds in memory, how long one swap takes.

main(["--hosts", "1000", "--swaps", "30", "--docs"])

Beside it HAProxy alone, with the very same certificates, in files that only this program changes.
"""

import argparse
import json
import random
import signal
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from bench import machine
from bench.measure import tell
from bench.processes import Programs, cpu_seconds, has_ended, resident_mb, running
from bench.products.command import find, version_of
from bench.products.portward import programs_of, wait_for_keeper
from bench.stage import free_port
from portward.host.files import replace
from portward.host.paths import State
from portward.pki.authority import Authority

ROOT = Path(__file__).parents[1]
MEMORY = Path("/dev/shm")  # noqa: S108
DOMAIN = "many.test"
PATIENCE = 300.0
CORE = 0
Change = Callable[[str, bytes], None]


@dataclass(frozen=True)
class Subject:
    """Seconds, and MB by program. A first start makes the certificates; those of HAProxy alone are there already."""

    title: str
    start: float
    memory: dict[str, float]
    swap: float
    slowest_swap: float
    first_start: float | None = None
    reload: float | None = None


@dataclass(frozen=True)
class Place:
    """Where everything is; `names` are the hosts."""

    directory: Path
    names: tuple[str, ...]

    @property
    def state(self) -> State:
        return State(self.directory / "state")

    @property
    def own(self) -> Path:
        """The operator's own files, which the swaps come from."""
        return self.directory / "own"


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="pb-", dir=MEMORY) as directory:
        place = Place(Path(directory), tuple(f"s{number}.{DOMAIN}" for number in range(options.hosts)))
        place.own.mkdir()
        subjects = [_portward(place, options.swaps), _haproxy(place, options.swaps)]
    page = text(subjects, options.hosts, options.swaps)
    if options.docs:
        (ROOT / "docs" / "bench-certificates.md").write_text(page)
    print(json.dumps([asdict(subject) for subject in subjects], indent=2) if options.json else page)
    return 0


def _portward(place: Place, swaps: int) -> Subject:
    port, config = free_port(), place.directory / "portward.toml"
    config.write_text(_config(place, port))
    command = [sys.executable, "-m", "portward.supervisor", "--config", str(config), "--state"]
    starts: list[float] = []
    for turn in ("first", "second"):
        began = time.monotonic()
        with running([*command, str(place.state.directory)], core=CORE, log=place.directory / "output") as supervisor:
            _wait_until_all_are_shown(supervisor, port, place)
            starts.append(time.monotonic() - began)
            tell(f"Portward, {turn} start: {starts[-1]:.2f} s")
            wait_for_keeper(place.state, supervisor)
            programs = programs_of(place.state, supervisor)
            _wait_for_rest(programs)
            memory = resident_mb(programs)
            if turn == "second":
                times = _swaps(place, swaps, port, lambda name, pem: replace(place.own / f"{name}.pem", pem))
    return Subject("Portward", starts[1], memory, statistics.median(times), max(times), first_start=starts[0])


def _haproxy(place: Place, swaps: int) -> Subject:
    """With the crt-list that Portward wrote: swaps over its runtime socket, then one by a reload."""
    port, control, master = free_port(), place.directory / "admin.sock", place.directory / "master.sock"
    config = place.directory / "haproxy.cfg"
    config.write_text(_bare(place, port, control))
    command = [find("haproxy"), "-W", "-S", str(master), "-f", str(config)]

    def swap(name: str, pem: bytes) -> None:
        file = place.state.certificates / f"{name}.pem"
        replace(file, pem)
        _ask(control, f"set ssl cert {file} <<\n{pem.decode()}\n")
        _ask(control, f"commit ssl cert {file}\n")

    def reload(name: str, pem: bytes) -> None:
        replace(place.state.certificates / f"{name}.pem", pem)
        _ask(master, "reload\n")

    began = time.monotonic()
    with running(command, core=CORE, log=place.directory / "bare") as haproxy:
        _wait_until_all_are_shown(haproxy, port, place)
        start = time.monotonic() - began
        tell(f"HAProxy alone, start: {start:.2f} s")
        _wait_for_rest({"haproxy": haproxy})
        memory = resident_mb({"haproxy": haproxy})
        times = _swaps(place, swaps, port, swap)
        (reloaded,) = _swaps(place, 1, port, reload)
    return Subject("HAProxy alone", start, memory, statistics.median(times), max(times), reload=reloaded)


def _swaps(place: Place, count: int, port: int, change: Change) -> list[float]:
    """Seconds from the change of a file until a handshake shows it, for hosts chosen by chance."""
    authority, times = Authority.open(place.state.authority, datetime.now(UTC)), []
    for name in random.choices(place.names, k=count):  # noqa: S311
        pem = authority.issue(name, datetime.now(UTC))
        wanted = ssl.PEM_cert_to_DER_cert(pem.decode().partition("-----END CERTIFICATE-----")[0] + _END)
        began = time.monotonic()
        change(name, pem)
        while shown(port, name) != wanted:
            if time.monotonic() - began > PATIENCE:
                raise TimeoutError(f"{name} does not show its new certificate")
        times.append(time.monotonic() - began)
    return times


_END = "-----END CERTIFICATE-----\n"


def shown(port: int, name: str) -> bytes:
    """The certificate that a visitor of a host gets, as DER; nothing where the handshake fails."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
            _anything().wrap_socket(plain, server_hostname=name) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""
    except OSError:
        return b""


@cache
def _anything() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _wait_until_all_are_shown(pid: int, port: int, place: Place) -> None:
    """Return when the last host is shown, and then when every host was."""
    deadline = time.monotonic() + PATIENCE
    while not shown(port, place.names[-1]):
        if time.monotonic() > deadline or has_ended(pid):
            raise TimeoutError("no host is shown")
        time.sleep(0.02)
    if missing := [name for name in place.names[::37] if not shown(port, name)]:
        raise AssertionError(f"not shown: {missing}")


def _wait_for_rest(programs: Programs) -> None:
    """Return when the programs use next to nothing of their core."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        before = sum(cpu_seconds(programs).values())
        time.sleep(1)
        if sum(cpu_seconds(programs).values()) - before < 0.05:
            return
    raise TimeoutError("the programs do not come to rest")


def _ask(path: Path, command: str) -> None:
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(str(path))
        control.sendall(command.encode())
        control.shutdown(socket.SHUT_WR)
        while control.recv(65536):
            pass


def _config(place: Place, port: int) -> str:
    services = "".join(f'[services.{name.partition(".")[0]}]\nupstream = "demo"\n' for name in place.names)
    return f"""\
domain = "{DOMAIN}"
[listen]
https = ["127.0.0.1:{port}"]
http = ["127.0.0.1:{free_port()}"]
[tls]
files = ["{place.own}/*.pem"]
[limits]
connections = 10_000_000
new-connections = 10_000_000
{services}"""


def _bare(place: Place, port: int, control: Path) -> str:
    return f"""\
global
  nbthread 1
  stats socket {control} mode 600 level admin expose-fd listeners
  tune.ssl.cachesize 0
  ssl-load-extra-files none
  ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend edge
  bind 127.0.0.1:{port} ssl crt-list {place.state.edge}/crt-list strict-sni alpn h2,http/1.1
  http-request return status 200
"""


TEXT = """\
# Benchmark: {hosts:,} hosts

This page is written by `scripts/bench certificates --docs`; nothing in it is edited by hand. Measured {when} on
{cores} cores, {memory} of memory, {kernel}, {system}, with HAProxy {haproxy}.

{hosts:,} services on one gateway, each with a certificate of its own (ECDSA P-256, with its intermediate). HAProxy
alone has the very same files in its crt-list, and nothing else to do. Each has one core; files lie in memory. A start
ends when a handshake shows the last host. A swap is the time from the moment that a new certificate's file is written
until a new handshake shows it: Portward sees the file by itself, judges it, writes its own copy, and tells HAProxy; for
HAProxy alone, this program tells it over the runtime socket. Median of {swaps} swaps of hosts chosen by chance.

| | {titles} |
|---|{rules}
{rows}

Portward's memory by program: {programs}. Of HAProxy's memory, what its {hosts:,} TLS contexts need is the same in both.

## Again

    scripts/bench certificates                          # {hosts:,} hosts, {swaps} swaps
    scripts/bench certificates --hosts 100 --swaps 10
    scripts/bench certificates --docs                   # writes this page
"""


def text(subjects: Sequence[Subject], hosts: int, swaps: int) -> str:
    """The page."""
    found = machine.describe()
    rows: list[tuple[str, Callable[[Subject], str]]] = [
        ("first start, certificates are made", lambda one: _seconds(one.first_start)),
        ("start", lambda one: _seconds(one.start)),
        ("resident memory at rest", lambda one: f"{sum(one.memory.values()):.0f} MB"),
        ("one swap", lambda one: _milliseconds(one.swap)),
        ("slowest swap", lambda one: _milliseconds(one.slowest_swap)),
        ("one swap by a reload", lambda one: _milliseconds(one.reload)),
    ]
    return TEXT.format(
        hosts=hosts,
        swaps=swaps,
        when=f"{datetime.now(UTC):%Y-%m-%d}",
        haproxy=version_of("haproxy", "-v"),
        titles=" | ".join(subject.title for subject in subjects),
        rules="---:|" * len(subjects),
        rows="\n".join(f"| {title} | " + " | ".join(spell(one) for one in subjects) + " |" for title, spell in rows),
        programs=", ".join(f"{name} {size:.0f} MB" for name, size in subjects[0].memory.items()),
        **{key: found[key] for key in ("cores", "memory", "kernel", "system")},
    )


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f} s"


def _milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value * 1000:.0f} ms"


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench certificates", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--hosts", type=int, default=1000, help="services with a host each (default: 1000)")
    parser.add_argument("--swaps", type=int, default=30, help="certificates that are swapped (default: 30)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the page")
    parser.add_argument("--docs", action="store_true", help="write docs/bench-certificates.md too")
    return parser.parse_args(arguments)
