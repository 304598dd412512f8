"""The load generators: what is asked of every product, and how their answers are read.

LOADS["http1"].run(target, seconds=4, core=1)       # Outcome(done=198765.0, seconds=4.0, p99_ms=1.2, errors=0)
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.stage import HOST, LARGE_BYTES

HERE = Path(__file__).parent
SPARE = 30.0
"""Seconds that a generator may take longer than it was told before it is killed."""
HANDSHAKES_A_SECOND = 900
"""About what one core of clients manages; the count is fixed, so that everybody does the same work."""


@dataclass(frozen=True)
class Target:
    port: int
    cookie: str
    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()
    """A command to run the generator by, such as `ip netns exec NAME`."""

    def url(self, path: str) -> str:
        return f"https://{HOST}:{self.port}{path}"


@dataclass(frozen=True)
class Outcome:
    """`done` counts requests, handshakes or downloads; `p99_ms` is None where the generator does not tell."""

    done: float
    seconds: float
    p99_ms: float | None
    errors: int

    @property
    def rate(self) -> float:
        return self.done / self.seconds


@dataclass(frozen=True)
class Load:
    name: str
    title: str
    unit: str
    run: Callable[[Target, float, int], Outcome]
    """Target, seconds, core of the generator."""


def small_over_http1(target: Target, seconds: float, core: int) -> Outcome:
    return parse_wrk(_wrk(target, "/small", seconds, core, connections=32))


def downloads(target: Target, seconds: float, core: int) -> Outcome:
    """Counts bytes, not answers: what was under way when the time was up has been sent as well."""
    figures = _wrk(target, "/large", seconds, core, connections=4)
    return parse_wrk(figures, unit_bytes=LARGE_BYTES)


def small_over_http2(target: Target, seconds: float, core: int) -> Outcome:
    with tempfile.NamedTemporaryFile(mode="r", dir="/dev/shm") as log:
        text = _h2load(target, core, seconds, ["-c16", "-m8", f"-D{seconds:.0f}", f"--log-file={log.name}"])
        return parse_h2load(text, durations_us(log))


def handshakes(target: Target, seconds: float, core: int) -> Outcome:
    """One small request on each new connection. h2load never resumes a TLS session; wrk does wherever it can."""
    count = round(HANDSHAKES_A_SECOND * seconds)
    return parse_h2load(_h2load(target, core, seconds, ["--h1", "-c32", f"-n{count}", "-H", "Connection: close"]), ())


def _wrk(target: Target, path: str, seconds: float, core: int, *, connections: int) -> str:
    command = [
        *("wrk", "-t1", f"-c{connections}", f"-d{seconds:.0f}s", "--timeout", "10s"),
        *("-s", str(HERE / "wrk.lua"), "-H", f"Cookie: {target.cookie}", target.url(path)),
    ]
    env = {"OPENSSL_CONF": str(HERE / "openssl.cnf"), "BENCH_ADDRESS": target.address}
    return _generate([*target.prefix, *_on(core), *command], seconds, env)


def _h2load(target: Target, core: int, seconds: float, options: Iterable[str]) -> str:
    command = [
        *("h2load", "-t1", "--tls13-ciphers=TLS_AES_128_GCM_SHA256", *options, "-H", f"Cookie: {target.cookie}"),
        *(f"--connect-to={target.address}:{target.port}", target.url("/small")),
    ]
    return _generate([*target.prefix, *_on(core), *command], seconds, {})


def _on(core: int) -> tuple[str, ...]:
    return "taskset", "--cpu-list", str(core)


def _generate(command: list[str], seconds: float, env: Mapping[str, str]) -> str:
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds * 10 + SPARE,
        env={**os.environ, **env},
    )
    return done.stdout


def parse_wrk(text: str, *, unit_bytes: int = 0) -> Outcome:
    """Read the line of JSON that wrk.lua prints. With `unit_bytes`, that many bytes count as one thing done."""
    figures = json.loads(text.splitlines()[-1])
    done = figures["bytes"] / unit_bytes if unit_bytes else float(figures["requests"])
    return Outcome(done, figures["seconds"], figures["p99_ms"], figures["errors"])


_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def parse_h2load(text: str, durations: Iterable[int]) -> Outcome:
    """Read h2load's summary; `durations` are those of single requests, in microseconds.

    Raises ValueError when the text is not a summary.
    """
    finished = re.search(r"finished in ([\d.]+)(us|ms|s),", text)
    requests = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", text)
    if finished is None or requests is None:
        raise ValueError(f"h2load printed no summary: {text[-300:]}")
    succeeded, *errors = (int(number) for number in requests.groups())
    seconds = float(finished[1]) * _SECONDS[finished[2]]
    return Outcome(float(succeeded), seconds, p99_ms(durations), sum(errors))


def durations_us(lines: Iterable[str]) -> list[int]:
    """The third column of h2load's --log-file."""
    return [int(line.split("\t")[2]) for line in lines]


def p99_ms(durations: Iterable[int]) -> float | None:
    """The 99th percentile of microseconds, in milliseconds; None of nothing."""
    ordered = sorted(durations)
    return ordered[(len(ordered) * 99 - 1) // 100] / 1e3 if ordered else None


LOADS = {
    load.name: load
    for load in (
        Load("http1", "small request, HTTP/1.1 keep-alive", "requests/s", small_over_http1),
        Load("http2", "small request, HTTP/2", "requests/s", small_over_http2),
        Load("handshake", "new connection, full TLS handshake", "connections/s", handshakes),
        Load("download", "download of 10 MB", "downloads/s", downloads),
    )
}
