"""What a Portward gateway says about the tunnels of a connection: their addresses, and why one is refused.

await listen(link.connection, hear)                      # hear("blog is at https://blog.example.com")

Other servers would open a shell instead, so only a gateway is asked.
"""

import re
from collections.abc import Callable
from contextlib import suppress

import asyncssh

_GATEWAY = re.compile(r"SSH-2\.0-Portward\b")
_ADDRESS = re.compile(r"(?P<name>\S+) is at (?P<address>\S+)")
_LONGEST_LINE = 4096

Hear = Callable[[str], None]


async def listen(connection: asyncssh.SSHClientConnection, hear: Hear) -> None:
    """Have `hear` called with each line that the gateway says, until the connection ends."""
    if not _GATEWAY.match(str(connection.get_extra_info("server_version", ""))):
        return
    # Without a session it says nothing; that a connection has ended is somebody else's to notice.
    with suppress(asyncssh.Error, OSError):
        await connection.create_session(lambda: _Listener(hear), request_pty=False, encoding="utf-8", errors="replace")


def address(line: str) -> str:
    """The address that a line announces, or nothing."""
    found = _ADDRESS.fullmatch(line)
    return found["address"] if found else ""


class _Listener(asyncssh.SSHClientSession[str]):
    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._rest = ""

    def data_received(self, data: str, datatype: asyncssh.DataType) -> None:
        *lines, self._rest = (self._rest + data).split("\n")
        self._rest = self._rest[-_LONGEST_LINE:]
        for line in lines:
            if text := line.strip():
                self._hear(text)

    def eof_received(self) -> bool:
        """It stays open: more may be said later."""
        return True
