"""From the last failed attempt to the first packet that is refused: Portward and fail2ban on the very same lines.

samples = reactions(place, network, rounds=40)      # {"Portward, sshd's log": [0.021, …], "fail2ban": [0.203, …], …}

Both watch one file, each on a machine of its own, side by side on one core. A new address fails five times: five lines
of sshd are written, and at both machines somebody knocks from this address once a millisecond until refused. Then as
many wrong passwords are sent to Portward's own login, and bans are asked for at its admin socket.
"""

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from tests.lives.network import Host, Network

from bench.defence.fail2ban import Fail2ban
from bench.defence.probes import Attackers, Probe
from bench.defence.subject import DOMAIN, PORT, Subject, fill, gateway
from bench.measure import tell
from portward.host.paths import State

OURS, OTHERS = "45.90.0.1", "45.90.0.2"
TRIES = 5
PATIENCE = 20.0
LOG, PEER, LOGIN, COMMAND = "Portward, sshd's log", "fail2ban, sshd's log", "Portward's own login", "`portward ban add`"
SETTINGS = """\
[defence]
host-logs = false
[defence.detectors.login]
tries = 5
[defence.detectors.host-ssh]
tries = 5
[[defence.logs]]
name = "sshd"
file = "{log}"
pattern = "sshd"
[services.hello]
upstream = "demo"
"""


def reactions(place: Path, network: Network, rounds: int) -> Mapping[str, Sequence[float]]:
    """Seconds, by what reacted to what."""
    log = place / "auth.log"
    log.touch()
    attackers = Attackers(network)
    found: dict[str, list[float]] = {LOG: [], PEER: [], LOGIN: [], COMMAND: []}
    with ExitStack() as stack:
        ours, theirs = network.host(OURS), network.host(OTHERS)
        doors = (stack.enter_context(_listening(ours)), stack.enter_context(_listening(theirs)))
        (place / "peer").mkdir()
        stack.enter_context(Fail2ban(place / "peer", theirs).watching(log, tries=TRIES, core=0))
        subject = stack.enter_context(gateway(place, ours, SETTINGS.format(log=log), core=0))
        subject.wait_for_log(log)
        for number in range(1, rounds + 1):
            both = _by_log(log, attackers, doors)
            found[LOG].append(both[0])
            found[PEER].append(both[1])
            found[LOGIN].append(_by_login(attackers, subject, doors[0]))
            found[COMMAND].append(by_command(attackers, subject, doors[0]))
            tell(f"reaction {number}/{rounds}  " + "  ".join(f"{one[-1] * 1e3:7.1f} ms" for one in found.values()))
    return found


def reactions_when_full(place: Path, network: Network, bans: int, rounds: int) -> Sequence[float]:
    """Seconds until one more ban is in force, with so many there."""
    fill(State(place / "state"), bans)
    attackers = Attackers(network)
    ours = network.host(OURS)
    with gateway(place, ours, "", core=0) as subject, _listening(ours) as door:
        return [by_command(attackers, subject, door) for _ in range(rounds)]


def by_command(attackers: Attackers, subject: Subject, door: int) -> float:
    """From the moment that a ban is asked for to the first refused packet."""
    source = attackers.next()
    with Probe(attackers.host, source, OURS, door) as probe:
        asked = time.monotonic()
        subject.post("/bans", {"source": source, "reason": "benchmark", "for": "1h"})
        return max(0.0, probe.wait(PATIENCE) - asked)


def lines(source: str, count: int) -> str:
    """As sshd has written them since 2003."""
    now = f"{datetime.now(UTC):%b %d %H:%M:%S}"
    return "".join(
        f"{now} gate sshd[{4000 + number}]: Failed password for root from {source} port {40000 + number} ssh2\n"
        for number in range(count)
    )


def _by_log(log: Path, attackers: Attackers, doors: tuple[int, int]) -> tuple[float, float]:
    source = attackers.next()
    with (
        Probe(attackers.host, source, OURS, doors[0]) as ours,
        Probe(attackers.host, source, OTHERS, doors[1]) as theirs,
        log.open("a") as out,
    ):
        out.write(lines(source, TRIES))
        out.flush()
        written = time.monotonic()
        return ours.wait(PATIENCE) - written, theirs.wait(PATIENCE) - written


def _by_login(attackers: Attackers, subject: Subject, door: int) -> float:
    """The attempts are sent one after the other; the time runs from the answer to the last one, if it still comes.

    Each is for another account, since answers for one account are held back longer and longer.
    """
    source = attackers.next()
    with Probe(attackers.host, source, OURS, door) as probe:
        for number in range(TRIES):
            _fail_to_log_in(attackers.host, source, f"nobody-{source}-{number}", subject)
        answered = time.monotonic()
        return max(0.0, probe.wait(PATIENCE) - answered)


def _fail_to_log_in(host: Host, source: str, name: str, subject: Subject) -> None:
    host_name = f"auth.{DOMAIN}"
    body = urlencode({"username": name, "password": "wrong horse battery"})
    request = (
        f"POST /login HTTP/1.1\r\nHost: {host_name}\r\nOrigin: https://{host_name}\r\nConnection: close\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    context = ssl.create_default_context(cafile=str(subject.state.authority / "root.crt"))
    with host.inside():
        plain = socket.create_connection((OURS, PORT), PATIENCE, source_address=(source, 0))
    with plain, context.wrap_socket(plain, server_hostname=host_name) as secure:
        secure.sendall(request.encode())
        try:
            while secure.recv(65536):
                pass
        except OSError:
            return  # cut together with the ban


@contextmanager
def _listening(host: Host) -> Iterator[int]:
    """A port where connections are taken, so that only the firewall refuses them; knocking there is nobody's sign."""
    with host.inside():
        listener = socket.create_server(("", 0), backlog=1000)

    def take() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    with listener:
        threading.Thread(target=take, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
