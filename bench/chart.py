"""The chart: one SVG that looks right in light and dark, written by hand, and a PNG of it made by Chromium.

Path("docs/bench.svg").write_text(svg(results))
"""

import subprocess
import tempfile
from pathlib import Path
from xml.sax.saxutils import escape

from bench.load import LOADS
from bench.products.command import find
from bench.report import SUBJECT, number, sentence
from bench.results import Entry, Results

WIDTH, MARGIN, GAP = 900, 32, 40
PANEL = (WIDTH - 2 * MARGIN - GAP) // 2
ROW, BAR, LABEL, VALUE = 28, 16, 142, 58
TOP, HEAD, BETWEEN, FOOT = 96, 40, 36, 48

STYLE = """
  svg { --paper: #ffffff; --ink: #1b1f24; --soft: #59636e; --bar: #9aa4b0; --bare: #d3d9e0; --own: #0f766e; }
  @media (prefers-color-scheme: dark) {
    svg { --paper: #0f1419; --ink: #e6eaef; --soft: #9aa5b1; --bar: #6b7683; --bare: #38414b; --own: #2dd4bf; }
  }
  text { font: 13px system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; fill: var(--ink); }
  .title { font-size: 20px; font-weight: 600; }
  .head { font-size: 14px; font-weight: 600; }
  .soft { fill: var(--soft); font-size: 12px; }
  .subject { fill: var(--own); font-weight: 600; }
  .value { font-variant-numeric: tabular-nums; }
  .bar { fill: var(--bar); }
  .bar.bare { fill: var(--bare); }
  .bar.own { fill: var(--own); }
"""


def svg(results: Results) -> str:
    """Four panels of bars; the longer the better. Bare proxies, which check no login, are drawn lighter."""
    rows = max(len(figures) for figures in results.figures.values())
    panel_height = HEAD + rows * ROW
    lines = (len(results.figures) + 1) // 2
    height = TOP + lines * panel_height + (lines - 1) * BETWEEN + FOOT
    panels = [
        _panel(results, load, MARGIN + place % 2 * (PANEL + GAP), TOP + place // 2 * (panel_height + BETWEEN))
        for place, load in enumerate(results.figures)
    ]
    machine = results.machine
    foot = (
        f"Medians of {results.rounds} interleaved rounds · one core each · TLS 1.3, access log on · {machine['kernel']}"
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            ' role="img" aria-labelledby="title">',
            '<title id="title">Portward and its peers: the same work on one core</title>',
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="12" style="fill: var(--paper)"/>',
            f'<text class="title" x="{MARGIN}" y="46">The same work on one core, longer is better</text>',
            *_legend(results),
            *panels,
            f'<text class="soft" x="{MARGIN}" y="{height - 20}">{escape(foot)}</text>',
            "</svg>\n",
        )
    )


def _legend(results: Results) -> list[str]:
    keys = [("bare", "no login"), ("", "login checked by an auth service that always says yes")]
    if SUBJECT in results.products:
        keys.append(("own", "Portward, every gate on"))
    x, parts = float(MARGIN), []
    for kind, text in keys:
        parts.append(f'<rect class="bar {kind}" x="{x}" y="62" width="12" height="12" rx="3"/>')
        parts.append(f'<text class="soft" x="{x + 18}" y="72">{text}</text>')
        x += 18 + 6.4 * len(text) + 22
    return parts


def _panel(results: Results, load: str, x: float, y: float) -> str:
    figures = results.figures[load]
    longest = max(figure.rate for figure in figures.values())
    room = PANEL - LABEL - VALUE
    parts = [
        f'<text class="head" x="{x}" y="{y + 12}">{escape(sentence(LOADS[load].title))}</text>',
        f'<text class="soft" x="{x}" y="{y + 29}">{escape(LOADS[load].unit)}</text>',
    ]
    for row, (name, figure) in enumerate(figures.items()):
        middle = y + HEAD + row * ROW + ROW / 2
        length = max(2.0, figure.rate / longest * room)
        parts.append(_bar(results.products[name], name, figure.rate, length, x, middle))
    return "\n".join(parts)


def _bar(entry: Entry, name: str, rate: float, length: float, x: float, middle: float) -> str:
    kind = "own" if name == SUBJECT else "" if entry.guarded else "bare"
    mark, base, top, left = " subject" if name == SUBJECT else "", middle + 4.5, middle - BAR / 2, x + LABEL
    return "\n".join(
        (
            f'<text class="label{mark}" x="{x}" y="{base}">{escape(entry.title)}</text>',
            f'<rect class="bar {kind}" x="{left}" y="{top}" width="{length:.1f}" height="{BAR}" rx="4"/>',
            f'<text class="value{mark}" x="{left + length + 8:.1f}" y="{base}">{number(rate)}</text>',
        )
    )


def write_png(drawing: Path, picture: Path) -> None:
    """Photograph the SVG at twice its size with headless Chromium.

    Raises FileNotFoundError without Chromium, CalledProcessError when it fails.
    """
    width, height = _size(drawing.read_text())
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                *(find("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                *(f"--user-data-dir={profile}", "--force-device-scale-factor=2", f"--window-size={width},{height}"),
                *(
                    "--default-background-color=00000000",
                    f"--screenshot={picture.resolve()}",
                    drawing.resolve().as_uri(),
                ),
            ],
            check=True,
            capture_output=True,
            timeout=60,
        )


def _size(text: str) -> tuple[int, int]:
    _, _, box = text.partition('viewBox="0 0 ')
    width, height = box.split('"')[0].split()
    return int(width), int(height)
