"""Rounds: every product does every load once, then all of it again, so that a noisy minute strikes all alike.

with ExitStack() as open_products:
    started = start_all(products, stage, open_products)
    samples = list(rounds(started, loads, 5, 4.0, stage.cores))
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from bench.figures import Sample
from bench.load import Load, Target
from bench.processes import busy_seconds, cpu_seconds
from bench.products import Product, Running
from bench.stage import Cores, Stage

NOISE = 0.05
"""Share of the product's core that others may use before a measurement counts as disturbed."""
TRIES = 3


def start_all(products: Sequence[Product], stage: Stage, stack: ExitStack) -> dict[str, Running]:
    """Start them all; they stop when the stack closes. One that nobody asks anything costs next to no CPU."""
    started = {}
    for product in products:
        tell(f"starting {product.title}")
        started[product.name] = stack.enter_context(product.start(stage))
    return started


def rounds(
    started: Mapping[str, Running], loads: Sequence[Load], count: int, seconds: float, cores: Cores
) -> Iterator[Sample]:
    """`count` rounds, after a short one that fills pools and caches and is thrown away."""
    for name, running in started.items():
        for load in loads:
            _measure_once(name, running, load, 1.0, cores)
    for number in range(1, count + 1):
        for load in loads:
            for name, running in started.items():
                sample = measure(name, running, load, seconds, cores)
                tell(
                    f"round {number}/{count}  {load.name:<9}  {name:<10}  {sample.rate:>9.1f} {load.unit}"
                    f"  {sum(sample.cpu_us.values()):>9.1f} µs CPU each"
                    + (f"  {sample.errors} ERRORS" if sample.errors else "")
                )
                yield sample


def measure(name: str, running: Running, load: Load, seconds: float, cores: Cores) -> Sample:
    """One load on one product. What others disturbed is done again, a few times, and the quietest try counts.

    Only the noise decides which try counts, never the result. A quiet machine needs one.
    """
    tries: list[Sample] = []
    while len(tries) < TRIES and (not tries or tries[-1].others > NOISE):
        tries.append(_measure_once(name, running, load, seconds, cores))
    return min(tries, key=lambda sample: sample.others)


def _measure_once(name: str, running: Running, load: Load, seconds: float, cores: Cores) -> Sample:
    target = Target(running.port, running.cookie, running.address, running.load_prefix)
    began, busy, spent = time.monotonic(), busy_seconds(cores.product), cpu_seconds(running.programs)
    outcome = load.run(target, seconds, cores.load)
    spent_now, busy_now, ended = cpu_seconds(running.programs), busy_seconds(cores.product), time.monotonic()
    cost = {label: spent_now[label] - before for label, before in spent.items()}
    own, elapsed = sum(cost.values()), ended - began
    if not outcome.done:
        raise RuntimeError(f"{name} answered nothing under {load.name}")
    if dead := [label for label, value in cost.items() if value < 0]:
        raise RuntimeError(f"{', '.join(dead)} of {name} ended under {load.name}")
    return Sample(
        load=load.name,
        product=name,
        rate=outcome.rate,
        p99_ms=outcome.p99_ms,
        cpu_us={label: value / outcome.done * 1e6 for label, value in cost.items()},
        errors=outcome.errors,
        busy=own / elapsed,
        others=max(0.0, busy_now - busy - own) / elapsed,
    )


def tell(line: str) -> None:
    """Progress goes to stderr; stdout holds the results alone."""
    print(line, file=sys.stderr, flush=True)
