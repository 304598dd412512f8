"""PuTTY's private keys, `.ppk` of version 2 and 3, as OpenSSH writes them.

    key = read(Path("key.ppk").read_bytes(), "key.ppk")
    key.encrypted                               # True: a passphrase is needed
    to_openssh(key, b"passphrase", "key.ppk")   # b'-----BEGIN OPENSSH PRIVATE KEY-----…', with the same passphrase

The format: PuTTY's documentation, appendix C, and sshpubk.c. The MAC is checked before anything of the private part is
used; its failure means a wrong passphrase, or a file that somebody changed.
"""

import hashlib
import hmac
import re
import struct
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from typing import TYPE_CHECKING

from portward.errors import ConfigError, Invalid, Mistake

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_MOST_LINES = 1000
_MOST_MEMORY = 1 << 20
"""KiB for Argon2: 1 GiB. puttygen takes 8 MiB."""
_MOST_PASSES = 10_000
_MOST_LANES = 16
_MAC_KEY = b"putty-private-key-file-mac-key"


@dataclass(frozen=True, slots=True)
class Derivation:
    """How version 3 makes keys of a passphrase. `memory` is in KiB."""

    kind: str
    memory: int
    passes: int
    lanes: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class PuttyKey:
    """A key file, taken apart; `private` is as it stands in the file."""

    version: int
    algorithm: str
    encryption: str
    comment: str
    public: bytes
    private: bytes
    mac: str
    derivation: Derivation | None

    @property
    def encrypted(self) -> bool:
        return self.encryption != "none"


class WrongPassphrase(Invalid):
    """The MAC does not fit: another passphrase may."""


def is_key(data: bytes) -> bool:
    """Whether a file begins as PuTTY's keys do."""
    return data.startswith(b"PuTTY-User-Key-File-")


def read(data: bytes, file: str) -> PuttyKey:
    """The parts of a key file. Raises `ConfigError`: file, line, reason."""
    rows = _Rows(data.decode("utf-8", errors="replace").replace("\r\n", "\n").split("\n"), file)
    version, algorithm = _version(rows)
    encryption = rows.header("Encryption")
    if encryption not in {"none", "aes256-cbc"}:
        raise rows.mistake(f"has the unknown encryption {encryption!r}", "none or aes256-cbc")
    comment = rows.header("Comment")
    public = rows.blob("Public-Lines")
    derivation = _derivation(rows) if version == 3 and encryption != "none" else None
    private = rows.blob("Private-Lines")
    mac = rows.header("Private-MAC")
    return PuttyKey(version, algorithm, encryption, comment, public, private, mac, derivation)


def to_openssh(key: PuttyKey, passphrase: bytes, file: str) -> bytes:
    """The private key in OpenSSH's format, under the same passphrase; none for a key that had none.

    Raises `WrongPassphrase`; `Invalid` for a key of a kind that OpenSSH has given up.
    """
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    made = private_key(key, passphrase, file)
    sealed = BestAvailableEncryption(passphrase) if key.encrypted else NoEncryption()
    return made.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, sealed)


def public_line(key: PuttyKey) -> str:
    """The public key as a line of authorized_keys, with the comment, which OpenSSH's private key has no place for."""
    comment = "".join(char for char in key.comment if char.isprintable())
    return f"{key.algorithm} {b64encode(key.public).decode()} {comment}".rstrip() + "\n"


def private_key(key: PuttyKey, passphrase: bytes, file: str) -> "PrivateKey":
    """The key itself, when the MAC proves every part of the file."""
    if key.algorithm == "ssh-dss":
        raise Invalid(
            f"{file} is a DSA key, and these are dead: OpenSSH accepts none since version 7.0",
            way_out="make a new one: ssh-keygen -t ed25519",
        )
    private = _opened(key, passphrase, file)
    public, secret = _Wire(key.public, file), _Wire(private, file)
    if public.text() != key.algorithm:
        raise Invalid(f"{file} contradicts itself: it is a key of another kind than it says")
    try:
        return _of_kind(key.algorithm, public, secret, file)
    except (ValueError, ZeroDivisionError) as error:
        raise Invalid(f"{file} contradicts itself: its numbers make no key ({error})") from None


def _of_kind(algorithm: str, public: "_Wire", secret: "_Wire", file: str) -> "PrivateKey":
    if algorithm == "ssh-rsa":
        return _rsa(public, secret)
    if algorithm == "ssh-ed25519":
        return _ed25519(public, secret, file)
    if algorithm.startswith("ecdsa-sha2-nistp"):
        return _ecdsa(public, secret, file)
    raise Invalid(
        f"{file} is a key of the kind {algorithm}, which OpenSSH doesn't know",
        way_out="make a new one: ssh-keygen -t ed25519",
    )


def _opened(key: PuttyKey, passphrase: bytes, file: str) -> bytes:
    if key.encrypted and len(key.private) % 16:
        raise Invalid(f"{file} was cut: its private part is no whole number of blocks")
    cipher, vector, mac_key = _derive(key, passphrase if key.encrypted else b"")
    private = _decrypt(key.private, cipher, vector) if key.encrypted else key.private
    parts = (key.algorithm.encode(), key.encryption.encode(), key.comment.encode(), key.public, private)
    proven = b"".join(struct.pack(">I", len(part)) + part for part in parts)
    mac = hmac.new(mac_key, proven, hashlib.sha1 if key.version == 2 else hashlib.sha256).hexdigest()
    if hmac.compare_digest(mac.encode(), key.mac.encode()):
        return private
    if key.encrypted:
        raise WrongPassphrase(f"the passphrase of {file} is another one, or the file was changed")
    raise Invalid(f"{file} was changed: its MAC does not fit what stands in it", way_out="take a good copy of the file")


