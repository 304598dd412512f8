"""What rules about countries cost: taking data over, cutting from them, and looking addresses up at the edge.

    python -m bench.places DATA [NETWORKS]          # DATA as `portward geo update --file` takes them

DATA are taken over and compiled, as the gateway does it. Then HAProxy alone, one thread, answers small requests over
connections that stay, and over new ones, without a rule and with a map of so many networks (default: half a million,
made up: IPv4 and IPv6, two words in turn, so that none could be joined).
"""

import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portward.defense.geo.compiling import compile_rules
from portward.defense.geo.fetch import fetch
from portward.defense.geo.order import Order
from portward.defense.geo.rules import Rule

_SECONDS = 3
_ROUNDS = 3
_CONFIG = """
global
  nbthread 1
  stats socket {directory}/admin.sock mode 600 level admin
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 1s
frontend edge
  bind 127.0.0.1:{port}
{rules}  http-request return status 200 content-type text/plain string hello
"""
_RULES = """
  acl abroad src,map_ip({map},a) -m str b
  acl at_home src,map_ip({owners}) -m found
  tcp-request connection silent-drop if abroad !at_home
  tcp-request session set-var(sess.place) src,map_ip({map},a)
  http-request set-var(txn.service) str(wiki)
  http-request deny if {{ var(sess.place),concat(/,txn.service),map_str({shut}) -m found }}
"""


def main() -> None:
    data, networks = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 500_000
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        _taking_over(data, directory)
        _edge(directory, networks)


def _taking_over(data: Path, directory: Path) -> None:
    target = directory / "countries.geo"
    for what, work in {
        "taking over": lambda: fetch(Order(kind="countries", file=str(data), target=str(target))),
        "deny CN, RU": lambda: compile_rules(target, None, {"": Rule(deny=("CN", "RU"))}, directory / "1.json"),
        "allow DE, AT, CH": lambda: compile_rules(
            target, None, {"": Rule(allow=("AT", "CH", "DE"), unknown=True)}, directory / "2.json"
        ),
    }.items():
        began = time.monotonic()
        if (child := os.fork()) == 0:
            done = work()
            counts = done.counts if hasattr(done, "counts") else done
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            print(f"{what}: {time.monotonic() - began:.1f} s, {peak} MB, {json.dumps(dict(counts))}", flush=True)
            os._exit(0)
        os.waitpid(child, 0)


def _edge(directory: Path, networks: int) -> None:
    _write_map(directory / "places.map", networks)
    (directory / "owners.map").write_text("198.51.100.7 ann\n")
    (directory / "shut.map").write_text("b/wiki 1\n")
    rules = _RULES.format(map=directory / "places.map", owners=directory / "owners.map", shut=directory / "shut.map")
    for fresh in (False, True):
        for number in range(_ROUNDS):
            for what, text in (("no rule", ""), (f"{networks} networks", rules)):
                with _haproxy(directory, text) as (pid, port, seconds):
                    micros, count = _load(pid, port, fresh=fresh)
                    kind = "new connections" if fresh else "requests"
                    print(
                        f"{kind}, {what}, round {number + 1}: {micros:.1f} µs of CPU each ({count}/s); "
                        f"answers {seconds:.2f} s after its start, {_memory(pid)} MB",
                        flush=True,
                    )


def _write_map(path: Path, networks: int) -> None:
    with path.open("w") as file:
        file.write("127.0.0.0/8 a\n")
        for number in range(networks * 3 // 4):
            address = (20 << 24) + number * 256
            file.write(f"{socket.inet_ntoa(address.to_bytes(4, 'big'))}/24 {'ab'[number % 2]}\n")
        for number in range(networks // 4):
            file.write(f"2a00:{number >> 16:x}:{number & 0xFFFF:x}::/48 {'ab'[number % 2]}\n")


@contextmanager
def _haproxy(directory: Path, rules: str) -> Iterator[tuple[int, int, float]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = directory / "haproxy.cfg"
    config.write_text(_CONFIG.format(directory=directory, port=port, rules=rules.lstrip("\n")))
    began = time.monotonic()
    process = subprocess.Popen(["haproxy", "-db", "-f", str(config)], stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.005)
        yield process.pid, port, time.monotonic() - began
    finally:
        process.terminate()
        process.wait()


def _load(pid: int, port: int, *, fresh: bool) -> tuple[float, int]:
    before = _cpu(pid)
    words = ["wrk", "-t1", "-c32", f"-d{_SECONDS}s", *(["-H", "Connection: close"] if fresh else [])]
    out = subprocess.run([*words, f"http://127.0.0.1:{port}/"], capture_output=True, text=True, check=True).stdout
    count = int(out.split(" requests in ")[0].split()[-1])
    return (_cpu(pid) - before) / count * 1e6, count // _SECONDS


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS"))) // 1024


if __name__ == "__main__":
    main()
