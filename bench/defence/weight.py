"""What full lists cost a request that is allowed: bans, networks by country, limits; and what loading them takes.

pairs, loaded = weigh(place, network, rounds=8, seconds=2.0)

Each variant is a gateway on a machine of its own, and is asked in turn with one that has nothing of it: whatever
disturbs the one disturbs the other too. The load comes over a link from another machine, so that its packets pass the
kernel's sets as well as the edge's maps.
"""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from tests.lives.network import Host, Network

from bench.defence.subject import PORT, Subject, fill, gateway
from bench.figures import Sample
from bench.gates import BANS, GROUPS, LIMITS, serving, without
from bench.load import LOADS
from bench.measure import rounds, tell
from bench.processes import resident_mb
from bench.products import Running
from bench.seed import seed
from bench.stage import COOKIE_NAME, Cores, open_stage, wait_for_answer
from portward.defense.geo.geography import Geography
from portward.defense.geo.order import Order
from portward.host.paths import State

CORES = Cores(product=0, load=1)
WEIGHTS = ("http1", "handshake")
SERVICE = '[services.bench]\nupstream = "http://127.0.0.1:{upstream}"\naccess = "members"\n'
EVERY_LIMIT = """\
limits = {requests = 10_000_000, burst = 1_000_000, connections = 1_000_000, body = "100GB"}
"""
Pairs = dict[str, list[Sample]]
COUNTRIES = '[defence.countries]\ndeny = ["AQ"]\n'


@dataclass(frozen=True)
class Variant:
    """How much is in force. `every_limit`: a service's own limits too, all of them, beside the gateway's."""

    title: str
    bans: int = 0
    networks: int = 0
    every_limit: bool = False


NOTHING = Variant("nothing of it")
VARIANTS = (
    Variant("the gateway's limits"),
    Variant("the same, and every limit of a service", every_limit=True),
    Variant("the gateway's limits, 500,000 networks by country", networks=500_000),
    Variant("the same and 100,000 bans", bans=100_000, networks=500_000),
    Variant("the same and 1,000,000 bans", bans=1_000_000, networks=500_000),
)


@dataclass(frozen=True)
class Loaded:
    """What a variant took: seconds until the gateway answers, MB of each program, MB of the kernel's own."""

    start: float
    memory: Mapping[str, float]
    kernel: float


@dataclass(frozen=True)
class Ground:
    """Where the gateways stand, and the machine that the load comes from."""

    place: Path
    network: Network
    load: Host

    @contextmanager
    def standing(self, number: int, variant: Variant) -> Iterator[tuple[Loaded, Running]]:
        place, host = self.place / f"v{number}", self.network.host(f"45.90.1.{number + 1}")
        cookie, before = prepare(place, variant), kernel_mb()
        with _standing(place, host, self.load, variant, cookie) as (subject, running):
            loaded = Loaded(subject.ready, resident_mb(subject.programs), kernel_mb() - before)
            tell(f"{variant.title}: {loaded}")
            yield loaded, running


def weigh(place: Path, network: Network, count: int, seconds: float) -> tuple[Pairs, dict[str, Loaded]]:
    """By the title of each variant: samples of it and of nothing, and what it took to load."""
    ground = Ground(place, network, network.host("91.0.0.1"))
    pairs, loads = {}, {}
    with ground.standing(0, NOTHING) as (loads[NOTHING.title], nothing):
        for number, variant in enumerate(VARIANTS, 1):
            with ground.standing(number, variant) as (loads[variant.title], running):
                both = {NOTHING.title: nothing, variant.title: running}
                pairs[variant.title] = list(rounds(both, [LOADS[name] for name in WEIGHTS], count, seconds, CORES))
    return pairs, loads


def prepare(place: Path, variant: Variant) -> str:
    """What the gateway finds at its start. Returns the cookie of a member who is logged in."""
    place.mkdir()
    state = State(place / "state")
    token = asyncio.run(seed(state, 100))
    fill(state, variant.bans)
    if variant.networks:
        _settle(state, place, variant.networks)
    return f"{COOKIE_NAME}={token}"


@contextmanager
def _standing(place: Path, host: Host, load: Host, variant: Variant, cookie: str) -> Iterator[tuple[Subject, Running]]:
    state = State(place / "state")
    with host.inside(), open_stage(place, CORES) as stage:
        settings = SERVICE.format(upstream=stage.upstream_port) + (EVERY_LIMIT if variant.every_limit else "")
        if variant.networks:
            settings += COUNTRIES
        with gateway(place, host, settings, core=CORES.product) as subject:
            authority = state.authority / "root.crt"
            wait_for_answer(subject.programs["supervisor"], PORT, authority, cookie)
            whole = Running(PORT, subject.programs, authority, cookie, state.haproxy_cfg, host.address, load.prefix)
            if variant != NOTHING:
                yield subject, whole
                return
            with serving(bare(state.haproxy_cfg.read_text()), whole, stage, "bare") as edge:
                yield subject, replace(edge, address=host.address, load_prefix=load.prefix)


def _settle(state: State, place: Path, count: int) -> None:
    """Data of which so many networks belong to one country."""
    data = place / "countries.csv"
    data.write_text("".join(f"{network},AQ\n" for network in scattered(count)))
    order = Order(kind="countries", file=str(data), anyway=True)
    asyncio.run(Geography(state.geo).update(order))


def scattered(count: int) -> Iterator[str]:
    """Half of them IPv4 /24, half IPv6 /48, and between each two a network that is none of them."""
    for number in range(count // 2):
        yield f"{IPv4Address('11.0.0.0') + 512 * number}/24"
        yield f"{IPv6Address('2a00::') + (number << 81)}/48"


def bare(config: str) -> str:
    """Portward's own configuration without a rule that bans, counts or limits."""
    for group in GROUPS:
        if group.title in (BANS, LIMITS):
            config = without(config, group)
    return config


def kernel_mb() -> float:
    """What the kernel holds for itself, in slabs and in pages: the sets of nftables among it."""
    values = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    return sum(int(values[key].split()[0]) for key in ("Slab", "VmallocUsed", "Percpu")) / 1e3
