"""How fast lines of a log are judged: written at once into the file that Portward watches, then fail2ban.

speeds = judging(place, network, lines=100_000)         # {"Portward": 61000.0, "fail2ban": 5200.0, …}

Three lines of ten tell of a failure. Each address fails four times, once less than it takes, so that nobody is banned
and only judging is measured. The rest is what else sshd and others write there.
"""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from tests.lives.network import Network

from bench.defence.fail2ban import Fail2ban
from bench.defence.reaction import SETTINGS, TRIES
from bench.defence.subject import Subject, gateway
from bench.measure import tell

PATIENCE = 240.0
OURS, PEER, REGEX = "Portward, running", "fail2ban, running", "fail2ban-regex, file alone"


def judging(place: Path, network: Network, count: int) -> Mapping[str, float]:
    """Lines a second, by who judged them."""
    ours, theirs = network.host("45.90.2.1"), network.host("45.90.2.2")
    failures = sum("Failed" in line for line in log_lines(count))
    text = "".join(log_lines(count))
    found = {}
    log = place / "ours.log"
    log.touch()
    with gateway(place, ours, SETTINGS.format(log=log), core=0) as subject:
        subject.wait_for_log(log)
        found[OURS] = count / _time(log, text, lambda: seen(subject) >= failures)
    log = place / "theirs.log"
    log.touch()
    (place / "peer").mkdir()
    peer = Fail2ban(place / "peer", theirs)
    with peer.watching(log, tries=5, core=0):
        found[PEER] = count / _time(log, text, lambda: peer.failures() >= failures)
    began = time.monotonic()
    subprocess.run(
        ("taskset", "--cpu-list", "0", "fail2ban-regex", str(log), "sshd"),
        capture_output=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    found[REGEX] = count / (time.monotonic() - began)
    for name, speed in found.items():
        tell(f"{name}: {speed:,.0f} lines/s")
    return found


def seen(subject: Subject) -> int:
    """Signs that the detector of sshd's lines has counted."""
    detectors = subject.get("/defence")["detectors"]
    return int(next(one["seen"] for one in detectors if one["detector"] == "host-ssh"))


def log_lines(count: int) -> Iterator[str]:
    now = f"{datetime.now(UTC):%b %d %H:%M:%S}"
    for number in range(count):
        failure = number // 10 * 3 + (number % 10 > 2) + (number % 10 > 6)
        address, pid = IPv4Address("91.128.0.0") + failure // (TRIES - 1), 4000 + number % 60000
        match number % 10:
            case 0 | 3 | 7:
                said = f"sshd[{pid}]: Failed password for invalid user admin from {address} port 40022 ssh2"
            case 1 | 4 | 8:
                said = f"sshd[{pid}]: Connection closed by {address} port 40022"
            case 2:
                said = f"sshd[{pid}]: Accepted publickey for ann from 10.1.2.3 port 22 ssh2: ED25519 SHA256:{pid:043}"
            case 5:
                said = f"sshd[{pid}]: pam_unix(sshd:session): session opened for user ann(uid=1000) by (uid=0)"
            case 6:
                said = f"CRON[{pid}]: pam_unix(cron:session): session closed for user root"
            case _:
                said = f"sudo: ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/usr/bin/id {pid}"
        yield f"{now} gate {said}\n"


def _time(log: Path, text: str, done: Callable[[], bool]) -> float:
    began = time.monotonic()
    with log.open("a") as out:
        out.write(text)
    while not done():
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"not all of {log.name} is judged after {PATIENCE:g} s")
        time.sleep(0.05)
    return time.monotonic() - began
