"""docs/bench.md and its chart: what was measured, how, and how to do it again.

write(results, Path("docs"))
"""

from pathlib import Path

from bench import chart
from bench.measure import tell
from bench.report import tables
from bench.results import Results

TEXT = """\
# Benchmark

![The same work through Portward and its peers](bench.svg)

This page is written by `scripts/bench --docs`; nothing in it is edited by hand. Measured {when} on {cores} cores,
{memory} of memory, {kernel}, {system}, with {versions}.

## How it is measured

- **One core each.** A product, with all its programs, has one core. The load generator, the upstream (nginx, answering
  from memory) and the auth service (the same nginx: `return 200`) have the other. Everything goes over loopback.
- **The same work.** One ECDSA P-256 certificate of the same kind, TLS 1.3, AES-128-GCM, X25519. No TLS session is
  resumed. Connections to upstream and auth service stay open. Every request carries a session cookie.
- **Everybody logs every request** in the best way that the product offers: HAProxy and Portward from a ring to
  Portward's recorder, nginx with `buffer=64k flush=1s`, Traefik with `bufferingSize`, Caddy to its file. Logs lie in
  memory.
- **Portward has every gate on**, with 100,000 sessions in its map, 100,000 banned addresses and 500,000 networks.
  Limits are raised out of the way, but counted. The peers ask an auth service that says yes to everybody at once: a
  real one costs more.
- **Rounds are interleaved**: everybody once, then everybody again; {rounds} rounds of {seconds:.0f} s; the tables show
  medians.
- **Noise.** A measurement during which others used more than 5 % of the product's core is done again, at most twice;
  the quietest of the tries counts, whatever its result.
- **CPU time** is what /proc says of all programs of a product together, for each request, handshake or download. It is
  steadier than requests per second where a machine is shared, and where the load generator is the slower side: a
  client's handshake costs about as much as a server's, so one core of clients can't quite fill one core of server.
- p99 comes from wrk (HTTP/1.1: 32 connections; downloads: 4, time of a whole download) and h2load (HTTP/2: 16
  connections with 8 streams each). Both send the next request when the answer has come, so p99 under full load tells
  of queueing, not of an idle server.

## What came out

{tables}
## Again

    scripts/bench                  # 5 rounds of 4 s: about {minutes:.0f} minutes
    scripts/bench --quick          # one round of 1 s, to see that it works
    scripts/bench --only haproxy,portward --loads http1 --rounds 9
    scripts/bench --docs           # writes this page and the chart

It needs two cores, and leaves nothing running.
"""


def write(results: Results, directory: Path) -> None:
    drawing = directory / "bench.svg"
    drawing.write_text(chart.svg(results))
    try:
        chart.write_png(drawing, directory / "bench.png")
    except FileNotFoundError as error:
        tell(f"no bench.png: {error}")
    (directory / "bench.md").write_text(text(results))


def text(results: Results) -> str:
    measurements = results.rounds * sum(len(figures) for figures in results.figures.values())
    versions = dict.fromkeys(
        f"{entry.title.split()[0].rstrip(',')} {entry.version}" for entry in results.products.values()
    )
    return TEXT.format(
        when=results.measured_at[:10],
        **{key: results.machine[key] for key in ("cores", "memory", "kernel", "system")},
        versions=", ".join(versions),
        rounds=results.rounds,
        seconds=results.seconds,
        tables=tables(results),
        minutes=measurements * (results.seconds + 0.5) / 60 + 1,
    )
