"""Where a visitor was going when the gate stopped them, carried from page to page until they get there.

    pending = read({"host": "hello.example.com", "to": "/inbox?page=2", "nonce": digest}, hosts)
    pending.query          # 'host=hello.example.com&to=%2Finbox%3Fpage%3D2&nonce=…'

It travels in query strings and hidden fields, so anybody may have made it up: it is checked anew at each step. What
comes out can only lead to a host that is enrolled here. `nonce` is the hash of a secret that only the visitor's
browser holds, in its cookie for that host. Without a host it leads to a page of the portal itself that a terminal sent
somebody to, and needs no secret: /ssh/CODE.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

PREFIX = "/.portward/"
"""Paths of every service host that belong to Portward."""
_LONGEST = 8192
_NONCE = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"/ssh/[A-Za-z-]{1,32}")
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


@dataclass(frozen=True, slots=True)
class Pending:
    """`to` begins with exactly one slash; `step` says that the second factor must be fresh."""

    host: str
    to: str
    nonce: str
    step: bool = False

    def fields(self) -> dict[str, str]:
        """What `read` needs to find this again."""
        return {"host": self.host, "to": self.to, "nonce": self.nonce, **({"step": "1"} if self.step else {})}

    @property
    def query(self) -> str:
        return urlencode(self.fields())

    @property
    def at_portal(self) -> bool:
        return not self.host


def to_code(code: str) -> Pending:
    """On the way to /ssh/CODE; to the home page where the code is none."""
    path = f"/ssh/{code}"
    return Pending("", path if _CODE.fullmatch(path) else "/", "")


def read(values: Mapping[str, str], hosts: Collection[str]) -> Pending | None:
    """Find a destination in untrusted values. None when its host is not in `hosts`, or its nonce is no hash.

    Without a host, only /ssh/CODE is one.
    """
    host, nonce = values.get("host", ""), values.get("nonce", "")
    if not host and _CODE.fullmatch(values.get("to", "")):
        return Pending("", values["to"], "")
    if host not in hosts or not _NONCE.fullmatch(nonce):
        return None
    return Pending(host, safe_path(values.get("to", "")), nonce, step=values.get("step") == "1")


def safe_path(to: str) -> str:
    """`to` where a browser can read it only as a path (RFC 3986 section 4.2), else `/`.

    `//evil`, `/\\evil` and tabs or newlines between (which browsers drop) would name another host.
    """
    if not to.startswith("/") or to.startswith(("//", PREFIX)) or len(to) > _LONGEST or not _harmless(to):
        return "/"
    return quote(to, safe=_PRINTABLE)


def _harmless(to: str) -> bool:
    return "\\" not in to and not any(ord(letter) < 0x20 or 0x7F <= ord(letter) < 0xA0 for letter in to) and _whole(to)


def _whole(to: str) -> bool:
    """Lone surrogates are what is left of bytes that were no UTF-8."""
    return not any(0xD800 <= ord(letter) < 0xE000 for letter in to)
