"""The recorder as a program, with a socket in the place of HAProxy's ring, and with the real HAProxy."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from portward.host.paths import State
from portward.host.processes import find_program
from portward.watch.recorder import as_json, next_pause
from portward.watch.retention import Retention

LINE = b'{"t":"2026-01-31T23:59:59.123Z","host":"hello.example.com","path":"/","status":200}\n'


class Recording:
    """A recorder, started on demand, and its log."""

    def __init__(self, directory: Path) -> None:
        self.state = State(directory / "state")
        self.state.prepare()
        self.errors = directory / "errors"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.state.access_socket.unlink(missing_ok=True)
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "portward.watch.recorder", str(self.state.directory)], stderr=errors
            )
        self.wait_until(self.state.access_socket.exists)

    def stop(self) -> None:
        assert self.process
        self.process.terminate()
        assert self.process.wait(10) == 0

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def connect(self) -> socket.socket:
        sender = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10
        while True:
            try:
                sender.connect(str(self.state.access_socket))
            except ConnectionRefusedError:  # bound, and about to listen
                assert time.monotonic() < deadline
            else:
                return sender

    def log(self) -> bytes:
        return self.state.access_log.read_bytes() if self.state.access_log.exists() else b""

    def wait_until(self, holds: Callable[[], object], seconds: float = 10) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, (len(self.log()), self.errors.read_text())
            time.sleep(0.01)


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    recording = Recording(tmp_path)
    yield recording
    recording.kill()


def test_lines_are_written_at_once_however_they_are_cut_in_pieces(recording: Recording) -> None:
    recording.start()
    with recording.connect() as ring:
        ring.sendall(LINE + LINE[:20])
        recording.wait_until(lambda: recording.log() == LINE)
        ring.sendall(LINE[20:])
        recording.wait_until(lambda: recording.log() == LINE * 2)


def test_lines_of_several_connections_are_never_mixed(recording: Recording) -> None:
    recording.start()
    with recording.connect() as old, recording.connect() as new:
        for _ in range(1000):
            old.sendall(LINE[:30])
            new.sendall(LINE[:40])
            old.sendall(LINE[30:])
            new.sendall(LINE[40:])
        recording.wait_until(lambda: recording.log() == LINE * 2000)


def test_what_was_sent_before_a_stop_is_written(recording: Recording) -> None:
    recording.start()
    with recording.connect() as ring:
        ring.sendall(LINE * 1000)
        recording.stop()
    assert recording.log() == LINE * 1000


def test_half_a_line_of_a_killed_sender_is_dropped(recording: Recording) -> None:
    recording.start()
    with recording.connect() as ring:
        ring.sendall(LINE + LINE[:20])
    with recording.connect() as ring:
        ring.sendall(LINE)
        recording.wait_until(lambda: recording.log() == LINE * 2)


def test_a_sender_without_line_ends_is_cut_off_and_the_others_go_on(recording: Recording) -> None:
    recording.start()
    with recording.connect() as mad, recording.connect() as ring:
        mad.settimeout(10)
        with pytest.raises(OSError, match=r"pipe|reset"):
            mad.sendall(b"x" * 10_000_000)
        ring.sendall(LINE)
        recording.wait_until(lambda: recording.log() == LINE)


def test_settings_of_the_keeper_hold(recording: Recording) -> None:
    Retention(0.000001, timedelta(hours=1)).save(recording.state)
    recording.start()
    with recording.connect() as ring:
        ring.sendall(LINE)
        recording.wait_until(lambda: recording.log() == LINE)
        ring.sendall(LINE)
        recording.wait_until(lambda: list(recording.state.log.glob("access-*.log")))


def test_a_log_that_can_not_be_written_does_not_kill_it(recording: Recording) -> None:
    recording.state.access_log.mkdir()
    recording.state.recorder_settings.write_text("nonsense")
    recording.start()
    with recording.connect() as ring:
        ring.sendall(LINE)
        recording.wait_until(lambda: "lines are lost" in recording.errors.read_text())
        recording.state.access_log.rmdir()

        def sent_line_arrives() -> bool:
            ring.sendall(LINE)
            return LINE in recording.log()

        recording.wait_until(sent_line_arrives)
    assert recording.errors.read_text().count("lines are lost") == 1
    assert recording.errors.read_text().count("the settings stay as they are") == 1


def test_an_idle_recorder_does_not_wake_up(recording: Recording) -> None:
    recording.start()
    with recording.connect() as ring:
        ring.sendall(LINE)
        recording.wait_until(lambda: recording.log() == LINE)
        assert recording.process
        status = Path(f"/proc/{recording.process.pid}/status")
        time.sleep(0.2)  # nothing to wait for: we measure that nothing happens

        def switches() -> str:
            return next(line for line in status.read_text().splitlines() if line.startswith("voluntary"))

        before = switches()
        time.sleep(0.5)
        assert switches() == before


def test_pauses_grow_when_little_comes_and_shrink_under_load() -> None:
    assert next_pause(0.02, 100) == 0.04
    assert next_pause(0.05, 0) == 0.05
    assert next_pause(0.02, 50_000) == 0.02
    assert next_pause(0.02, 200_000) == 0.01
    assert next_pause(0.002, 200_000) == 0.002


class TestHaproxy:
    @pytest.fixture
    def port(self) -> int:
        with socket.create_server(("127.0.0.1", 0)) as server:
            return int(server.getsockname()[1])

    @pytest.fixture
    def edge(self, recording: Recording, port: int) -> Iterator[None]:
        recording.state.haproxy_cfg.write_text(
            "ring access\n  format raw\n  maxlen 4096\n  size 1048576\n  timeout connect 2s\n  timeout server 10s\n"
            f"  server l unix@{recording.state.access_socket}\n"
            "defaults\n  mode http\n  timeout client 30s\n  timeout server 30s\n  timeout connect 1s\n"
            f"listen a\n  bind 127.0.0.1:{port}\n  log ring@access len 4096 format raw local0 info\n"
            '  log-format \'{"path":"%HPO"}\'\n  http-request return status 200\n'
        )
        with subprocess.Popen([find_program("haproxy"), "-f", str(recording.state.haproxy_cfg)]) as haproxy:
            yield
            haproxy.terminate()

    def request(self, port: int, path: str) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                return b" 200 " in client.recv(100)
        except OSError:
            return False

    def paths(self, recording: Recording) -> list[str]:
        return [json.loads(line)["path"] for line in recording.log().splitlines()]

    @pytest.mark.usefixtures("edge")
    def test_the_ring_keeps_lines_while_the_recorder_is_away(self, recording: Recording, port: int) -> None:
        recording.start()
        recording.wait_until(lambda: self.request(port, "/first"))
        recording.wait_until(lambda: self.paths(recording) == ["/first"])
        recording.stop()
        assert all(self.request(port, f"/{number}") for number in range(100))
        recording.start()
        wanted = ["/first", *(f"/{number}" for number in range(100))]
        recording.wait_until(lambda: self.paths(recording) == wanted, seconds=20)


def test_lines_of_haproxys_own_and_lines_cut_off_are_wrapped_in_json() -> None:
    ours, cut = b'{"status":200}\n', b'{"status":200,"path":"/aaa\n'
    lines = as_json(ours + b"3 events dropped\n" + cut + ours).splitlines()
    assert lines[0] == lines[3] == ours.strip()
    assert json.loads(lines[1])["message"] == "3 events dropped"
    assert json.loads(lines[2])["message"] == cut.decode().strip()
