"""The supervisor with real child processes: small programs in the place of ours, and the real HAProxy."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portward.host.paths import State
from portward.host.proc import Identity, members_of_session
from portward.host.processes import find_program
from portward.supervisor.programs import pause_before_restart

KEEPER = """
import os, signal, sys, time
from pathlib import Path
from portward.host.notify import notify, wait_for_delivery
state = Path(sys.argv[1])
print("announce", os.environ.get("PORTWARD_ANNOUNCE", "0"), flush=True)
signal.signal(signal.SIGHUP, lambda *_: print("reloaded", flush=True))
notify(STATUS="certificates are there")
{body}
while True:
    signal.pause()
"""
CONFIGURES = """
notify(X_EDGE="configured")
notify(STATUS="the edge serves", READY=1)
wait_for_delivery()
print("ready", flush=True)
"""
START = """
import asyncio, sys
from pathlib import Path
from portward.errors import PortwardError
from portward.host.paths import State
from portward.supervisor.programs import Program
from portward.supervisor.supervision import supervise
state = State(Path({state!r}))
try:
    sys.exit(asyncio.run(supervise(state, {programs})))
except PortwardError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


class Gate:
    """A supervisor in a process of its own, and what it says."""

    def __init__(self, directory: Path) -> None:
        self.state = State(directory / "state")
        self.state.prepare()
        self.output = directory / "output"
        self.processes: list[subprocess.Popen[bytes]] = []

    def keeper(self, body: str = CONFIGURES) -> str:
        argv = (sys.executable, "-c", KEEPER.format(body=body), str(self.state.directory))
        return f"Program(name='keeper', argv={argv!r}, reports=True, grace=2)"

    def edge(self, *argv: str) -> str:
        return f"Program(name='edge', argv={argv!r}, needs=state.haproxy_cfg, grace=2)"

    def start(self, *programs: str) -> subprocess.Popen[bytes]:
        script = START.format(state=str(self.state.directory), programs=f"[{', '.join(programs)}]")
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", script], stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        self.processes.append(process)
        return process

    def text(self) -> str:
        return self.output.read_text()

    def wait_for_text(self, pattern: str, count: int = 1) -> None:
        self.wait_until(lambda: len(re.findall(pattern, self.text())) >= count)

    def wait_until(self, holds: Callable[[], object], seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self.text()
            time.sleep(0.01)

    def identity(self, program: str) -> Identity:
        found: list[Identity] = []

        def noted() -> bool:
            path = self.state.pid_file(program)
            if path.exists() and (identity := Identity.parse(path.read_text().splitlines()[0])):
                found.append(identity)
            return bool(found)

        self.wait_until(noted)
        return found[0]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for path in self.state.run.glob("*.pid"):
            identity = Identity.parse(path.read_text().splitlines()[0])
            if identity and identity.alive():
                os.kill(identity.pid, signal.SIGKILL)


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path)
    yield gate
    gate.end()


SLEEP = (find_program("sleep"), "600")


def test_the_edge_starts_when_the_keeper_has_configured_it_and_all_stop_without_a_trace(gate: Gate) -> None:
    process = gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    pids = [gate.identity("keeper"), gate.identity("edge")]
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert not any(pid.alive() for pid in pids)
    assert [path.name for path in gate.state.run.iterdir()] == ["lock"]
    assert gate.text() == "announce 1\n  ✓ certificates are there\n  ✓ the edge serves\nready\n"


def test_programs_stop_in_reverse_order(gate: Gate) -> None:
    def tells(name: str) -> tuple[str, ...]:
        return (
            "/bin/sh",
            "-c",
            f"trap 'echo {name} stopped; exit' TERM; echo {name} runs; while :; do sleep 0.05; done",
        )

    process = gate.start(*(f"Program(name={name!r}, argv={tells(name)!r})" for name in ("first", "second")))
    gate.wait_for_text("runs", 2)
    process.terminate()
    process.wait(10)
    assert gate.text().splitlines()[-2:] == ["second stopped", "first stopped"]


def test_a_program_that_dies_is_started_again_at_once_and_announces_itself_only_the_first_time(gate: Gate) -> None:
    gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    edge, keeper = gate.identity("edge"), gate.identity("keeper")
    os.kill(keeper.pid, signal.SIGKILL)
    gate.wait_for_text("ready\n", 2)
    assert "the keeper ended (signal 9); starting it again now" in gate.text()
    assert "announce 0" in gate.text()
    assert gate.text().count("✓ certificates") == 1
    assert edge.alive()
    assert gate.identity("keeper") != keeper


