"""The authority that signs for devices, and for nothing else: no browser is ever asked to trust it.

    authority = DeviceAuthority.open(state.devices, now)
    authority.sign(read_request(csr).public_key(), "phone", "ann", until, url, now)      # Issued(certificate=…, …)
    authority.revocation_list(revoked, now)                                   # DER (RFC 5280 section 5)

Only the edge trusts `device.crt`, so it needs no root above it: whoever steals `root.key` can make no device, and
whoever steals `device.key` no host. A certificate alone opens nothing: the edge lets in those that the store knows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portward.errors import Environment, Invalid
from portward.host.files import create, private_directory
from portward.pki.minting import SHA256, draft, key_usage, mark, name, new_key, read_key, signed_by, spell, spell_key
from portward.store.devices import Issued, Revoked

LIFE = timedelta(days=7300)
LIST_LIVES = timedelta(days=14)
"""A keeper that is away for this long leaves the edge without a valid list, and devices are refused then."""
LARGEST_REQUEST = 16 * 1024
_RSA_BITS = range(2048, 8193)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True)
class DeviceAuthority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def open(cls, directory: Path, now: datetime) -> Self:
        """Read `device.crt` and `device.key` (0600) from `directory`, or make what is missing, the key first.

        Raises `Environment` when they don't belong together, can't be read, or the certificate's time is over.
        """
        file, key_file = private_directory(directory) / "device.crt", directory / "device.key"
        if file.exists() and not key_file.exists():
            raise _unusable(directory, "device.key is missing")
        if not key_file.exists():
            create(key_file, spell_key(new_key()))
        try:
            key = read_key(key_file.read_bytes())
            if not file.exists():
                create(file, spell(_make(key, now)), mode=0o644)
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
        except ValueError as error:
            raise _unusable(directory, f"its files can't be read: {error}") from error
        if certificate.public_key() != key.public_key():
            raise _unusable(directory, "device.crt and device.key don't belong together")
        if certificate.not_valid_after_utc <= now:
            raise _unusable(directory, f"device.crt expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
        return cls(certificate, key)

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return spell(self.certificate)

    @property
    def title(self) -> str:
        """The common name under which it signs."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    def sign(
        self,
        public: CertificatePublicKeyTypes,
        device: str,
        account: str,
        until: datetime,
        list_url: str,
        now: datetime,
    ) -> Issued:
        """A certificate for a key that whoever asks has shown to hold."""
        subject = x509.Name(
            [x509.NameAttribute(NameOID.USER_ID, account), x509.NameAttribute(NameOID.COMMON_NAME, device)]
        )
        end = min(until, self.certificate.not_valid_after_utc)
        published = x509.DistributionPoint([x509.UniformResourceIdentifier(list_url)], None, None, None)
        leaf = (
            draft(subject, self.certificate.subject, public, now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.CRLDistributionPoints([published]), critical=False)
            .add_extension(signed_by(self.certificate), critical=False)
            .sign(self.key, SHA256)
        )
        return Issued(
            certificate=spell(leaf).decode(),
            fingerprint=leaf.fingerprint(SHA256).hex(),
            serial=f"{leaf.serial_number:x}",
            issued_at=now,
            expires_at=leaf.not_valid_after_utc,
        )

    def revocation_list(self, revoked: Sequence[Revoked], now: datetime) -> bytes:
        """The list of what is revoked, DER; it counts for two weeks, and is made anew each day."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now)
            .next_update(now + LIST_LIVES)
            .add_extension(x509.CRLNumber(int(now.timestamp() * 1_000_000)), critical=False)
            .add_extension(signed_by(self.certificate), critical=False)
        )
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(int(one.serial, 16))
            builder = builder.add_revoked_certificate(entry.revocation_date(one.revoked_at).build())
        return builder.sign(self.key, SHA256).public_bytes(serialization.Encoding.DER)


def read_request(text: str) -> x509.CertificateSigningRequest:
    """A PKCS#10 request in PEM whose sender holds the key (RFC 2986: it is signed with it). Raises `Invalid`.

    Only its key is of use: what a device is called, and what it may be used for, is not for the request to say.
    """
    if len(text) > LARGEST_REQUEST:
        raise Invalid("the signing request is larger than 16 KB", way_out=_WAY_OUT)
    try:
        request = x509.load_pem_x509_csr(text.strip().encode() + b"\n")
        signed, public = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError) as error:
        raise Invalid("this is no signing request (PKCS#10, PEM)", way_out=_WAY_OUT) from error
    if not signed:
        raise Invalid("the signing request is not signed with the key that it is for", way_out=_WAY_OUT)
    strong = (
        (isinstance(public, rsa.RSAPublicKey) and public.key_size in _RSA_BITS)
        or (isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, _CURVES))
        or isinstance(public, ed25519.Ed25519PublicKey)
    )
    if not strong:
        raise Invalid("the request's key is of a kind or a size that is not accepted", way_out=_WAY_OUT)
    return request


_WAY_OUT = "`openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout device.key -subj /CN=device`"


def _make(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    title = name(f"Portward devices {mark(key.public_key())}")
    return (
        draft(title, title, key.public_key(), now, now + LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, SHA256)
    )


def _unusable(directory: Path, reason: str) -> Environment:
    return Environment(
        f"the authority for devices in {directory} can't be used: {reason}",
        way_out="restore both files from a backup; or move the directory away for a new authority, "
        "for which every device must be enrolled anew",
    )
