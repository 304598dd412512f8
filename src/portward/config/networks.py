"""Files of networks, one a line, as block lists are published.

    networks_of(Path("drop.txt"))        # b'1.10.16.0/20\\n2001:db8::/32\\n'

What follows `#` or `;` is a comment. Such a list may hold half a million lines, so it stays bytes: HAProxy reads it.
"""

import re
from pathlib import Path

_COMMENT = re.compile(rb"[ \t\r]*(?:[#;][^\n]*)?$", re.MULTILINE)
_NO_NETWORK = re.compile(
    rb"^(?!(?:\d{1,3}(?:\.\d{1,3}){3}|(?=[^/\n]*:)[0-9a-fA-F:.]{2,45})(?:/\d{1,3})?$|$).+", re.MULTILINE
)


class NoNetwork(ValueError):
    """`line` (from 1) of the file is no network."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line} is no network: {text!r}")
        self.line = line


def networks_of(file: Path) -> bytes:
    """The file without its comments. Raises `OSError`, and `NoNetwork` for the first bad line."""
    content = _COMMENT.sub(b"", file.read_bytes())
    if bad := _NO_NETWORK.search(content):
        raise NoNetwork(content.count(b"\n", 0, bad.start()) + 1, bad[0][:80].decode(errors="replace"))
    return content