def test_a_keeper_whose_first_start_failed_still_announces_itself_at_the_next(gate: Gate) -> None:
    tried = gate.output.with_name("tried")
    fails_once = f"tried = Path({str(tried)!r})\nif not tried.exists():\n    tried.touch()\n    sys.exit(1)\n"
    gate.start(gate.keeper(fails_once + CONFIGURES), gate.edge(*SLEEP))
    gate.wait_for_text("ready\n")
    assert gate.text().count("announce 1") == 2


def test_pauses_between_restarts_grow_up_to_five_seconds() -> None:
    assert [pause_before_restart(deaths) for deaths in (1, 2, 3, 4, 5, 6, 100)] == [0, 0.5, 1, 2, 4, 5, 5]


def test_the_edge_starts_as_configured_last_when_the_keeper_dies(gate: Gate) -> None:
    gate.state.haproxy_cfg.write_text("")
    gate.start(gate.keeper("sys.exit(9)"), gate.edge(*SLEEP))
    assert gate.identity("edge").alive()
    assert "the edge starts as it was configured last" in gate.text()


def test_the_edge_starts_as_configured_last_when_the_keeper_hangs(gate: Gate) -> None:
    gate.state.haproxy_cfg.write_text("")
    gate.start(gate.keeper(""), gate.edge(*SLEEP))
    assert gate.identity("edge").alive()


@pytest.mark.parametrize(("code", "exit_code", "tries"), [(7, 7, 1), (1, 1, 3)])
def test_a_first_start_that_can_not_succeed_ends_and_says_so(gate: Gate, code: int, exit_code: int, tries: int) -> None:
    process = gate.start(gate.keeper(f"sys.exit({code})"), gate.edge(*SLEEP))
    assert process.wait(15) == exit_code
    assert "the keeper did not start" in gate.text()
    assert gate.text().count("announce") == tries


def test_a_second_supervisor_of_one_state_is_refused_and_told_who_runs(gate: Gate) -> None:
    first = gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    assert gate.start(gate.keeper(), gate.edge(*SLEEP)).wait(10) == 7
    assert f"as process {first.pid}\n  → stop that one first" in gate.text()
    assert gate.identity("edge").alive()


def test_a_hangup_makes_the_keeper_read_its_configuration_again(gate: Gate) -> None:
    process = gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    process.send_signal(signal.SIGHUP)
    gate.wait_for_text("reloaded")


def test_readiness_is_passed_on_to_systemd(gate: Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "systemd"))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "systemd"))
        process = gate.start(gate.keeper(), gate.edge(*SLEEP))
        assert systemd.recv(1000) == b"STATUS=certificates are there"
        assert systemd.recv(1000) == b"READY=1\nSTATUS=the edge serves"
        process.terminate()
        assert systemd.recv(1000) == b"STOPPING=1"


def test_programs_do_not_outlive_a_killed_supervisor(gate: Gate) -> None:
    process = gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    programs = [gate.identity("keeper"), gate.identity("edge")]
    process.kill()
    gate.wait_until(lambda: not any(program.alive() for program in programs), seconds=5)
    gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_for_text("ready\n", 2)


def test_the_next_start_stops_what_was_left_running(gate: Gate) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as left:
        gate.state.pid_file("edge").write_text(f"{Identity.of(left.pid)}\nmark\n")
        gate.state.admin_socket.touch()
        gate.start(gate.keeper(), gate.edge(*SLEEP))
        assert left.wait(10) == -signal.SIGTERM
        gate.wait_for_text(f"left running: {left.pid}")
        gate.wait_for_text("ready")
        assert not gate.state.admin_socket.exists()


