"""nginx twice: as a bare reverse proxy, and with `auth_request` in front of every request."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.processes import running
from bench.products.command import find, version_of
from bench.products.product import Product, Running
from bench.stage import COOKIE_NAME, Stage, free_port, wait_for_answer


@contextmanager
def start(stage: Stage, name: str, *, guarded: bool) -> Iterator[Running]:
    place = stage.place(name)
    port = free_port()
    config = place / "nginx.conf"
    config.write_text(_config(stage, place, port, guarded=guarded))
    command = [find("nginx"), "-p", str(place), "-c", str(config)]
    cookie = f"{COOKIE_NAME}=bench"
    with running(command, core=stage.cores.product, log=place / "output") as nginx:
        wait_for_answer(nginx, port, stage.certificate, cookie)
        yield Running(port, {"nginx": nginx}, stage.certificate, cookie)


def _config(stage: Stage, place: Path, port: int, *, guarded: bool) -> str:
    # `proxy_set_header` is stated in each location: one line there hides all that are inherited, and then every
    # request to the auth service opens a connection of its own.
    # Buffers hold a whole TLS record several times over, and downloads never touch the disk.
    return f"""\
daemon off;
worker_processes 1;
pid {place}/pid;
error_log {place}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {place}/access.log combined buffer=64k flush=1s;
  keepalive_requests 1000000000;
  ssl_certificate {stage.certificate};
  ssl_certificate_key {stage.key};
  ssl_protocols TLSv1.3;
  ssl_session_cache off;
  ssl_session_tickets off;
  proxy_http_version 1.1;
  proxy_buffers 16 64k;
  proxy_busy_buffers_size 128k;
  proxy_max_temp_file_size 0;
  upstream upstream {{
    server 127.0.0.1:{stage.upstream_port};
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  upstream auth {{
    server 127.0.0.1:{stage.auth_port};
    keepalive 256;
    keepalive_requests 1000000000;
  }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    location / {{
      {"auth_request /auth;" if guarded else ""}
      proxy_pass http://upstream;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
    }}
    location = /auth {{
      internal;
      proxy_pass http://auth/;
      proxy_set_header Host $host;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass_request_body off;
    }}
  }}
}}
"""


_VERSION = partial(version_of, "nginx", "-v")

BARE = Product(
    name="nginx",
    title="nginx, bare",
    guarded=False,
    start=lambda stage: start(stage, "nginx", guarded=False),
    version=_VERSION,
)
AUTH_REQUEST = Product(
    name="nginx-auth",
    title="nginx auth_request",
    guarded=True,
    start=lambda stage: start(stage, "nginx-auth", guarded=True),
    version=_VERSION,
)
