"""Every request is one line of JSON; who reads the log, or does not, never holds up the edge; a flood is counted."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lives.busy import Busy
from tests.lives.raw import ask, connection, request
from tests.lives.waiting import wait_for

HOSTILE = (
    b'/"quoted"?a="b"',
    b"/back\\slash\\",
    b"/\x80\xff\xfe-no-utf8",
    "/ünïcödé/→".encode(),
    b"/%22%0a%7d",
    b'/{"time":1}',
    b"/</script><script>",
    b"/" + b"long" * 1500,
)


def lines_of(busy: Busy, part: str) -> list[dict[str, Any]]:
    return [line for line in busy.gateway.access_log if part in line.get("path", "") + line.get("agent", "")]


def test_hostile_paths_and_agents_are_one_valid_line_each(busy: Busy) -> None:
    for number, path in enumerate(HOSTILE):
        lines = f"User-Agent: hostile{number} ".encode() + path
        head = b"GET " + path + b" HTTP/1.1\r\nHost: wiki.gate.test\r\nConnection: close\r\n" + lines + b"\r\n\r\n"
        ask(busy.gateway, "wiki", head)
        _ask_plainly(busy, head)
    ask(busy.gateway, "wiki", request("wiki.gate.test", "/marks-the-end"))
    wait_for(lambda: lines_of(busy, "/marks-the-end"), "the last line")
    found = {line["agent"].split(" ")[0] for line in lines_of(busy, "hostile")}
    refused_by_the_parser = {f"hostile{number}" for number in (2, 3)}
    assert found >= {f"hostile{number}" for number in range(len(HOSTILE))} - refused_by_the_parser


def test_a_line_names_the_account_and_the_route(busy: Busy) -> None:
    busy.ann.fetch("wiki", "/who-was-it")
    (line,) = wait_for(lambda: lines_of(busy, "/who-was-it"), "the line")
    assert (line["account"], line["route"], line["status"], line["ip"]) == ("ann", "wiki", 200, "127.0.0.1")


def test_a_recorder_that_stops_reading_blocks_nobody_and_its_losses_are_counted(busy: Busy) -> None:
    gateway = busy.gateway
    lost = gateway.status()["dropped_log_lines"].get("access", 0)
    recorder = gateway.pids.recorder
    os.kill(recorder, signal.SIGSTOP)
    try:
        with busy.load() as load:
            _flood_plainly(busy, 9000, "/" + "a" * 1000)
            load.wait_for_progress()
        assert load.failures == [], load.summary
        wait_for(lambda: gateway.status()["dropped_log_lines"].get("access", 0) > lost, "lost lines to be counted")
        gateway.wait_for_events(kind="LogDropped")
        assert "lost log lines" in gateway.cli("status")
        with gateway.visitor() as stranger:
            refused = stranger.fetch("wiki").json()["request_id"]
        assert gateway.wait_for_events(request_id=refused), "the access log pushed an event out"
    finally:
        os.kill(recorder, signal.SIGCONT)
    busy.ann.fetch("wiki", "/after-the-flood")
    wait_for(lambda: lines_of(busy, "/after-the-flood"), "the log to go on")


def test_a_large_log_makes_room_for_a_new_one_and_loses_no_line(busy: Busy) -> None:
    gateway = busy.gateway
    gateway.change(log={"rotate": 1})
    directory = gateway.state / "log"

    def rotated() -> list[Path]:
        _flood_plainly(busy, 200, "/" + "b" * 1000)
        return list(directory.glob("access-*.log"))

    wait_for(rotated, "a rotated log", 40)
    for path in directory.iterdir():
        text = path.read_text()
        assert all(json.loads(line)["time"] for line in text.splitlines())
        assert text.endswith("\n") or not text
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_flood_of_refusals_is_counted_and_not_kept_one_by_one(busy: Busy) -> None:
    gateway, flood = busy.gateway, 4000
    before = gateway.newest_event()
    with connection(gateway, "wiki") as tls:
        _pipeline(tls, b"GET /refused HTTP/1.1\r\nHost: wiki.gate.test\r\n\r\n", flood, b"request_id")

    def told() -> bool:
        dropped = [event["fields"] for event in gateway.events(after=before, kind="EventsDropped")]
        kept = gateway.events(after=before, kind="RequestRefused")
        told = sum(fields["count"] for fields in dropped) + len(kept)
        return bool(dropped) and "no_session" in dropped[0]["rules"] and told >= flood and len(kept) < flood / 2

    wait_for(told, "every refusal to be kept or counted")


def test_events_can_be_followed_as_json(busy: Busy) -> None:
    with _following(busy) as follower, busy.gateway.visitor() as stranger:
        assert follower.stdout
        line: dict[str, Any] = {}
        wanted = ""
        while not wanted or line.get("request_id") != wanted:
            wanted = wanted or stranger.fetch("wiki").json()["request_id"]
            line = json.loads(follower.stdout.readline())
        assert (line["kind"], line["gate"], line["rule"]) == ("RequestRefused", "identity", "no_session")
    assert "no_session" in busy.gateway.cli("explain", wanted, "--json")


@contextmanager
def _following(busy: Busy) -> Iterator["subprocess.Popen[str]"]:
    program = Path(sys.executable).with_name("portward")
    with subprocess.Popen(
        [program, "events", "--follow", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PORTWARD_STATE": str(busy.gateway.state)},
    ) as follower:
        try:
            yield follower
        finally:
            follower.send_signal(signal.SIGINT)
            assert follower.wait(20) in {0, 130, -signal.SIGINT}


def _ask_plainly(busy: Busy, head: bytes) -> None:
    with socket.create_connection(("127.0.0.1", busy.gateway.http_port), 20) as plain:
        plain.sendall(head)
        plain.recv(65536)


def _flood_plainly(busy: Busy, count: int, path: str) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: wiki.gate.test\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", busy.gateway.http_port), 20) as plain:
        _pipeline(plain, head, count, b"HTTP/1.1 301")


def _pipeline(connected: socket.socket | ssl.SSLSocket, head: bytes, count: int, mark: bytes) -> None:
    """Send a request many times over one connection, some of them ahead, and read every answer."""
    ahead = 20
    for _ in range(count // ahead):
        connected.sendall(head * ahead)
        received = b""
        while received.count(mark) < ahead:
            part = connected.recv(65536)
            assert part, received[-200:]
            received += part
