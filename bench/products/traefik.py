"""Traefik with `ForwardAuth`."""

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
    place = stage.place("traefik")
    port = free_port()
    (place / "dynamic.yml").write_text(_dynamic(stage))
    config = place / "traefik.yml"
    config.write_text(_static(place, port))
    cookie = f"{COOKIE_NAME}=bench"
    command = [find("traefik"), f"--configfile={config}"]
    with running(command, core=stage.cores.product, log=place / "output") as traefik:
        wait_for_answer(traefik, port, stage.certificate, cookie)
        yield Running(port, {"traefik": traefik}, stage.certificate, cookie)


def _static(place: Path, port: int) -> str:
    # The common log format is the default and the cheapest; `bufferingSize` makes the writing asynchronous.
    # FastProxy is still called experimental, but costs a tenth less.
    return f"""\
global:
  checkNewVersion: false
  sendAnonymousUsage: false
log:
  level: ERROR
accessLog:
  filePath: {place}/access.log
  bufferingSize: 1000
serversTransport:
  maxIdleConnsPerHost: 512
entryPoints:
  edge:
    address: 127.0.0.1:{port}
experimental:
  fastProxy: {{}}
providers:
  file:
    filename: {place}/dynamic.yml
    watch: false
"""


def _dynamic(stage: Stage) -> str:
    return f"""\
tls:
  certificates:
    - certFile: {stage.certificate}
      keyFile: {stage.key}
  options:
    default:
      minVersion: VersionTLS13
http:
  routers:
    bench:
      rule: Host(`{HOST}`)
      entryPoints: [edge]
      tls: {{}}
      middlewares: [auth]
      service: upstream
  middlewares:
    auth:
      forwardAuth:
        address: http://127.0.0.1:{stage.auth_port}/
  services:
    upstream:
      loadBalancer:
        servers:
          - url: http://127.0.0.1:{stage.upstream_port}
"""


FORWARD_AUTH = Product(
    name="traefik",
    title="Traefik ForwardAuth",
    guarded=True,
    start=start,
    version=partial(version_of, "traefik", "version"),
)
