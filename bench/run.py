"""The command line: choose, start, measure, write down.

main(["--rounds", "1", "--seconds", "1", "--only", "haproxy,nginx"])
"""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import document, machine, report
from bench.figures import summarize
from bench.gates import gate_costs
from bench.load import LOADS
from bench.measure import rounds, start_all, tell
from bench.processes import resident_mb
from bench.products import PRODUCTS, Product
from bench.report import SUBJECT
from bench.results import Entry, GateCost, Results
from bench.stage import Cores, open_stage

ROOT = Path(__file__).parents[1]
LATEST = ROOT / "bench" / "results" / "latest.json"
MEMORY = Path("/dev/shm")  # noqa: S108
"""Everything that is written during the run goes to memory, so that no disk is measured."""


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack below is unwound
    results = measure(options)
    results.write(LATEST)
    for directory in (LATEST.parent, *([ROOT / "docs"] if options.docs else [])):
        document.write(results, directory)
    print(results.text() if options.json else report.tables(results))
    return 0


def measure(options: argparse.Namespace) -> Results:
    """Start everything, let it rest, load it, stop it."""
    products = [product for product in PRODUCTS if product.name in options.only]
    loads = [LOADS[name] for name in options.loads]
    cores = Cores(product=0, load=1)
    with ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pb-", dir=MEMORY)))
        stage = stack.enter_context(open_stage(place, cores))
        started = start_all(products, stage, stack)
        rest = {name: resident_mb(running.programs) for name, running in started.items()}
        samples = list(rounds(started, loads, options.rounds, options.seconds, cores))
        after = {name: resident_mb(running.programs) for name, running in started.items()}
        costs: tuple[GateCost, ...] = ()
        if options.gates and SUBJECT in started:
            costs = gate_costs(started[SUBJECT], stage, options.rounds, options.seconds)
        tell("stopping")

    def entry(product: Product) -> Entry:
        name = product.name
        return Entry(product.title, product.version(), product.guarded, rest[name], after[name])

    return Results(
        measured_at=datetime.now(UTC).isoformat(timespec="minutes"),
        rounds=options.rounds,
        seconds=options.seconds,
        machine=machine.describe(),
        products={product.name: entry(product) for product in products},
        figures=summarize(samples),
        gates=costs,
    )


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    products = [product.name for product in PRODUCTS]
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Run the same work through Portward and its peers, one core each, and compare.",
        epilog="Results go to bench/results (JSON, page, chart as SVG and PNG); with --docs to docs as well.",
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all loads on all products (default: 5)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each measurement (default: 4)")
    parser.add_argument("--quick", action="store_true", help="one round of one second: shows that it works, no more")
    parser.add_argument("--only", type=_names(products), default=products, help=f"of {','.join(products)}")
    parser.add_argument("--loads", type=_names(LOADS), default=list(LOADS), help=f"of {','.join(LOADS)}")
    parser.add_argument("--no-gates", dest="gates", action="store_false", help="leave out what each gate costs")
    parser.add_argument("--json", action="store_true", help="print everything as JSON instead of tables")
    parser.add_argument("--docs", action="store_true", help="write the page and its chart into docs/ too")
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds = 1, 1.0
    return options


def _names(known: Collection[str]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return names

    return read
