"""The parts of certificates that we make ourselves: keys, names, extensions (RFC 5280 section 4.2).

key = new_key()
draft(name("wiki.example.com"), issuer.certificate, key.public_key(), now, end).sign(issuer.key, SHA256)
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

SHA256 = hashes.SHA256()
_SKEW = timedelta(hours=1)
"""Clients whose clock is behind by this much still accept a new certificate."""
_USES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spell_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, kind, serialization.NoEncryption())


def read_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """Raises `ValueError` for anything but an elliptic-curve key in the clear."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not an elliptic-curve key")
    return key


def spell(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def common_name(of: x509.Name) -> str:
    """The common name, else the organization's, else everything."""
    values = of.get_attributes_for_oid(NameOID.COMMON_NAME) or of.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return str(values[0].value) if values else of.rfc4514_string()


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 as people compare it: `3F:2A:…`."""
    return certificate.fingerprint(SHA256).hex(":").upper()


def mark(key: ec.EllipticCurvePublicKey) -> str:
    """Eight hex digits that tell one installation's authority from another's."""
    return x509.SubjectKeyIdentifier.from_public_key(key).digest.hex()[:8]


def draft(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now: datetime, end: datetime
) -> x509.CertificateBuilder:
    """A builder with everything that each certificate has: names, key, dates, a random serial number."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def signed_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def key_usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in uses for use in _USES})


def permitting(names: Iterable[str]) -> x509.NameConstraints:
    """Only these DNS names and what is below them, and no IP address at all (RFC 5280 section 4.2.1.10)."""
    addresses = [x509.IPAddress(ip_network(text)) for text in ("0.0.0.0/0", "::/0")]
    return x509.NameConstraints([x509.DNSName(text) for text in names], addresses)
