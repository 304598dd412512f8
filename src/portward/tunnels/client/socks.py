"""The first words of a SOCKS client: where it wants to go. SOCKS 5 (RFC 1928) without a password, SOCKS 4 and 4a.

handshake = Handshake()
handshake.feed(data)            # bytes to answer, perhaps none yet
handshake.wish                  # Wish("db.internal", 5432) as soon as it is said
handshake.succeeded()           # bytes to answer when the connection stands

Only CONNECT is understood. Raises `Refused`, with the bytes to answer before the end.
"""

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_NO_PASSWORD, _NONE_FITS = 0, 0xFF
_GRANTED, _REJECTED = 0x5A, 0x5B
_LONGEST_4 = 8 + 256 + 256
_NOWHERE = b"\x01" + bytes(6)
"""0.0.0.0 and port 0: the address that the server connects from is not known here."""


class Reply(IntEnum):
    """RFC 1928, section 6."""

    SUCCEEDED = 0
    FAILED = 1
    NOT_ALLOWED = 2
    NETWORK_UNREACHABLE = 3
    REFUSED = 5
    NO_SUCH_COMMAND = 7
    NO_SUCH_ADDRESS_TYPE = 8


@dataclass(frozen=True, slots=True)
class Wish:
    host: str
    port: int


class Refused(Exception):
    """The client speaks something else; `answer` is what it gets to hear."""

    def __init__(self, answer: bytes = b"") -> None:
        super().__init__("not a SOCKS request that can be served")
        self.answer = answer


class Handshake:
    """Fed with whatever arrives, in pieces of any size, until there is a wish; `rest` is what came after it."""

    def __init__(self) -> None:
        self.wish: Wish | None = None
        self.rest = b""
        self._version: Literal[0, 4, 5] = 0
        self._greeted = False

    def feed(self, data: bytes) -> bytes:
        """Returns what to answer. Raises `Refused`."""
        self.rest += data
        if not self._version and self.rest:
            if self.rest[0] not in (4, 5):
                raise Refused
            self._version = 5 if self.rest[0] == 5 else 4
        if self._version == 4:
            self._read_4()
            return b""
        answer = b"" if self._greeted else self._read_greeting()
        if self._greeted and not self.wish:
            self._read_5()
        return answer

    def succeeded(self) -> bytes:
        return _answer_4(_GRANTED) if self._version == 4 else _answer_5(Reply.SUCCEEDED)

    def failed(self, reason: Reply) -> bytes:
        return _answer_4(_REJECTED) if self._version == 4 else _answer_5(reason)

    def _read_greeting(self) -> bytes:
        if len(self.rest) < 2 or len(self.rest) < 2 + self.rest[1]:
            return b""
        methods = self.rest[2 : 2 + self.rest[1]]
        self.rest = self.rest[2 + len(methods) :]
        if _NO_PASSWORD not in methods:
            raise Refused(bytes((5, _NONE_FITS)))
        self._greeted = True
        return bytes((5, _NO_PASSWORD))

    def _read_5(self) -> None:
        if len(self.rest) < 5:
            return
        version, command, _, kind, length = self.rest[:5]
        if version != 5:
            raise Refused
        if command != _CONNECT:
            raise Refused(_answer_5(Reply.NO_SUCH_COMMAND))
        sizes = {_IPV4: 4, _IPV6: 16, _NAME: 1 + length}
        if kind not in sizes:
            raise Refused(_answer_5(Reply.NO_SUCH_ADDRESS_TYPE))
        end = 4 + sizes[kind]
        if len(self.rest) >= end + 2:
            address, port = self.rest[4:end], int.from_bytes(self.rest[end : end + 2])
            host = _name(address[1:]) if kind == _NAME else str(ipaddress.ip_address(address))
            self.wish, self.rest = Wish(host, port), self.rest[end + 2 :]

    def _read_4(self) -> None:
        """The user's name is ignored. An address 0.0.0.x means that a host's name follows (SOCKS 4a)."""
        if len(self.rest) > _LONGEST_4:
            raise Refused(_answer_4(_REJECTED))
        user = self.rest.find(b"\0", 8)
        if user < 0:
            return
        if self.rest[1] != _CONNECT:
            raise Refused(_answer_4(_REJECTED))
        port, address = int.from_bytes(self.rest[2:4]), self.rest[4:8]
        end = user
        host = str(ipaddress.ip_address(address))
        if address[:3] == bytes(3) and address[3]:
            end = self.rest.find(b"\0", user + 1)
            if end < 0:
                return
            host = _name(self.rest[user + 1 : end])
        self.wish, self.rest = Wish(host, port), self.rest[end + 1 :]


def _answer_4(code: int) -> bytes:
    return bytes((0, code)) + bytes(6)


def _answer_5(reply: Reply) -> bytes:
    return bytes((5, reply, 0)) + _NOWHERE


def _name(data: bytes) -> str:
    try:
        name = data.decode()
    except UnicodeDecodeError:
        raise Refused from None
    if not name:
        raise Refused
    return name
