"""The protocol of sd_notify(3), both sides: how a program tells its supervisor that it is ready.

notify(STATUS="certificates are there")   # in the program; does nothing without $NOTIFY_SOCKET

with NotifySocket(state.notify_socket) as inbox:          # in the supervisor
    next(inbox.messages())                                # {'STATUS': 'certificates are there'}

A program may leave descriptors with its supervisor and get them back in its next life: `store` and `unstore`.
"""

import os
import select
import socket
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

_LONGEST = 4096
_DESCRIPTORS = 8
_STORED = 4096
"""So many descriptors are kept at most."""


def notify(**fields: str | int) -> bool:
    """Send fields such as READY=1 or STATUS=text to $NOTIFY_SOCKET, without waiting. Returns whether they were sent."""
    return _send("\n".join(f"{name}={value}" for name, value in fields.items()).encode(), ())


def wait_for_delivery(seconds: float = 1.0) -> bool:
    """Wait until all that `notify` sent was read and acted upon (sd_notify_barrier(3)). Returns whether it was."""
    ours, theirs = os.pipe2(os.O_CLOEXEC)
    try:
        sent = _send(b"BARRIER=1", (theirs,))
    finally:
        os.close(theirs)
    try:
        poll = select.poll()
        poll.register(ours, select.POLLHUP)
        return sent and bool(poll.poll(seconds * 1000))
    finally:
        os.close(ours)


def store(name: str, descriptor: int) -> bool:
    """Leave a copy of a descriptor with the supervisor (FDSTORE=1 of sd_notify(3)). Returns whether it was sent."""
    return _send(f"FDSTORE=1\nFDNAME={name}".encode(), (descriptor,))


def unstore(name: str) -> bool:
    """Have the supervisor close what was stored under this name (FDSTOREREMOVE=1). Returns whether it was told."""
    return _send(f"FDSTOREREMOVE=1\nFDNAME={name}".encode(), ())


def parse(datagram: bytes) -> dict[str, str]:
    """The fields of one message; lines without `=` are left out."""
    lines = (line.partition("=") for line in datagram.decode(errors="replace").splitlines())
    return {name: value for name, equals, value in lines if name and equals}


class NotifySocket:
    """The supervisor's end: a private datagram socket. Not blocking: register `fileno()` with the loop.

    `stored` are descriptors that programs left here, by name; they are closed with the socket.
    """

    def __init__(self, path: Path) -> None:
        self.stored: dict[str, int] = {}
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        self._socket.bind(os.fspath(self._path))
        self._path.chmod(0o600)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_stored()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def close_stored(self) -> None:
        for name in tuple(self.stored):
            self._unstore(name)

    def fileno(self) -> int:
        return self._socket.fileno()

    def messages(self) -> Iterator[dict[str, str]]:
        """All messages that have come. Act upon each before asking for the next: that is what a barrier means."""
        while True:
            try:
                datagram, descriptors, _, _ = socket.recv_fds(self._socket, _LONGEST, _DESCRIPTORS)
            except BlockingIOError:
                return
            message = parse(datagram)
            self._store(message, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            yield message

    def _store(self, message: dict[str, str], descriptors: list[int]) -> None:
        name = message.get("FDNAME", "")
        if "FDSTORE" in message and descriptors and len(self.stored) < _STORED:
            self._unstore(name)
            self.stored[name] = descriptors.pop(0)
        elif "FDSTOREREMOVE" in message:
            self._unstore(name)

    def _unstore(self, name: str) -> None:
        if name in self.stored:
            os.close(self.stored.pop(name))


def _send(datagram: bytes, descriptors: tuple[int, ...]) -> bool:
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        try:
            sender.connect("\0" + address[1:] if address.startswith("@") else address)
            socket.send_fds(sender, [datagram], list(descriptors))
        except OSError:
            return False  # sd_notify(3): who can't report goes on; the supervisor misses READY=1 and acts on that
    return True
