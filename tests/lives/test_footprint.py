"""The whole set-up at rest: how much memory, how soon it is ready, and what it leaves behind."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import psutil
from tests.lives.conftest import MakeGateway
from tests.lives.gateway import Gateway
from tests.lives.places import short_directory
from tests.lives.processes import survivors
from tests.lives.upstream import Upstream

PROMISED = 150e6
"""Resident bytes of all programs, shared pages counted for each."""
MOST_MEMORY = 130e6
"""The same with shared pages counted once."""


def test_it_is_ready_soon_and_small_at_its_first_start_and_at_the_next(make_gateway: MakeGateway) -> None:
    started = time.monotonic()
    gateway = make_gateway({"hello": {"upstream": "demo"}})
    figures = [(time.monotonic() - started, _memory(gateway.pids.supervisor))]
    link = gateway.out.wait_for_line(r"https://auth\S+/enrol\S+")[0]
    gateway.stop()
    started = time.monotonic()
    gateway.start()
    figures.append((time.monotonic() - started, _memory(gateway.pids.supervisor)))
    for seconds, memory in figures:
        resident, shared = (sum(kind) for kind in zip(*memory.values(), strict=True))
        print(f"ready after {seconds:.1f} s, {resident / 1e6:.0f} MB, {shared / 1e6:.0f} MB {memory}")
        assert seconds < 10
        assert resident < PROMISED, memory
        assert shared < MOST_MEMORY, memory
    assert gateway.out.wait_for_line(r"https://auth\S+/enrol\S+")[0] != link


def _memory(supervisor: int) -> dict[str, tuple[int, int]]:
    """Resident bytes by program, and the same with a page that several share counted once among them (PSS).

    How much of a library's file is resident depends on the system's page cache, by megabytes from one clone to another.
    """
    family = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    told = {f"{_name(process)} {process.pid}": process.memory_full_info() for process in family}
    return {name: (memory.rss, memory.pss) for name, memory in told.items()}


def _name(process: psutil.Process) -> str:
    found = re.search(r"haproxy|portward\.\w+(\.\w+)?", " ".join(process.cmdline()))
    assert found, process.cmdline()
    return found[0]


def test_ctrl_c_in_a_terminal_leaves_no_process_and_no_socket(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"hello": {"upstream": "demo"}})
    gateway.stop()
    portward = str(Path(sys.executable).with_name("portward"))
    gateway.start(portward, "up", "--config", str(gateway.config), "--state", str(gateway.state))
    os.killpg(gateway.process.pid, signal.SIGINT)
    gateway.stop()


def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing_either(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"hello": {"upstream": "demo"}})
    gateway.stop()
    gateway.launch()
    gateway.out.wait_for_line("the certificate authority is ready")
    gateway.stop()


def test_a_port_that_is_taken_at_the_first_start_is_a_clear_error(upstream: Upstream) -> None:
    with short_directory() as directory:
        gateway = Gateway(directory, {"hello": {"upstream": "demo"}}, listen={"http": [f"127.0.0.1:{upstream.port}"]})
        gateway.launch()
        assert gateway.process.wait(30) == 7
        gateway.err.close()
        gateway.out.close()
        assert f"port {upstream.port}: another program listens there" in gateway.err.text
        assert survivors(gateway.mark) == []
