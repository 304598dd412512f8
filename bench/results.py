"""Everything that one run found out, as one value: it becomes results/latest.json, the tables and the chart.

results = Results.read(Path("bench/results/latest.json"))
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure


@dataclass(frozen=True)
class Entry:
    """A product as the tables name it, with its memory by program: at rest, and after the load."""

    title: str
    version: str
    guarded: bool
    rest_mb: Mapping[str, float]
    after_mb: Mapping[str, float]


@dataclass(frozen=True)
class GateCost:
    """CPU microseconds that a request costs with everything on, less those without this gate."""

    gate: str
    cpu_us: float


@dataclass(frozen=True)
class Results:
    measured_at: str
    rounds: int
    seconds: float
    machine: Mapping[str, str]
    products: Mapping[str, Entry]
    figures: Mapping[str, Mapping[str, Figure]]
    gates: tuple[GateCost, ...] = ()

    def text(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.text())

    @classmethod
    def read(cls, path: Path) -> "Results":
        return cls.of(json.loads(path.read_text()))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Results":
        """The inverse of `text`."""
        return cls(
            **{
                **values,
                "products": {name: Entry(**entry) for name, entry in values["products"].items()},
                "figures": {
                    load: {name: Figure(**figure) for name, figure in products.items()}
                    for load, products in values["figures"].items()
                },
                "gates": tuple(GateCost(**gate) for gate in values["gates"]),
            }
        )
