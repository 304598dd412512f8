"""A golden case: a portward.toml, and the haproxy.cfg and route map that it leads to.

    for case in CASES:
        case.produced()             # {'haproxy.cfg': '…', 'routes.map': '…'}
        case.expected()

After a change that is meant, `python -m tests.golden.case` writes the files anew; read the difference before you
commit it.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.golden.trust import TRUST

from portward.config import Settings
from portward.config.reading import parse
from portward.defense.geo.borders import Borders
from portward.defense.geo.rules import rules_of
from portward.edge.engine import Engine
from portward.edge.plan import Plan, plan
from portward.host.paths import State

NAMES = {"nas.lan": "10.0.0.7"}
"""What the cases' upstream names resolve to."""
ENGINE = Engine("haproxy", (2, 6, 12))
STATE = State(Path("/var/lib/portward"))


@dataclass(frozen=True)
class Case:
    directory: Path

    def planned(self, state: State, engine: Engine, *, looking: bool = False) -> Plan:
        """With `looking`, an authority asks at this moment whether port 443 is ours (tls-alpn-01)."""
        file = self.directory / "portward.toml"
        settings = parse(file.read_text(), file, {})
        if looking:
            tls = settings.tls.model_copy(update={"mode": "acme", "challenge": "tls-alpn-01"})
            settings = settings.model_copy(update={"tls": tls})
        borders = _borders(settings, state)
        return plan(settings, state, engine, addresses=NAMES, trust=TRUST, borders=borders, alpn=looking)

    def produced(self) -> dict[str, str]:
        wanted = self.planned(STATE, ENGINE)
        routes = "".join(f"{key} {value}\n" for key, value in wanted.routes.items())
        return {"haproxy.cfg": wanted.configuration(), "routes.map": routes}

    def expected(self) -> dict[str, str]:
        return {name: (self.directory / name).read_text() for name in ("haproxy.cfg", "routes.map")}

    def write(self) -> None:
        for name, text in self.produced().items():
            (self.directory / name).write_text(text)


def _borders(settings: Settings, state: State) -> Borders | None:
    """As if the data knew two kinds of places: `a`, from where everybody may come, and `b`, which each rule refuses."""
    rules = rules_of(settings)
    return (
        Borders(state.geo / "places.map", elsewhere="a", words={"a": (), "b": tuple(rules)}, counts={})
        if rules
        else None
    )


CASES = [Case(directory) for directory in sorted((Path(__file__).parent / "cases").iterdir())]

if __name__ == "__main__":
    for case in CASES:
        case.write()
