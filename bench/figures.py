"""The sums: samples in, medians and ratios out. Nothing here touches a clock or a process.

figures = summarize(samples)
figures["http1"]["portward"].rate / figures["http1"]["haproxy"].rate
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One load on one product in one round."""

    load: str
    product: str
    rate: float
    p99_ms: float | None
    cpu_us: Mapping[str, float]
    """CPU microseconds for each thing done, by program."""
    errors: int
    busy: float
    """Share of the time that the product's core worked for the product."""
    others: float
    """Share of the time that the product's core worked for somebody else: noise."""


@dataclass(frozen=True)
class Figure:
    """The medians of all rounds; errors are added up."""

    rate: float
    p99_ms: float | None
    cpu_us: float
    cpu_us_of: Mapping[str, float] = field(default_factory=dict)
    errors: int = 0
    busy: float = 0.0
    others: float = 0.0


Figures = Mapping[str, Mapping[str, Figure]]
"""By load, then by product."""


def summarize(samples: Iterable[Sample]) -> dict[str, dict[str, Figure]]:
    """Medians by load and product, in the order of their first samples."""
    groups: dict[str, dict[str, list[Sample]]] = {}
    for sample in samples:
        groups.setdefault(sample.load, {}).setdefault(sample.product, []).append(sample)
    return {
        load: {product: _figure(rounds) for product, rounds in products.items()} for load, products in groups.items()
    }


def _figure(rounds: list[Sample]) -> Figure:
    p99s = [sample.p99_ms for sample in rounds if sample.p99_ms is not None]
    programs = rounds[0].cpu_us
    return Figure(
        rate=median(sample.rate for sample in rounds),
        p99_ms=median(p99s) if p99s else None,
        cpu_us=median(sum(sample.cpu_us.values()) for sample in rounds),
        cpu_us_of={name: median(sample.cpu_us[name] for sample in rounds) for name in programs},
        errors=sum(sample.errors for sample in rounds),
        busy=median(sample.busy for sample in rounds),
        others=median(sample.others for sample in rounds),
    )


@dataclass(frozen=True)
class Ratio:
    """How many times `baseline` the subject does: in things done a second, and in things done per CPU second."""

    baseline: str
    rate: float
    cpu: float


def ratios(figures: Mapping[str, Figure], subject: str) -> list[Ratio]:
    """The subject against every other product of one load; empty when it was not measured."""
    own = figures.get(subject)
    if own is None:
        return []
    return [
        Ratio(name, own.rate / other.rate, other.cpu_us / own.cpu_us)
        for name, other in figures.items()
        if name != subject
    ]
