"""The tables, in Markdown: the same text goes to the terminal and into docs/bench.md.

print(tables(results))
"""

from collections.abc import Iterable, Sequence

from bench.figures import Figure, ratios
from bench.load import LOADS
from bench.measure import NOISE
from bench.results import Results

SUBJECT = "portward"
BASELINE = "haproxy"


_NO_GATE_IS_FREE = (
    "No gate costs less than nothing: a row below zero says that the noise was larger than what was to be measured, "
    "so no row of this table can be relied on."
)


def tables(results: Results) -> str:
    parts = [
        *(_load(results, load) for load in results.figures),
        _ratios(results),
        _programs(results),
        _memory(results),
        _gates(results),
    ]
    return "\n".join(part for part in parts if part)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table with even columns: text left in the first, figures right in the others."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        first = cells[0].ljust(widths[0])
        others = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        return f"| {' | '.join((first, *others))} |"

    return "\n".join(line(cells) for cells in (lines[0], rule, *lines[1:])) + "\n"


def _load(results: Results, load: str) -> str:
    figures = results.figures[load]
    base = figures.get(BASELINE)
    header = (
        *(sentence(LOADS[load].title), LOADS[load].unit, "of bare HAProxy", "p99 ms"),
        *("CPU µs each", "CPU, bare HAProxy = 1", "errors"),
    )
    rows = [
        (
            results.products[name].title,
            number(figure.rate),
            f"{figure.rate / base.rate:.2f}" if base else "–",
            "–" if figure.p99_ms is None else f"{figure.p99_ms:.1f}",
            number(figure.cpu_us),
            f"{figure.cpu_us / base.cpu_us:.2f}" if base else "–",
            str(figure.errors),
        )
        for name, figure in figures.items()
    ]
    return table(header, rows) + _remarks(figures.values())


def _remarks(figures: Iterable[Figure]) -> str:
    figures = list(figures)
    noise, idle = max(figure.others for figure in figures), min(figure.busy for figure in figures)
    remarks = []
    if idle < 0.9:
        remarks.append(f"Not everybody had a full core to do (the least busy: {idle:.0%}); CPU time tells more there.")
    if noise > NOISE:
        remarks.append(f"Others used up to {noise:.0%} of the products' core in this run.")
    return "".join(f"\n{remark}\n" for remark in remarks)


def _ratios(results: Results) -> str:
    by_load = {load: {ratio.baseline: ratio for ratio in ratios(f, SUBJECT)} for load, f in results.figures.items()}
    if not any(by_load.values()):
        return ""
    rows = [
        (
            entry.title,
            *(
                f"{found[name].rate:.2f} ({found[name].cpu:.2f})" if name in found else "–"
                for found in by_load.values()
            ),
        )
        for name, entry in results.products.items()
        if name != SUBJECT
    ]
    header = ("Portward does … times what this does, by the clock (by CPU time)", *by_load)
    return table(header, rows)


def _programs(results: Results) -> str:
    """Who spends Portward's CPU time: the edge, or Python."""
    own = {load: figures[SUBJECT] for load, figures in results.figures.items() if SUBJECT in figures}
    if not own:
        return ""
    programs = next(iter(own.values())).cpu_us_of
    rows = [(program, *(f"{figure.cpu_us_of[program]:.2f}" for figure in own.values())) for program in programs]
    return table(("Portward's programs, CPU µs each", *own), rows)


def _memory(results: Results) -> str:
    rows = [
        (
            entry.title,
            f"{sum(entry.rest_mb.values()):.0f}",
            f"{sum(entry.after_mb.values()):.0f}",
            ", ".join(f"{program} {size:.0f}" for program, size in entry.after_mb.items()),
        )
        for entry in results.products.values()
    ]
    return table(("Memory, RSS of the whole stack in MB", "at rest", "after the load", "of which"), rows)


def _gates(results: Results) -> str:
    rows = [(gate.gate, f"{gate.cpu_us:.1f}") for gate in results.gates]
    if not rows:
        return ""
    doubt = f"\n{_NO_GATE_IS_FREE}\n" if any(gate.cpu_us < 0 for gate in results.gates) else ""
    return table(("Gate", "CPU µs for each request"), rows) + doubt


def sentence(text: str) -> str:
    """The first letter as a capital, and the others as they are."""
    return text[0].upper() + text[1:]


def number(value: float) -> str:
    """Three significant digits, thousands grouped: 49,900 · 362 · 16.9."""
    if value >= 1000:
        return f"{round(value, -2 if value >= 10_000 else -1):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
