"""Files of public keys, one a line, as OpenSSH writes them (sshd(8), AUTHORIZED_KEYS FILE FORMAT; without options).

public_keys(Path("ssh-ca.pub"))      # (PublicKey(text="ssh-ed25519 AAAA…", fingerprint="SHA256:…", comment="ca"),)
"""

from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path


class NoPublicKey(ValueError):
    """The file holds none, or a line that is none."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`text` is type and key; `fingerprint` is spelt as `ssh-keygen -l` does."""

    text: str
    fingerprint: str
    comment: str


def public_keys(file: Path) -> tuple[PublicKey, ...]:
    """Every key of the file, at least one. Raises `OSError`, and `NoPublicKey` for the first line that is none."""
    lines = file.read_text(errors="replace").splitlines()
    rows = [(number, line.split(None, 2)) for number, line in enumerate(lines, start=1) if _says_something(line)]
    if not rows:
        raise NoPublicKey("holds no public key")
    return tuple(_parse(number, words) for number, words in rows)


def _says_something(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _parse(number: int, words: list[str]) -> PublicKey:
    try:
        kind, body, *comment = words
        blob = b64decode(body, validate=True)
    except ValueError:
        raise NoPublicKey(f"line {number} is no public key") from None
    name = kind.encode()
    if blob[:4] != len(name).to_bytes(4, "big") or blob[4 : 4 + len(name)] != name:
        raise NoPublicKey(f"line {number} is no public key")
    fingerprint = b64encode(sha256(blob).digest()).decode().rstrip("=")
    return PublicKey(f"{kind} {body}", f"SHA256:{fingerprint}", comment[0].strip() if comment else "")
