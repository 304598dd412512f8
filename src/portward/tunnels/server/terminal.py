"""What a person sees who connects with a terminal: where the tunnels are, and each request as it passes.

There is no shell behind it. Ctrl-C, Ctrl-D and q end the connection.
"""

import asyncio
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import asyncssh
import segno

from portward.tunnels.server.tunnel import Tunnel

if TYPE_CHECKING:
    from portward.tunnels.server.peer import Peer

_ENDS = frozenset(b"\x03\x04q")
_QR_CODES = 3
_LEAVE_SECONDS = 0.5
_NARROWEST = 20


class Terminal(asyncssh.SSHServerSession[bytes]):
    """One session. Without a terminal of its own (ssh -T) it shows the addresses alone."""

    def __init__(self, peer: "Peer") -> None:
        self._guest = peer
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._columns = self._rows = 0
        self._codes = 0

    # ---- what a client may ask a session for -----------------------------------------------------------------------

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._channel = chan

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        self._columns, self._rows = term_size[:2]
        self._columns = self._columns or 80
        return True

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        return self._refuse(f"exec {command}"[:100], "no commands run here: this server carries tunnels alone")

    def subsystem_requested(self, subsystem: str) -> bool:
        return self._refuse(f"subsystem {subsystem}"[:100], "no files are here: this server carries tunnels alone")

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self._columns, self._rows = width, height

    def session_started(self) -> None:
        self._guest.open_terminal(self)
        if not self._guest.tunnels and not self._guest.waiting:
            self.say("Nothing is published yet: ssh -R NAME:80:localhost:3000 …")
        if self.shows_requests:
            self._print("Requests appear below; Ctrl-C ends the tunnel.")

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._columns and not _ENDS.isdisjoint(data):
            self._end()

    def eof_received(self) -> bool:
        """`ssh -T … < /dev/null` has no input, and means to stay."""
        return True

    def signal_received(self, signal: str) -> None:
        self._end()

    def break_received(self, msec: int) -> bool:
        self._end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self._guest.close_terminal(self)

    # ---- what it shows ---------------------------------------------------------------------------------------------

    @property
    def shows_requests(self) -> bool:
        return self._columns > 0

    @property
    def hosts(self) -> frozenset[str]:
        """Whose requests it shows."""
        return frozenset(tunnel.service.host for tunnel in self._guest.tunnels.values() if tunnel.service.host)

    def say(self, sentence: str) -> None:
        """A sentence on stderr."""
        if self._channel is not None and not self._channel.is_closing():
            self._channel.write_stderr(self._lines(sentence))

    def announce(self, tunnel: Tunnel) -> None:
        """A tunnel stands: its address and, on a terminal that has room, the address as a QR code."""
        self._print(f"{tunnel.service.name} is at {tunnel.service.url}")
        if self.shows_requests and tunnel.service.kind == "http" and self._codes < _QR_CODES:
            self._codes += 1
            self._print(_qr_code(tunnel.service.url, self._columns))

    def show(self, line: str) -> None:
        """One request."""
        self._print(line[: max(self._columns, _NARROWEST)])

    def _refuse(self, what: str, why: str) -> bool:
        self._guest.refuse(what, why)
        self.say(why)
        return False

    def _print(self, text: str) -> None:
        if text and self._channel is not None and not self._channel.is_closing():
            self._channel.write(self._lines(text))

    def _lines(self, text: str) -> bytes:
        end = "\r\n" if self.shows_requests else "\n"
        return (text.replace("\n", end) + end).encode()

    def _end(self) -> None:
        """The client goes by itself then, unless somebody is still using a tunnel."""
        if self._channel is not None:
            self._channel.exit(0)
        asyncio.get_running_loop().call_later(_LEAVE_SECONDS, self._guest.dismiss, "client", "ended by Ctrl-C")


def _qr_code(url: str, columns: int) -> str:
    """Half-block characters; "" where the terminal is too narrow."""
    code = segno.make(url, error="l", micro=False)
    if code.symbol_size(border=2)[0] > columns:
        return ""
    out = io.StringIO()
    code.terminal(out, border=2, compact=True)
    return out.getvalue().rstrip("\n")
