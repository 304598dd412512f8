"""Public SSH keys as people paste them: which are good enough, and what names them.

    key = read_public_key("ssh-ed25519 AAAAC3Nza… ann@laptop")
    key.fingerprint                          # 'SHA256:…', as `ssh-keygen -l` prints it
    public_keys(Path("ssh-ca.pub"))          # (PublicKey(…),): a file with one a line

Reads OpenSSH's one line (RFC 4253 section 6.6) and the block that PuTTYgen saves (RFC 4716). A private key is refused
before anything of it is looked at, and no sentence here repeats a byte of what was pasted.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from portward.errors import Invalid

KINDS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
LARGEST, SHORTEST_RSA, LONGEST_RSA, LONGEST_COMMENT = 16 * 1024, 3072, 16384, 100
_PRIVATE = re.compile(r"PRIVATE KEY|PuTTY-User-Key-File|Private-(?:Lines|MAC|Hash)|b3BlbnNzaC1rZXktdj")
"""The last one is `openssh-key-v1` in base64: the body of a private key without its first line."""
_RFC4716 = re.compile(r"---- BEGIN SSH2 PUBLIC KEY ----\n(.*?)\n---- END SSH2 PUBLIC KEY ----", re.DOTALL)
_CERTIFICATE = "-cert-v01@openssh.com"
_MAKE_ONE = "`ssh-keygen -t ed25519` makes a good one; paste the line in the file that ends in .pub"


class NoPublicKey(ValueError):
    """A file holds none, or a line that is none that is accepted."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`text` is type and base64, spelt in the one canonical way; `comment` is what the file said, printable.

    `fingerprint` is spelt as `ssh-keygen -l` does.
    """

    text: str
    fingerprint: str
    comment: str

    @property
    def line(self) -> str:
        """As a file that ends in .pub has it."""
        return f"{self.text} {self.comment}".rstrip()


def read_public_key(text: str) -> PublicKey:
    """The one key in `text`. Raises `Invalid` with a sentence for the person who pasted it."""
    refuse_private(text)
    if not text.strip():
        raise Invalid("there is no key in it", way_out=_MAKE_ONE)
    kind, *rest = _words(text)
    if kind not in KINDS:
        raise _unknown(kind, text)
    return _checked(kind, rest)


def public_keys(file: Path) -> tuple[PublicKey, ...]:
    """Every key of a file with one a line, at least one; `#` begins a comment.

    Raises `OSError`, and `NoPublicKey`, which names the first line that is none.
    """
    found = []
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                found.append(read_public_key(line))
            except Invalid as error:
                raise NoPublicKey(f"line {number}: {error.message}") from None
    if not found:
        raise NoPublicKey("holds no public key")
    return tuple(found)


def refuse_private(text: str) -> None:
    """Raises `Invalid` for anything that holds a private key, or is too large to be a public one."""
    if _PRIVATE.search(text):
        raise Invalid(
            "that is a private key, which nobody but you may have; it was not kept",
            way_out="paste the public one: the file that ends in .pub, or the box at the top of PuTTYgen. "
            "If it went anywhere else by mistake, make a new pair",
        )
    if len(text) > LARGEST:
        raise Invalid("that is too long for a public key", way_out=_MAKE_ONE)


def _words(text: str) -> list[str]:
    """Type, base64 and comment; a line that a terminal or a mail has broken is whole again."""
    plain = text.replace("\r\n", "\n").strip()
    if block := _RFC4716.fullmatch(plain):
        return list(_block_words(block[1]))
    if sum(line.strip().startswith(KINDS) for line in plain.splitlines()) > 1:
        raise Invalid("there are several keys in it", way_out="add them one by one, each with a name of its own")
    kind, *rest = plain.split(None, 1)
    return [kind, *"".join(rest).replace("\n", "").split(None, 1)]


def _block_words(block: str) -> Iterator[str]:
    """Headers may go on over lines that end in a backslash (RFC 4716 section 3.3)."""
    lines = block.replace("\\\n", "").split("\n")
    body = "".join(line.strip() for line in lines if ":" not in line)
    comments = [line.partition(":")[2].strip().strip('"') for line in lines if line.lower().startswith("comment:")]
    yield _kind_inside(_decoded(body))
    yield body
    yield from comments


def _checked(kind: str, rest: list[str]) -> PublicKey:
    if not rest:
        raise Invalid("the key is cut off after its type", way_out="copy the whole line")
    blob = _decoded(rest[0])
    if _kind_inside(blob) != kind:
        raise Invalid(f"the key says {kind}, and holds something else", way_out="copy the whole line anew")
    text = f"{kind} {b64encode(blob).decode()}"
    _require_sound(text)
    return PublicKey(text, fingerprint(blob), _printable("".join(rest[1:])))


def fingerprint(blob: bytes) -> str:
    """`SHA256:` and base64 without padding, as OpenSSH names keys."""
    return f"SHA256:{b64encode(sha256(blob).digest()).decode().rstrip('=')}"


def _decoded(body: str) -> bytes:
    try:
        return b64decode(body, validate=True)
    except ValueError:
        raise Invalid("the key is damaged: a part is missing or was changed", way_out="copy the whole line") from None


def _kind_inside(blob: bytes) -> str:
    """The key's own word for its type: the first string of the blob (RFC 4251 section 5)."""
    length = int.from_bytes(blob[:4])
    return blob[4 : 4 + length].decode("ascii", "replace") if length <= 64 else ""


def _require_sound(text: str) -> None:
    """Points on their curve, nothing left over, RSA of at least 3072 bits (NIST SP 800-57: 128 bits of security)."""
    # Several MB, wanted only when somebody adds a key.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_ssh_public_key

    try:
        key = load_ssh_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("the key is damaged: a part is missing or was changed", way_out="copy the whole line") from None
    if isinstance(key, RSAPublicKey) and not SHORTEST_RSA <= key.key_size <= LONGEST_RSA:
        raise Invalid(
            f"an RSA key of {key.key_size} bits; from {SHORTEST_RSA} to {LONGEST_RSA} are accepted", way_out=_MAKE_ONE
        )


def _unknown(kind: str, text: str) -> Invalid:
    if kind.endswith(_CERTIFICATE):
        return Invalid(
            "that is a certificate, and not a key",
            way_out="a certificate needs no adding: its authority stands under `[[tunnels.authorities]]`",
        )
    if kind in {"ssh-dss", "ssh-ed448"}:
        return Invalid(f"keys of the type {kind} are not accepted", way_out=_MAKE_ONE)
    if any(f"{known} " in text for known in KINDS):
        return Invalid(
            "something stands before the key, as in a line of authorized_keys",
            way_out="leave the options out: `--publish`, `--reach` and `--from` say what a key may do",
        )
    return Invalid("that is no public SSH key", way_out=_MAKE_ONE)


def _printable(comment: str) -> str:
    return "".join(letter for letter in comment if letter.isprintable())[:LONGEST_COMMENT].strip()