def test_the_next_start_stops_orphans_of_a_leader_that_is_gone(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTWARD_LAUNCH", "mark")
    with subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; sleep 600 & wait"], start_new_session=True) as leader:
        gate.wait_until(lambda: len(members_of_session(leader.pid)) == 2)
        orphan = Identity.of(next(pid for pid in members_of_session(leader.pid) if pid != leader.pid))
        gate.state.pid_file("edge").write_text(f"{Identity.of(leader.pid)}\nmark\n")
        leader.kill()
    assert orphan
    assert orphan.alive()
    gate.start(gate.keeper(), gate.edge(*SLEEP))
    gate.wait_until(lambda: not orphan.alive())


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another"}])
def test_a_foreign_process_with_a_noted_number_is_never_touched(gate: Gate, change: dict[str, object]) -> None:
    with subprocess.Popen(SLEEP, start_new_session=True) as foreign:
        identity = Identity.of(foreign.pid)
        assert identity
        noted = {"pid": identity.pid, "started": identity.started, "boot": identity.boot} | change
        gate.state.pid_file("edge").write_text(f"{noted['pid']} {noted['started']} {noted['boot']}\nmark\n")
        gate.start(gate.keeper(), gate.edge(*SLEEP))
        gate.wait_for_text("ready")
        assert foreign.poll() is None
        foreign.kill()


class TestHaproxy:
    """The edge as it is started in earnest, with the smallest configuration that answers."""

    @pytest.fixture
    def port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return int(server.getsockname()[1])

    @pytest.fixture
    def edge(self, gate: Gate, port: int) -> str:
        gate.state.haproxy_cfg.write_text(
            "global\n"
            f"  stats socket {gate.state.edge_socket} mode 600 level admin expose-fd listeners\n"
            "defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 1s\n"
            f"listen a\n  bind 127.0.0.1:{port}\n  http-request return status 200\n"
        )
        master = f"{gate.state.master_socket},mode,600"
        return gate.edge(find_program("haproxy"), "-W", "-S", master, "-f", str(gate.state.haproxy_cfg))

    def answers(self, port: int) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as client:
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return b" 200 " in client.recv(100)
        except OSError:
            return False

    def workers(self, master: Identity) -> list[Identity]:
        found = (Identity.of(pid) for pid in members_of_session(master.pid) if pid != master.pid)
        return [worker for worker in found if worker]

    def start(self, gate: Gate, edge: str, port: int) -> Identity:
        gate.start(gate.keeper(), edge)
        gate.wait_until(lambda: self.answers(port))
        return gate.identity("edge")

    @pytest.mark.parametrize("victim", ["worker", "master"])
    def test_it_is_back_within_a_second_when_it_is_killed(self, gate: Gate, edge: str, port: int, victim: str) -> None:
        master = self.start(gate, edge, port)
        workers = self.workers(master)
        with socket.create_connection(("127.0.0.1", port)):
            os.kill(master.pid if victim == "master" else workers[0].pid, signal.SIGKILL)
            began = time.monotonic()
            gate.wait_until(lambda: not master.alive())
            gate.wait_until(lambda: self.answers(port))
            assert time.monotonic() - began < 1
            gate.wait_until(lambda: not any(worker.alive() for worker in workers))
        assert gate.identity("edge") != master

    def test_a_hung_worker_of_a_killed_master_is_killed_too(self, gate: Gate, edge: str, port: int) -> None:
        master = self.start(gate, edge, port)
        (worker,) = self.workers(master)
        os.kill(worker.pid, signal.SIGSTOP)
        os.kill(master.pid, signal.SIGKILL)
        gate.wait_until(lambda: not worker.alive(), seconds=2)
        gate.wait_until(lambda: self.answers(port), seconds=2)

    def test_no_worker_outlives_a_killed_supervisor_and_the_next_start_serves(
        self, gate: Gate, edge: str, port: int
    ) -> None:
        master = self.start(gate, edge, port)
        programs = [master, *self.workers(master)]
        with socket.create_connection(("127.0.0.1", port)):
            gate.processes[0].kill()
            gate.wait_until(lambda: not any(program.alive() for program in programs), seconds=5)
        assert self.start(gate, edge, port) != master

    def test_it_stops_at_once_with_connections_open_and_leaves_no_socket(
        self, gate: Gate, edge: str, port: int
    ) -> None:
        self.start(gate, edge, port)
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\n")
            gate.processes[0].terminate()
            assert gate.processes[0].wait(2) == 0
        assert [path.name for path in gate.state.run.iterdir()] == ["lock"]

    def test_a_port_that_is_taken_ends_a_first_start(self, gate: Gate, edge: str, port: int) -> None:
        with socket.create_server(("127.0.0.1", port)):
            process = gate.start(gate.keeper('notify(X_EDGE="configured")'), edge)
            assert process.wait(15) == 1
        assert "the edge did not start" in gate.text()


WISHED = """
import os, signal, socket, sys
from pathlib import Path
from portward.host.listeners import discard, lasting
state = Path(sys.argv[1])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
print("wished runs", os.environ.get("PORTWARD_LISTENERS", ""), flush=True)
with lasting(state / "run" / "tunnels" / "blog.sock") as listener:
    print("wished listens", flush=True)
    {body}
    while True:
        connection, _ = listener.accept()
        connection.sendall(b"served")
        connection.close()
"""


def wished(gate: Gate, body: str = "pass") -> str:
    argv = (sys.executable, "-c", WISHED.format(body=body), str(gate.state.directory))
    gate.state.services.mkdir(exist_ok=True)
    options = "wish='X_TUNNELS', shelf=True, grace=2, wanted_by=state.tunnel_rules"
    return f"Program(name='tunnels', argv={argv!r}, {options})"


def ask(gate: Gate) -> bytes:
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.settimeout(10)
        visitor.connect(str(gate.state.service_socket("blog")))
        return visitor.recv(100)


SAYS = (
    CONFIGURES
    + """
signal.signal(signal.SIGHUP, lambda *_: notify(X_TUNNELS=(state / "wish").read_text()))
"""
)


def test_a_program_that_nobody_wants_does_not_run(gate: Gate) -> None:
    process = gate.start(gate.keeper(), wished(gate), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert "wished" not in gate.text()


def test_a_program_runs_as_long_as_the_keeper_wants_it(gate: Gate) -> None:
    process = gate.start(gate.keeper(SAYS), wished(gate), gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    for word, count in (("wanted", 1), ("wanted", 1), ("unwanted", 1), ("wanted", 2)):
        (gate.state.directory / "wish").write_text(word)
        process.send_signal(signal.SIGHUP)
        gate.wait_until(lambda wanted=word == "wanted": gate.state.pid_file("tunnels").exists() is wanted)  # type: ignore[misc]
        gate.wait_for_text("wished listens", count)
        gate.wait_until(lambda wanted=word == "wanted": gate.state.service_socket("blog").exists() is wanted)  # type: ignore[misc]
    assert gate.text().count("wished runs") == 2
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    assert not (gate.state.service_socket("blog")).exists()


def test_whoever_connects_while_a_program_restarts_waits_in_line_for_its_next_life(gate: Gate) -> None:
    gate.start(gate.keeper(CONFIGURES + 'notify(X_TUNNELS="wanted")'), wished(gate), gate.edge(*SLEEP))
    gate.wait_for_text("wished listens")
    assert ask(gate) == b"served"
    for life in range(2, 5):
        process = gate.identity("tunnels")
        os.kill(process.pid, signal.SIGKILL)
        gate.wait_until(lambda process=process: not process.alive())  # type: ignore[misc]
        assert ask(gate) == b"served"
        gate.wait_for_text("wished listens", life)
    gate.wait_for_text(r"wished runs blog\.sock=\d+\n", 3)


def test_a_socket_that_was_discarded_is_gone_for_the_next_life_too(gate: Gate) -> None:
    body = """
    if "blog" in os.environ.get("PORTWARD_LISTENERS", ""):
        discard(state / "run" / "tunnels" / "blog.sock")
        print("gone", (state / "run" / "tunnels" / "blog.sock").exists(), flush=True)
        signal.pause()
    """
    gate.start(gate.keeper(CONFIGURES + 'notify(X_TUNNELS="wanted")'), wished(gate, body.strip()), gate.edge(*SLEEP))
    gate.wait_for_text("wished listens")
    os.kill(gate.identity("tunnels").pid, signal.SIGKILL)
    gate.wait_for_text("gone False")
    os.kill(gate.identity("tunnels").pid, signal.SIGKILL)
    gate.wait_for_text(r"(?s)gone False.*wished runs *\n")


def test_a_wanted_program_that_can_not_run_ends_no_start(gate: Gate) -> None:
    program = "Program(name='tunnels', argv=('/bin/false',), wish='X_TUNNELS')"
    first = 'notify(X_TUNNELS="wanted")\ntime.sleep(1.5)\n'
    process = gate.start(gate.keeper(first + CONFIGURES), program, gate.edge(*SLEEP))
    gate.wait_for_text("ready")
    assert gate.text().count("the tunnels ended") >= 3
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_program_that_was_wanted_runs_again_though_the_keeper_does_not_come_up(gate: Gate) -> None:
    gate.state.haproxy_cfg.write_text("")
    gate.state.tunnel_rules.write_text("{}")
    gate.start("Program(name='keeper', argv=('/bin/false',), reports=True)", wished(gate), gate.edge(*SLEEP))
    gate.wait_for_text("wished listens")
    assert ask(gate) == b"served"
