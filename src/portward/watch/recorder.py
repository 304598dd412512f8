"""The recorder: copies the access log from HAProxy's ring into a file, with as little work as possible.

    python -m portward.watch.recorder /var/lib/portward

HAProxy's ring connects to STATE/run/access.sock and sends lines that end with a newline. Nothing is done per line, as
long as all are JSON: bytes are read in large pieces, cut at the last newline, and written. After each round the
recorder sleeps for a moment that depends on how much had come, so that it wakes up rarely, and never lets the socket
run full for long (the ring itself holds far more). An idle recorder does not wake up at all.

Settings are read from STATE/edge/recorder.json, again when it changes (see retention.py). After SIGTERM, what has been
sent is read to its end.
"""

import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from portward.host.listeners import listening
from portward.host.paths import State
from portward.watch.logfile import LogFile
from portward.watch.retention import Retention

_BUFFER_BYTES = 512 * 1024
"""For each connection. More than a Unix socket holds by default (net.core.wmem_default, 208 KB)."""
_PAUSES = (0.002, 0.05)
"""Seconds between two reads: the shortest under load, the longest when little comes."""
_LITTLE, _MUCH = 24 * 1024, 80 * 1024
"""A round that brings less than the one lengthens the pause; more than the other shortens it."""
_HOUSEKEEPING_SECONDS = 10.0
_IDLE_SECONDS = 600.0
"""An idle recorder looks this often whether an old log is to be deleted."""
_DRAIN_SECONDS = 1.0


def next_pause(pause: float, received: int) -> float:
    """How long to sleep after a round that brought so many bytes."""
    shortest, longest = _PAUSES
    if received >= _MUCH:
        return max(shortest, pause / 2)
    return min(longest, pause * 2) if received < _LITTLE else pause


class Sender:
    """One connection of HAProxy's ring. A reload has two for a while: that of the old worker and that of the new."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._bytes = bytearray(_BUFFER_BYTES)
        self._buffer = memoryview(self._bytes)
        self._kept = 0

    def receive(self, log: LogFile) -> int | None:
        """Copy what has come, up to the last line end. Returns the bytes; None when no more lines will come.

        A last line without an end is dropped: it is half a line of a HAProxy that was killed.
        """
        try:
            received = self.connection.recv_into(self._buffer[self._kept :])
        except BlockingIOError:
            return 0
        except OSError:
            return None
        filled = self._kept + received
        end = self._bytes.rfind(b"\n", self._kept, filled) + 1
        if end:
            log.append(self._buffer[:end] if self._all_json(end) else memoryview(as_json(bytes(self._buffer[:end]))))
            self._buffer[: filled - end] = self._buffer[end:filled]
            filled -= end
        self._kept = filled
        return received if received and filled < _BUFFER_BYTES else None

    def _all_json(self, end: int) -> bool:
        """Whether each line ends with a brace; to go from end to end takes half as long as to count b"}\\n"."""
        at = -1
        while (at := self._bytes.find(b"\n", at + 1, end)) >= 0:
            if self._bytes[at - 1 : at] != b"}":
                return False
        return True


def as_json(lines: bytes) -> bytes:
    """The same lines; those that are no JSON are wrapped in it.

    HAProxy tells of itself in plain words ("3 events dropped"), and cuts off a line that is longer than it permits.
    """
    return b"".join(line if line.endswith(b"}\n") else _wrapped(line) for line in lines.splitlines(keepends=True))


def _wrapped(line: bytes) -> bytes:
    return (
        json.dumps({"time": round(time.time(), 3), "message": line.decode(errors="replace").strip()}).encode() + b"\n"
    )


class Recorder:
    """Listens on a socket and copies what comes into `log`. `housekeep` is called now and then, between two rounds."""

    def __init__(self, path: Path, log: LogFile, housekeep: Callable[[], None]) -> None:
        self._path = path
        self._log = log
        self._housekeep = housekeep
        self._senders: dict[int, Sender] = {}
        self._poll = select.poll()

    def run(self, stop: int) -> None:
        """Listen and copy until the descriptor `stop` becomes readable."""
        with listening(self._path) as self._listener:
            self._listener.setblocking(False)
            self._poll.register(self._listener, select.POLLIN)
            self._copy(stop)

    def _copy(self, stop: int) -> None:
        self._poll.register(stop, select.POLLIN)
        pause, housekeeping = _PAUSES[1], 0.0
        while True:
            if time.monotonic() >= housekeeping:
                self._housekeep()
                housekeeping = time.monotonic() + _HOUSEKEEPING_SECONDS
            ready = [handle for handle, _ in self._poll.poll(_IDLE_SECONDS * 1000)]
            if stop in ready:
                return self._drain()
            pause = next_pause(pause, sum(self._serve(handle) for handle in ready))
            time.sleep(pause)

    def _serve(self, handle: int) -> int:
        """Do what one readable descriptor asks for. Returns the bytes that came."""
        if handle == self._listener.fileno():
            self._accept()
            return 0
        received = self._senders[handle].receive(self._log)
        if received is None:
            self._poll.unregister(handle)
            self._senders.pop(handle).connection.close()
        return received or 0

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            complain_once(f"HAProxy's ring can't connect: {error}")
            return
        connection.setblocking(False)
        self._senders[connection.fileno()] = Sender(connection)
        self._poll.register(connection, select.POLLIN)

    def _drain(self) -> None:
        """Take no more, and copy what has been sent; the rest stays in the ring, for the next recorder."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        for sender in self._senders.values():
            with suppress(OSError):  # the sender may be gone already; what it sent can still be read
                sender.connection.shutdown(socket.SHUT_RD)
            while time.monotonic() < deadline and sender.receive(self._log):
                pass
            sender.connection.close()
        self._log.close()


def complain(text: str) -> None:
    print(f"portward recorder: {text}", file=sys.stderr, flush=True)


complain_once = lru_cache(maxsize=64)(complain)
"""For what is found again and again: each sentence is said once."""


def main(directory: str) -> None:
    state = State(Path(directory))
    log = LogFile(state.access_log, Retention(), complain=complain)

    def housekeep() -> None:
        try:
            log.retention = Retention.load(state)
        except (OSError, ValueError) as error:
            complain_once(f"{state.recorder_settings} can't be read, the settings stay as they are: {error}")
        try:
            log.prune()
        except OSError as error:
            complain_once(f"old access logs can't be put away: {error}")

    Recorder(state.access_socket, log, housekeep).run(_signal_pipe())


def _signal_pipe() -> int:
    """A descriptor that becomes readable when SIGTERM or SIGINT comes."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return reader


if __name__ == "__main__":
    main(sys.argv[1])
