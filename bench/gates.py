"""What each gate costs: Portward's own haproxy.cfg again and again, each time without one group of its rules.

    costs = gate_costs(running, stage, rounds=5, seconds=3)     # (GateCost('Gate 5: identity', 4.7), …)

Portward has written the configuration and its maps; here HAProxy runs them alone, and only the access log's reader
runs beside it. Whatever is taken out, the request must still be answered by the upstream.
"""

import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.load import LOADS
from bench.measure import measure, tell
from bench.processes import running
from bench.products import Running, haproxy
from bench.products.command import find
from bench.results import GateCost
from bench.stage import Stage, free_port, wait_for_answer
from portward.host.paths import State

EVERYTHING, NOTHING = WHOLE = ("Everything on", "Bare HAProxy, with its log")
MOMENTS = 4
"""Into so many short measurements a round is cut here."""


@dataclass(frozen=True)
class Line:
    """A line of haproxy.cfg, with the section and the gate that it stands in."""

    text: str
    section: str
    gate: str

    def has(self, *words: str) -> bool:
        return any(word in self.text for word in words)


@dataclass(frozen=True)
class Group:
    """Rules that can be taken out together and leave a configuration that still serves."""

    title: str
    holds: Callable[[Line], bool]


def _rule(section: str, *words: str, but: tuple[str, ...] = ()) -> Callable[[Line], bool]:
    """Lines of some sections that act (an unused acl costs nothing) and hold one of the words."""

    def holds(line: Line) -> bool:
        acts = line.section.startswith(section) and not line.text.strip().startswith(("acl ", "#"))
        return acts and line.has(*words) and not line.has(*but)

    return holds


def _identity(line: Line) -> bool:
    verdicts = ("refuse_no_session", "refuse_wrong_group", "refuse_second_factor")
    rules = line.gate.startswith("gate 5") and line.has("http-request") and not line.has("track-sc", "str(rate)")
    return line.section == "frontend https" and (rules or line.has(*verdicts))


SECTIONS = ("global", "defaults", "ring ", "backend ", "frontend ", "listen ", "peers ")
FRONTEND, SERVICES = "frontend https", "backend services"
BANS = "Gate 2: bans and networks"
LIMITS = "Gates 2 to 5: limits"
GROUPS = (
    Group(BANS, _rule(FRONTEND, " denied", " dropped", "ban_known", "refuse_banned", "abroad", "refuse_country")),
    Group(LIMITS, _rule(FRONTEND, "track-sc", "sc_", "sc-inc", "crowded", "refuse_rate", "bounded")),
    Group("Gate 4: request", _rule(FRONTEND, "refuse_malformed", "refuse_method", "refuse_misdirected")),
    Group("Gate 5: identity", _identity),
    Group("Gate 6: service", _rule(SERVICES, "http-request", but=("set-timeout", "set-path"))),
    Group("Answer: HSTS, foreign cookies", _rule("", "http-after-response", "http-response")),
    Group("Access log", _rule("global", "log ring@access")),
)


def lines_of(config: str) -> Iterator[Line]:
    """Every line with its place: a section begins with its keyword, a gate with a comment `# ---- gate …`."""
    section = gate = ""
    for text in config.splitlines():
        if text.startswith(SECTIONS):
            section, gate = text.strip(), ""
        if text.strip().startswith("# ---- "):
            gate = text.strip("# -")
        yield Line(text, section, gate)


def without(config: str, group: Group) -> str:
    """The configuration less the rules of one group.

    Raises LookupError when there are none: then the configuration has changed, and the group must follow.
    """
    lines = list(lines_of(config))
    left = [line.text for line in lines if not group.holds(line)]
    if len(left) == len(lines):
        raise LookupError(f"no line of haproxy.cfg belongs to “{group.title}”")
    return "\n".join(left) + "\n"


def gate_costs(portward: Running, stage: Stage, rounds: int, seconds: float) -> tuple[GateCost, ...]:
    """CPU microseconds a request of HAProxy and the log's reader.

    What others do on the machine can only make a measurement dearer, never cheaper, and a gate costs less than that
    noise: so all variants run side by side, each is asked for a moment again and again in turn, and its cheapest moment
    counts, not the median.
    """
    config = portward.edge_config.read_text()
    variants = {EVERYTHING: config} | {group.title: without(config, group) for group in GROUPS}
    spent: dict[str, list[float]] = {title: [] for title in (*variants, NOTHING)}
    with ExitStack() as stack:
        alone = {
            title: stack.enter_context(serving(text, portward, stage, f"gates-{number}"))
            for number, (title, text) in enumerate(variants.items())
        }
        alone[NOTHING] = stack.enter_context(haproxy.start(stage, "gates-bare"))
        for number in range(1, rounds * MOMENTS + 1):
            for title, edge in alone.items():
                sample = measure(title, edge, LOADS["http1"], max(1.0, seconds / MOMENTS), stage.cores)
                spent[title].append(sum(sample.cpu_us.values()))
            tell(f"gates {number}/{rounds * MOMENTS}  {spent[EVERYTHING][-1]:>6.1f} µs with everything on")
    return costs(spent)


def costs(spent: Mapping[str, Sequence[float]]) -> tuple[GateCost, ...]:
    """Each group's cost: what everything costs, less what it costs without the group. Then the wholes."""
    least = {title: min(rounds) for title, rounds in spent.items()}
    groups = [GateCost(title, least[EVERYTHING] - rest) for title, rest in least.items() if title not in WHOLE]
    return (*groups, *(GateCost(title, least[title]) for title in WHOLE))


@contextmanager
def serving(config: str, portward: Running, stage: Stage, name: str) -> Iterator[Running]:
    """HAProxy with its own port and sockets, and the maps of the running Portward."""
    place = stage.place(name)
    state, port = State(place / "state"), free_port()
    state.prepare()
    path = place / "haproxy.cfg"
    path.write_text(_moved(config, portward, state, port))
    recorder = [sys.executable, "-m", "portward.watch.recorder", str(state.directory)]
    core = stage.cores.product
    with (
        running(recorder, core=core, log=place / "recorder.output") as log_reader,
        _listening(state.events_socket),
        running([find("haproxy"), "-f", str(path)], core=core, log=place / "output") as edge,
    ):
        wait_for_answer(edge, port, portward.authority, portward.cookie)
        yield Running(port, {"edge": edge, "log reader": log_reader}, portward.authority, portward.cookie)


@contextmanager
def _listening(path: Path) -> Iterator[None]:
    """Stands in for the keeper, which takes the refusals: HAProxy would try to connect without a pause."""
    with socket.socket(socket.AF_UNIX) as listener:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen()
        yield


def _moved(config: str, portward: Running, state: State, port: int) -> str:
    """The same rules at another port, and with sockets of their own; HTTP is left away."""
    own_run = f"{portward.edge_config.parent.parent}/run/"
    return (
        "\n".join(line.text for line in lines_of(config) if line.section != "frontend http")
        .replace(f":{portward.port} ", f":{port} ")
        .replace(own_run, f"{state.run}/")
        + "\n"
    )
