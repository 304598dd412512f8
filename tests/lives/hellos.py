"""First words of a TLS connection that no browser says, byte for byte (RFC 5246 section 7.4.1.2, RFC 6101, SSL 2.0).

hello(SSL3, [RC4], name=None)
"""

from collections.abc import Sequence

SSL3, TLS1, TLS12 = 0x0300, 0x0301, 0x0303
NULL, EXPORT, RC4, AES = 0x0001, 0x0003, 0x0005, 0xC02F
"""Ciphers: none at all, 40 bits, the one that everybody had, and one of today."""

SSL2_HELLO = bytes.fromhex("801c 01 0002 0003 0000 0010 010080") + bytes(16)
"""SSL 2.0: another format altogether."""
OTHER_PROTOCOLS = (
    b"GET / HTTP/1.0\r\n\r\n",
    b"SSH-2.0-Scanner\r\n",
    bytes.fromhex("0300000b06e00000000000"),  # RDP
    b"\x00" * 64,
)


def hello(version: int, ciphers: Sequence[int], *, name: str | None) -> bytes:
    """A ClientHello that offers this version and these ciphers; `name` goes into the server name indication."""
    suites = b"".join(_two(cipher) for cipher in ciphers)
    body = _two(version) + bytes(32) + b"\x00" + _two(len(suites)) + suites + b"\x01\x00"
    if name is not None:
        own = b"\x00" + _two(len(name)) + name.encode()
        extension = _two(len(own)) + own
        whole = _two(0) + _two(len(extension)) + extension
        body += _two(len(whole)) + whole
    message = b"\x01" + len(body).to_bytes(3) + body
    return b"\x16" + _two(min(version, TLS1)) + _two(len(message)) + message


def _two(number: int) -> bytes:
    return number.to_bytes(2)