def _derive(key: PuttyKey, passphrase: bytes) -> tuple[bytes, bytes, bytes]:
    """The cipher's key, its initial vector, and the MAC's key."""
    if key.version == 2:
        counters = (hashlib.sha1(struct.pack(">I", counter) + passphrase).digest() for counter in (0, 1))  # noqa: S324
        return b"".join(counters)[:32], bytes(16), hashlib.sha1(_MAC_KEY + passphrase).digest()  # noqa: S324
    if not key.derivation:
        return b"", b"", b""
    made = _argon2(key.derivation, passphrase)
    return made[:32], made[32:48], made[48:]


def _argon2(by: Derivation, passphrase: bytes) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    kinds = {"Argon2d": Type.D, "Argon2i": Type.I, "Argon2id": Type.ID}
    return hash_secret_raw(
        passphrase, by.salt, time_cost=by.passes, memory_cost=by.memory, parallelism=by.lanes, hash_len=80,
        type=kinds[by.kind], version=0x13,
    )  # fmt: skip


def _decrypt(data: bytes, key: bytes, vector: bytes) -> bytes:
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import AES256
    from cryptography.hazmat.primitives.ciphers.modes import CBC

    opened = Cipher(AES256(key), CBC(vector)).decryptor()
    return opened.update(data) + opened.finalize()


def _rsa(public: "_Wire", secret: "_Wire") -> "rsa.RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import rsa

    e, n = public.number(), public.number()
    d, p, q, _ = secret.number(), secret.number(), secret.number(), secret.number()
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, n))
    return numbers.private_key()


def _ed25519(public: "_Wire", secret: "_Wire", file: str) -> "ed25519.Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ed25519

    point, seed = public.string(), secret.string()
    made = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    if made.public_key().public_bytes_raw() != point:
        raise Invalid(f"{file} contradicts itself: its private part belongs to another public key")
    return made


def _ecdsa(public: "_Wire", secret: "_Wire", file: str) -> "ec.EllipticCurvePrivateKey":
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    curves: dict[str, ec.EllipticCurve] = {
        "nistp256": ec.SECP256R1(),
        "nistp384": ec.SECP384R1(),
        "nistp521": ec.SECP521R1(),
    }
    name, point = public.text(), public.string()
    if name not in curves:
        raise Invalid(f"{file} contradicts itself: it is on the unknown curve {name}")
    made = ec.derive_private_key(secret.number(), curves[name])
    if made.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) != point:
        raise Invalid(f"{file} contradicts itself: its private part belongs to another public key")
    return made


def _version(rows: "_Rows") -> tuple[int, str]:
    name, algorithm = rows.pair()
    match = re.fullmatch(r"PuTTY-User-Key-File-([0-9]+)", name)
    if not match:
        raise rows.mistake("is no private key of PuTTY", "PuTTY-User-Key-File-3: ssh-ed25519")
    if match[1] not in {"2", "3"}:
        raise rows.mistake(f"is of version {match[1]}", "version 2 or 3; open and save it in a newer puttygen")
    return int(match[1]), algorithm


def _derivation(rows: "_Rows") -> Derivation:
    kind = rows.header("Key-Derivation")
    if kind not in {"Argon2d", "Argon2i", "Argon2id"}:
        raise rows.mistake(f"has the unknown key derivation {kind!r}", "Argon2id, Argon2i or Argon2d")
    memory = rows.number("Argon2-Memory", _MOST_MEMORY)
    passes = rows.number("Argon2-Passes", _MOST_PASSES)
    lanes = rows.number("Argon2-Parallelism", _MOST_LANES)
    salt = rows.header("Argon2-Salt")
    if not re.fullmatch(r"(?:[0-9A-Fa-f]{2}){8,64}", salt):
        raise rows.mistake("has no salt", "8 to 64 bytes in hex")
    return Derivation(kind, memory, passes, lanes, bytes.fromhex(salt))


@dataclass(slots=True)
class _Rows:
    rows: list[str]
    file: str
    line: int = 0

    def pair(self) -> tuple[str, str]:
        name, _, value = self.next().partition(": ")
        return name, value

    def header(self, name: str) -> str:
        found, value = self.pair()
        if found != name:
            raise self.mistake(f"should be `{name}: …`, and is another line", "a key file as puttygen writes it")
        return value

    def number(self, name: str, most: int) -> int:
        text = self.header(name)
        if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= most:
            raise self.mistake(f"has {name} {text!r}", f"1 to {most}")
        return int(text)

    def blob(self, name: str) -> bytes:
        count = self.number(name, _MOST_LINES)
        lines = [self.next() for _ in range(count)]
        try:
            return b64decode("".join(lines), validate=True)
        except Base64Error:
            raise self.mistake(f"ends {name}, which is no Base64", "") from None

    def next(self) -> str:
        if self.line >= len(self.rows):
            raise self.mistake("the file ends too early", "a whole key file")
        self.line += 1
        return self.rows[self.line - 1]

    def mistake(self, problem: str, expected: str) -> ConfigError:
        return ConfigError((Mistake(self.file, self.line, "", problem, expected),))


@dataclass(slots=True)
class _Wire:
    """Strings and numbers of SSH (RFC 4251 section 5), one after the other."""

    data: bytes
    file: str

    def string(self) -> bytes:
        length = int.from_bytes(self.data[:4], "big")
        if len(self.data) < 4 + length or len(self.data) < 4:
            raise Invalid(f"{self.file} contradicts itself: a part of the key is cut off")
        found, self.data = self.data[4 : 4 + length], self.data[4 + length :]
        return found

    def text(self) -> str:
        return self.string().decode("ascii", errors="replace")

    def number(self) -> int:
        return int.from_bytes(self.string(), "big")
