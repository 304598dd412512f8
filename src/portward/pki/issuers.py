"""The intermediate of the local authority: it signs day by day, so that the root's key may lie in a safe.

    issuer = Issuer.read(directory / "hosts.pem")
    issuer.permits("wiki.example.com")

It signs for the hosts of the configured domains and nothing else.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from portward.pki.minting import (
    SHA256,
    draft,
    key_usage,
    mark,
    name,
    new_key,
    permitting,
    read_key,
    signed_by,
    spell,
    spell_key,
)

LIFE = timedelta(days=3 * 365)
RENEWED = timedelta(days=365)
"""With less than this left, a new one is made as soon as the root's key is there."""


@dataclass(frozen=True, slots=True)
class Issuer:
    """Who signs: certificate, key, and the chain that a leaf of it needs (empty where the root itself signs)."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @classmethod
    def read(cls, file: Path) -> Self:
        """Raises `FileNotFoundError`, and `ValueError` for a file that is damaged."""
        pem = file.read_bytes()
        certificate, key = x509.load_pem_x509_certificate(pem), read_key(pem)
        if certificate.public_key() != key.public_key():
            raise ValueError("certificate and key don't belong together")
        return cls(certificate, key, (certificate,))

    @property
    def pem(self) -> bytes:
        return spell(self.certificate) + spell_key(self.key)

    @property
    def permitted(self) -> frozenset[str]:
        """The names that it may sign for, with all that is below them; empty where it is not constrained."""
        try:
            constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return frozenset()
        return frozenset(str(tree.value) for tree in constraints.permitted_subtrees or ())

    def permits(self, host: str) -> bool:
        permitted = self.permitted
        return not permitted or any(below(host, tree) for tree in permitted)


def make_issuer(
    root: x509.Certificate, root_key: ec.EllipticCurvePrivateKey, names: Collection[str], now: datetime
) -> Issuer:
    """A new intermediate with a new key, permitted to sign for `names` and what is below them."""
    key = new_key()
    subject = name(f"Portward hosts {mark(key.public_key())}")
    end = min(now + LIFE, root.not_valid_after_utc)
    certificate = (
        draft(subject, root.subject, key.public_key(), now, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(permitting(sorted(names)), critical=True)
        .add_extension(signed_by(root), critical=False)
        .sign(root_key, SHA256)
    )
    return Issuer(certificate, key, (certificate,))


def below(host: str, tree: str) -> bool:
    """Whether a host is a name or lies below it."""
    return host == tree or host.endswith(f".{tree}")
