"""What the benchmark knows of a product."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Programs
from bench.stage import Stage


@dataclass(frozen=True)
class Running:
    """A product that answers at `address`:`port`; `authority` is the certificate that vouches for it."""

    port: int
    programs: Programs
    authority: Path
    cookie: str
    edge_config: Path = Path()
    """The haproxy.cfg that Portward wrote; peers have none."""
    address: str = "127.0.0.1"
    load_prefix: tuple[str, ...] = ()
    """A command to run the load generator by, where it is on another machine of a network of the benchmark's own."""


@dataclass(frozen=True)
class Product:
    """`start` gives a context in which the product runs; `version` asks the program itself."""

    name: str
    title: str
    guarded: bool
    """Whether a request is let in by a login: Portward's own, or an auth service that always says yes."""
    start: Callable[[Stage], AbstractContextManager[Running]]
    version: Callable[[], str]
