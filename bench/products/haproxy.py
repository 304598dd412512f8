"""HAProxy without any gate: the yardstick. What Portward adds is measured against it.

Its access log goes the way of Portward's: from a ring to the same recorder, over a Unix stream socket.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.processes import running
from bench.products.command import find, version_of
from bench.products.product import Product, Running
from bench.stage import COOKIE_NAME, Stage, free_port, wait_for_answer
from portward.host.paths import State


@contextmanager
def start(stage: Stage, name: str = "haproxy") -> Iterator[Running]:
    place = stage.place(name)
    state = State(place / "state")
    state.prepare()
    port = free_port()
    config = place / "haproxy.cfg"
    config.write_text(_config(stage, port, state.access_socket))
    recorder = [sys.executable, "-m", "portward.watch.recorder", str(state.directory)]
    core = stage.cores.product
    cookie = f"{COOKIE_NAME}=bench"
    with (
        running(recorder, core=core, log=place / "recorder.output") as log_reader,
        running([find("haproxy"), "-f", str(config)], core=core, log=place / "output") as haproxy,
    ):
        wait_for_answer(haproxy, port, stage.certificate, cookie)
        yield Running(port, {"haproxy": haproxy, "log reader": log_reader}, stage.certificate, cookie)


def _config(stage: Stage, port: int, log: Path) -> str:
    # No resumption, as in Portward, so that every handshake is a whole one for everybody.
    return f"""\
global
  nbthread 1
  maxconn 4000
  log ring@access len 4096 format raw local0 info
  tune.ssl.cachesize 0
  ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets
ring access
  format raw
  maxlen 4096
  size 8388608
  timeout connect 2s
  timeout server 10s
  server recorder unix@{log}
defaults
  mode http
  log global
  option httplog
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend edge
  bind 127.0.0.1:{port} ssl crt {stage.bundle} alpn h2,http/1.1
  default_backend upstream
backend upstream
  server upstream 127.0.0.1:{stage.upstream_port}
"""


BARE = Product(
    name="haproxy", title="HAProxy, bare", guarded=False, start=start, version=partial(version_of, "haproxy", "-v")
)
