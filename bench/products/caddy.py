"""Caddy with `forward_auth`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.processes import running
from bench.products.command import find, version_of
from bench.products.product import Product, Running
from bench.stage import COOKIE_NAME, HOST, Stage, free_port, wait_for_answer


@contextmanager
def start(stage: Stage) -> Iterator[Running]:
    place = stage.place("caddy")
    port = free_port()
    config = place / "Caddyfile"
    config.write_text(_config(stage, place, port))
    command = [find("caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]
    # Go sets GOMAXPROCS by the cores that the process may use: one.
    env = {**os.environ, "HOME": str(place), "XDG_DATA_HOME": str(place), "XDG_CONFIG_HOME": str(place)}
    cookie = f"{COOKIE_NAME}=bench"
    with running(command, core=stage.cores.product, log=place / "output", env=env) as caddy:
        wait_for_answer(caddy, port, stage.certificate, cookie)
        yield Running(port, {"caddy": caddy}, stage.certificate, cookie)


def _config(stage: Stage, place: Path, port: int) -> str:
    # Room for every connection of the load generator, so that none to upstream or auth service is opened anew.
    # The admin endpoint is off, and the log leaves out headers, as the others' logs do: both make it faster.
    transport = "transport http {\n        keepalive_idle_conns_per_host 512\n      }"
    return f"""\
{{
  admin off
  auto_https off
  persist_config off
  servers {{
    protocols h1 h2
  }}
}}
https://{HOST}:{port} {{
  bind 127.0.0.1
  tls {stage.certificate} {stage.key} {{
    protocols tls1.3 tls1.3
  }}
  log {{
    output file {place}/access.log {{
      roll_disabled
    }}
    format filter {{
      wrap json
      request>headers delete
      request>tls delete
      resp_headers delete
    }}
  }}
  forward_auth 127.0.0.1:{stage.auth_port} {{
    uri /
    {transport}
  }}
  reverse_proxy 127.0.0.1:{stage.upstream_port} {{
    {transport}
  }}
}}
"""


FORWARD_AUTH = Product(
    name="caddy",
    title="Caddy forward_auth",
    guarded=True,
    start=start,
    version=partial(version_of, "caddy", "version"),
)
