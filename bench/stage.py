"""What all products share: one certificate, one upstream, one auth service, two cores.

    with open_stage(Path("/tmp/bench"), Cores(product=0, load=1)) as stage:
        stage.upstream_port

The upstream and the auth service are one nginx on the load generator's core. It answers from memory and keeps every
connection open, so that a product is measured, not what stands behind it.
"""

import random
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from bench.processes import has_ended, running

HOST = "bench.portward.localhost"
COOKIE_NAME = "__Host-portward"
SMALL_BODY = "x" * 100
LARGE_BYTES = 10_000_000
START_TIMEOUT = 20.0


@dataclass(frozen=True)
class Cores:
    """The product alone on one core; load generator, upstream and auth service on the other."""

    product: int
    load: int


@dataclass(frozen=True)
class Stage:
    directory: Path
    cores: Cores
    upstream_port: int
    auth_port: int

    @property
    def certificate(self) -> Path:
        return self.directory / "certificate.pem"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    @property
    def bundle(self) -> Path:
        """Certificate and key in one file, as HAProxy wants them."""
        return self.directory / "bundle.pem"

    def place(self, product: str) -> Path:
        """A directory of its own for one product."""
        place = self.directory / product
        place.mkdir(exist_ok=True)
        return place


@contextmanager
def open_stage(directory: Path, cores: Cores) -> Iterator[Stage]:
    directory.chmod(0o711)  # nginx started by root works as another user, who must reach his files
    stage = Stage(directory, cores, upstream_port=free_port(), auth_port=free_port())
    _make_certificate(stage)
    place = stage.place("upstream")
    with (place / "large").open("wb") as large:
        large.truncate(LARGE_BYTES)
    config = place / "nginx.conf"
    config.write_text(_upstream(stage, place))
    with running(["nginx", "-p", str(place), "-c", str(config)], core=cores.load, log=place / "output"):
        for port in (stage.upstream_port, stage.auth_port):
            _wait_for_port(port)
        yield stage


def free_port() -> int:
    """A port below those that the system gives to outgoing connections, so that none of them takes it meanwhile.

    Asking again and again for one of those, before anybody listens there, can even connect to itself.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 20000 and 32000")


def _make_certificate(stage: Stage) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-days", "7", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
            *("-keyout", str(stage.key), "-out", str(stage.certificate)),
        ],
        check=True,
        capture_output=True,
        timeout=START_TIMEOUT,
    )
    stage.bundle.write_text(stage.certificate.read_text() + stage.key.read_text())


def _upstream(stage: Stage, place: Path) -> str:
    return f"""\
daemon off;
worker_processes 1;
pid {place}/pid;
error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  default_type text/plain;
  server {{
    listen 127.0.0.1:{stage.upstream_port};
    root {place};
    location = /small {{ return 200 "{SMALL_BODY}"; }}
    location = /large {{ open_file_cache max=4 inactive=1h; }}
  }}
  server {{
    listen 127.0.0.1:{stage.auth_port};
    location / {{ return 200; }}
  }}
}}
"""


def _wait_for_port(port: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port} after {START_TIMEOUT:.0f} s")


def fetch(port: int, authority: Path, cookie: str, path: str = "/small") -> tuple[int, bytes]:
    """Status and body of one request over TLS to the product at `port`, which must show a certificate for HOST."""
    context = ssl.create_default_context(cafile=str(authority))
    lines = (f"GET {path} HTTP/1.1", f"Host: {HOST}:{port}", f"Cookie: {cookie}", "Connection: close", "", "")
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as secure,
    ):
        secure.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: secure.recv(65536), b""))
    if not answer:
        raise HTTPException("closed without an answer")
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def wait_for_answer(pid: int, port: int, authority: Path, cookie: str, timeout: float = START_TIMEOUT) -> None:
    """Return when the product passes a request on to the upstream.

    Raises TimeoutError with the last reason when it does not within `timeout` seconds, or ends before.
    """
    deadline = time.monotonic() + timeout
    reason = "nothing tried"
    while time.monotonic() < deadline and not has_ended(pid):
        try:
            status, body = fetch(port, authority, cookie)
        except (OSError, HTTPException) as error:
            reason = str(error)
        else:
            if status == 200 and SMALL_BODY.encode() in body:
                return
            reason = f"status {status}"
        time.sleep(0.05)
    raise TimeoutError(f"port {port} does not answer as it should: {reason}")
