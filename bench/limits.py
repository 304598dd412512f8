"""What limits cost a request that is let through: the same gateway with and without them, side by side.

main(["--rounds", "20"])

Each variant is asked for a second, again and again in turn; the cheapest second counts (see gates.py).
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.gates import GROUPS, serving, without
from bench.load import LOADS
from bench.measure import measure
from bench.processes import running
from bench.products import Running
from bench.products.portward import programs_of, wait_for_keeper
from bench.seed import seed
from bench.stage import COOKIE_NAME, Cores, Stage, free_port, open_stage, wait_for_answer
from portward.host.paths import State

MANY = 10_000_000
"""Counted and compared as ever, and only so high that the load generator does not reach it."""
SERVICE = f"""\
limits = {{ requests = {MANY}, burst = {MANY - 1}, connections = {MANY}, new-connections = {MANY - 1}, body = "1GB" }}
allow-from = ["127.0.0.0/8"]
"""
GATEWAY = f"""\
burst = {MANY - 1}
session-burst = {MANY - 1}
session-connections = {MANY}
session-new-connections = {MANY - 1}
body = "1GB"
"""
LIMITS = next(group for group in GROUPS if "limits" in group.title)


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    with tempfile.TemporaryDirectory(prefix="pw") as directory, ExitStack() as stack:
        stage = stack.enter_context(open_stage(Path(directory), Cores(product=0, load=1)))
        usual = stack.enter_context(_gateway(stage, "usual", "", ""))
        config = usual.edge_config.read_text()
        variants = {
            "without any limit": without(config, LIMITS).replace(" peers workers", ""),
            "the usual limits, forgotten by a reload": config.replace(" peers workers", ""),
        }
        subjects = {
            title: stack.enter_context(serving(text, usual, stage, f"limits-{number}"))
            for number, (title, text) in enumerate(variants.items())
        }
        subjects["the usual limits"] = stack.enter_context(serving(config, usual, stage, "limits-usual"))
        whole = stack.enter_context(_gateway(stage, "whole", GATEWAY, SERVICE))
        subjects["every limit, and lists, for the service"] = stack.enter_context(
            serving(whole.edge_config.read_text(), whole, stage, "limits-whole")
        )
        spent: dict[str, list[float]] = {title: [] for title in subjects}
        for _ in range(options.rounds):
            for title, edge in subjects.items():
                spent[title].append(sum(measure(title, edge, LOADS["http1"], 1.0, stage.cores).cpu_us.values()))
    sys.stdout.write(table({title: min(values) for title, values in spent.items()}))
    return 0


def table(least: dict[str, float]) -> str:
    """CPU microseconds a request, and requests for each that the first variant manages."""
    first = next(iter(least.values()))
    rows = (f"| {title} | {cost:.1f} | {first / cost:.3f} |\n" for title, cost in least.items())
    return "| | µs CPU a request | as many requests as the first |\n|---|---:|---:|\n" + "".join(rows)


@contextmanager
def _gateway(stage: Stage, name: str, limits: str, service: str) -> Iterator[Running]:
    place = stage.place(name)
    state, port = State(place / "state"), free_port()
    cookie = f"{COOKIE_NAME}={asyncio.run(seed(state, 100))}"
    config = place / "portward.toml"
    config.write_text(
        f"""\
domain = "portward.localhost"
[listen]
https = ["127.0.0.1:{port}"]
http = ["127.0.0.1:{free_port()}"]
[tls]
minimum = "1.3"
[limits]
connections = {MANY}
new-connections = {MANY}
requests = {MANY}
session-requests = {MANY}
{limits}
[services.bench]
upstream = "http://127.0.0.1:{stage.upstream_port}"
{service}
"""
    )
    command = [sys.executable, "-m", "portward.supervisor", "--config", str(config), "--state", str(state.directory)]
    with running(command, core=stage.cores.product, log=place / "output") as supervisor:
        authority = state.authority / "root.crt"
        wait_for_answer(supervisor, port, authority, cookie, timeout=60)
        wait_for_keeper(state, supervisor)
        yield Running(port, programs_of(state, supervisor), authority, cookie, state.haproxy_cfg)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench limits", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=20, help="seconds that each variant is asked for (default: 20)")
    return parser.parse_args(arguments)
