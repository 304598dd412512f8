"""`python -m bench defence`: how soon somebody is shut out, and what that costs everybody else; beside fail2ban.

main(["--part", "reaction", "--rounds", "40"])

Needs root, for a network of its own.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lives.network import Network

from bench.defence import page
from bench.defence.judging import judging
from bench.defence.loading import importing, starting
from bench.defence.reaction import TRIES, reactions, reactions_when_full
from bench.defence.weight import weigh
from bench.products.command import version_of

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results" / "defence.json"
MEMORY = Path("/dev/shm")  # noqa: S108
FULL = 100_000
MANY = 1_000_000
Options = argparse.Namespace


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in options.part:
        results[name] = {"measured_at": f"{datetime.now(UTC):%Y-%m-%d}", **PARTS[name](options)}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    if missing := set(PARTS) - set(results):
        print(f"not measured yet: {', '.join(sorted(missing))}")
        return 0
    print(page.text(results))
    if options.docs:
        page.write(results, ROOT / "docs")
    return 0


def _reaction(options: Options) -> dict[str, Any]:
    with _ground() as (place, network):
        seconds = reactions(place, network, options.rounds)
    with _ground() as (place, network):
        full = reactions_when_full(place, network, FULL, options.rounds)
    versions = {
        "haproxy": version_of("haproxy", "-v"),
        "nft": version_of("nft", "--version"),
        "fail2ban": version_of("fail2ban-server", "--version"),
    }
    return {"tries": TRIES, "seconds": seconds, "full": {"bans": FULL, "seconds": full}, "versions": versions}


def _judging(options: Options) -> dict[str, Any]:
    with _ground() as (place, network):
        return {"lines": options.lines, "speeds": judging(place, network, options.lines)}


def _weight(options: Options) -> dict[str, Any]:
    with _ground() as (place, network):
        pairs, loaded = weigh(place, network, options.weight_rounds, options.weight_seconds)
    return {
        "rounds": options.weight_rounds,
        "seconds": options.weight_seconds,
        "pairs": {title: page.plain(samples) for title, samples in pairs.items()},
        "loaded": {title: asdict(one) for title, one in loaded.items()},
    }


def _loading(_options: Options) -> dict[str, Any]:
    with _ground() as (place, network):
        return {
            "imported": FULL,
            "import": importing(place / "import", network, FULL),
            "starts": [asdict(starting(place / f"start-{count}", network, count)) for count in (FULL, MANY)],
        }


PARTS: dict[str, Callable[[Options], dict[str, Any]]] = {
    "reaction": _reaction,
    "judging": _judging,
    "loading": _loading,
    "weight": _weight,
}


@contextmanager
def _ground() -> Iterator[tuple[Path, Network]]:
    with tempfile.TemporaryDirectory(prefix="pb-", dir=MEMORY) as place, Network() as network:
        yield Path(place), network


def _parse(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="scripts/bench defence", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--part", choices=list(PARTS), action="append", help="only this; may be given again")
    parser.add_argument("--rounds", type=int, default=40, help="sources that are banned each way (default: 40)")
    parser.add_argument("--lines", type=int, default=100_000, help="lines that are judged (default: 100,000)")
    parser.add_argument("--weight-rounds", type=int, default=10, help="rounds of what full lists cost (default: 10)")
    parser.add_argument("--weight-seconds", type=float, default=2.0, help="length of each load there (default: 2)")
    parser.add_argument("--docs", action="store_true", help="write docs/bench-defence.md too")
    options = parser.parse_args(arguments)
    options.part = options.part or list(PARTS)
    return options
