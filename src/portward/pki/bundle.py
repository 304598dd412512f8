"""A certificate with its chain and its key, read from PEM and written in the order that TLS wants.

bundle = Bundle.read(pem)                    # raises Invalid, and says what is wrong
bundle.pem                                   # leaf, issuers in order, key
bundle.certificate(path, "files")            # model.Certificate
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from portward.errors import Invalid
from portward.model import Certificate, Source
from portward.pki.minting import common_name

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
LONGEST = 15_000
"""Bytes: HAProxy's runtime socket takes a command of 16 KB."""
_KEY = re.compile(rb"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.DOTALL)
_STAGING = re.compile(r"\(STAGING\)|Fake LE ", re.IGNORECASE)
_NAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
"""What may become the name of a file."""
_SMALLEST_RSA = 2048


@dataclass(frozen=True, slots=True)
class Bundle:
    """`chain` holds the issuers in order, without the root; `others` whatever else the text held."""

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: Key
    others: tuple[x509.Certificate, ...] = ()
    reordered: bool = field(default=False, compare=False)

    @classmethod
    def read(cls, pem: bytes, key: bytes | None = None) -> Self:
        """Certificates from `pem`, in any order, and the private key from `key` or else from `pem` too.

        Raises `Invalid` for what can't be read, a key that belongs to none of them, and keys that no browser takes.
        """
        private = _read_key(pem if key is None else key)
        there = _read_certificates(pem)
        leaf = next((one for one in there if one.public_key() == private.public_key()), None)
        if leaf is None:
            raise Invalid("the private key does not belong to the certificate")
        issuers = _issuers(leaf, there)
        used = (leaf, *issuers)
        served = tuple(one for one in issuers if one.issuer != one.subject)
        others = tuple(one for one in there if one not in used)
        return cls(leaf, served, private, others, tuple(one for one in there if one in used) != used)

    @property
    def pem(self) -> bytes:
        encoding = serialization.Encoding.PEM
        key = self.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return b"".join(one.public_bytes(encoding) for one in (self.leaf, *self.chain)) + key

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names that it is for, in lower case; common names have not counted for years (RFC 9525)."""
        try:
            names = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return ()
        return tuple(name.lower() for name in names.get_values_for_type(x509.DNSName) if _NAME.fullmatch(name.lower()))

    def certificate(self, file: Path, source: Source) -> Certificate:
        return Certificate(
            file=str(file),
            names=self.names,
            serial=f"{self.leaf.serial_number:x}",
            fingerprint=self.leaf.fingerprint(hashes.SHA256()).hex(),
            issuer=common_name(self.leaf.issuer),
            not_before=self.leaf.not_valid_before_utc,
            not_after=self.leaf.not_valid_after_utc,
            source=source,
            staging=any(_STAGING.search(one.issuer.rfc4514_string()) for one in (self.leaf, *self.chain)),
        )


def _read_certificates(pem: bytes) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(dict.fromkeys(x509.load_pem_x509_certificates(pem)))
    except ValueError as error:
        raise Invalid("it holds no certificate that can be read (PEM)") from error


def _read_key(pem: bytes) -> Key:
    match = _KEY.search(pem)
    if match is None:
        raise Invalid("it holds no private key (PEM)")
    try:
        key = serialization.load_pem_private_key(match[0], password=None)
    except TypeError as error:
        raise Invalid(
            "the private key is encrypted", way_out="decrypt it: openssl pkey -in KEY -out NEW; and chmod 600 NEW"
        ) from error
    except ValueError as error:
        raise Invalid("the private key can't be read") from error
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _SMALLEST_RSA:
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    raise Invalid(
        "the private key is of a kind or size that browsers refuse", way_out="ECDSA P-256, or RSA of 2048 bits"
    )


def _issuers(leaf: x509.Certificate, there: tuple[x509.Certificate, ...]) -> list[x509.Certificate]:
    """The certificates that lead from a leaf towards its root, in order."""
    chain: list[x509.Certificate] = []
    last = leaf
    while last.issuer != last.subject:
        issuer = next((one for one in there if one not in chain and _issued(one, last)), None)
        if issuer is None:
            break
        chain.append(issuer)
        last = issuer
    return chain


def _issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
