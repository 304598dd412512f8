"""The local authority: makes certificates for hosts that no public authority can vouch for.

    authority = Authority.open(state.authority, state.certificates, now)
    authority.certificate_for("hello.example.com", now)       # Certificate(file='…/hello.example.com.pem', …)

Whoever trusts `root.crt` trusts this installation for every name, so `root.key` is readable by its owner alone. The
root carries no name constraints (RFC 5280 section 4.2.1.10): they can't be changed for its ten years, and a service
that is published next year may have a host outside of today's domain.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portward.errors import Environment, Invalid
from portward.host.files import create, replace
from portward.model import Certificate

ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
"""Browsers refuse more than 398 days."""
_SKEW = timedelta(hours=1)
"""Clients whose clock is behind by this much still accept a new certificate."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate, its key, and the directory that gets `HOST.pem` files."""

    root: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    root_file: Path
    certificates: Path

    @classmethod
    def open(cls, directory: Path, certificates: Path, now: datetime) -> Self:
        """Read `root.crt` and `root.key` from `directory`, or make what is missing.

        The key is put there first and the root is made from the key that is there, so a creation that was killed is
        completed by the next, and two at once end with one pair. Raises `Environment` when the two don't belong
        together, can't be read, or the root's time is over.
        """
        root_file, key_file = directory / "root.crt", directory / "root.key"
        if root_file.exists() and not key_file.exists():
            raise _unusable(directory, "root.key is missing")
        if not key_file.exists():
            create(key_file, _spell_key(ec.generate_private_key(ec.SECP256R1())))
        try:
            key = _read_key(key_file.read_bytes())
            if not root_file.exists():
                create(root_file, _make_root(key, now).public_bytes(serialization.Encoding.PEM), mode=0o644)
            root = x509.load_pem_x509_certificate(root_file.read_bytes())
        except ValueError as error:
            raise _unusable(directory, f"its files can't be read: {error}") from error
        if root.public_key() != key.public_key():
            raise _unusable(directory, "root.crt and root.key don't belong together")
        if root.not_valid_after_utc <= now:
            raise _unusable(directory, f"root.crt expired on {root.not_valid_after_utc:%Y-%m-%d}")
        return cls(root, key, root_file, certificates)

    def certificate_for(self, host: str, now: datetime) -> Certificate:
        """The certificate of one host: the one there is, while more than a third of its life is left; else a new one.

        `Certificate.file` holds certificate and key (PEM, mode 0600), without the root. Raises `Invalid` for what is
        no host name in lower case.
        """
        if not _HOST.fullmatch(host):
            raise Invalid(f"{host!r} is not a host name in lower case")
        path = self.certificates / f"{host}.pem"
        leaf = self._usable_leaf(path, host, now) or self._make_leaf(path, host, now)
        return Certificate(str(path), (host,), f"{leaf.serial_number:x}", leaf.not_valid_after_utc)

    def _usable_leaf(self, path: Path, host: str, now: datetime) -> x509.Certificate | None:
        try:
            pem = path.read_bytes()
            leaf = x509.load_pem_x509_certificate(pem)
            leaf.verify_directly_issued_by(self.root)
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            ours = _read_key(pem).public_key() == leaf.public_key() and names.get_values_for_type(x509.DNSName) == [
                host
            ]
        except (FileNotFoundError, ValueError, InvalidSignature, x509.ExtensionNotFound):
            return None
        fresh = leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc - LEAF_LIFE / 3
        return leaf if ours and fresh else None

    def _make_leaf(self, path: Path, host: str, now: datetime) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(host) if len(host) <= 64 else _name("Portward")  # a common name ends at 64 (RFC 5280, A.1)
        builder = _builder(subject, self.root.subject, key, now, min(now + LEAF_LIFE, self.root.not_valid_after_utc))
        issuer_id = self.root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        leaf = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        replace(path, leaf.public_bytes(serialization.Encoding.PEM) + _spell_key(key))
        return leaf


def _make_root(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    mark = x509.SubjectKeyIdentifier.from_public_key(key.public_key()).digest.hex()[:8]
    name = _name(f"Portward local authority {mark}")  # so that a browser's list tells two installations apart
    return (
        _builder(name, name, key, now, now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*uses: str) -> x509.KeyUsage:
    known = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{use: use in uses for use in known})


def _spell_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, kind, serialization.NoEncryption())


def _read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic-curve key")
    return key


def _unusable(directory: Path, reason: str) -> Environment:
    return Environment(
        f"the local authority in {directory} can't be used: {reason}",
        way_out="restore both files from a backup; or move the directory away for a new authority, "
        "which everybody who trusted the old one must then trust anew",
    )
