"""The local authority: makes certificates for hosts that no public authority can vouch for.

    authority = Authority.open(state.authority, now)
    authority.cover(["hello.example.com"], "example.com", now)      # an intermediate that may sign for these
    pem = authority.issue("hello.example.com", now)                 # leaf, intermediate, key

Devices trust `root.crt` alone. Its key signs the intermediate and nothing else, so `root.key` may be moved away once
that is there, and brought back when it must be renewed, or sign for another domain. A root that an earlier
version made signs its leaves itself, since it permits no authority below it (`direct`).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from portward.errors import Environment, Invalid
from portward.host.files import create, replace
from portward.model import Certificate
from portward.pki.bundle import Bundle
from portward.pki.issuers import RENEWED, Issuer, below, make_issuer
from portward.pki.minting import SHA256, draft, key_usage, mark, name, new_key, read_key, signed_by, spell, spell_key

ROOT_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
"""Browsers refuse more than 398 days, and Mozilla's recommendation is 90 to 366."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate, and the directory that holds it, its key and its intermediate."""

    root: x509.Certificate
    directory: Path

    @classmethod
    def open(cls, directory: Path, now: datetime) -> Self:
        """Read `root.crt` from `directory`, or make what is missing.

        The key is put there first and the root is made from the key that is there, so a creation that was killed is
        completed by the next, and two at once end with one pair. Raises `Environment` when the two don't belong
        together, can't be read, or the root's time is over.
        """
        root_file, key_file = directory / "root.crt", directory / "root.key"
        if not root_file.exists() and not key_file.exists():
            create(key_file, spell_key(new_key()))
        try:
            key = read_key(key_file.read_bytes()) if key_file.exists() else None
            if key and not root_file.exists():
                create(root_file, spell(_make_root(key, now)), mode=0o644)
            root = x509.load_pem_x509_certificate(root_file.read_bytes())
        except ValueError as error:
            raise _unusable(directory, f"its files can't be read: {error}") from error
        if key and root.public_key() != key.public_key():
            raise _unusable(directory, "root.crt and root.key don't belong together")
        if root.not_valid_after_utc <= now:
            raise _unusable(directory, f"root.crt expired on {root.not_valid_after_utc:%Y-%m-%d}")
        return cls(root, directory)

    @property
    def root_file(self) -> Path:
        return self.directory / "root.crt"

    @property
    def key_file(self) -> Path:
        """The root's key; may be away."""
        return self.directory / "root.key"

    @property
    def direct(self) -> bool:
        """Whether the root signs leaves itself, as those of earlier versions do."""
        return self.root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0

    def issuer(self, now: datetime) -> Issuer:
        """Who signs for hosts; renewed in its last year.

        Raises `Environment` where there is none, or none that is valid, and the root's key is away.
        """
        there = self._usable(now)
        if there and (there.certificate.not_valid_after_utc - now > RENEWED or not self.key_file.exists()):
            return there
        return self._make(there.permitted if there else frozenset(), now)

    def cover(self, hosts: Collection[str], domain: str, now: datetime) -> None:
        """See that the intermediate for hosts may sign for all of these: for `domain`, and for each host outside it.

        Raises `Environment` where that needs a new one and the root's key is away.
        """
        there = self._usable(now)
        missing = [host for host in hosts if there is None or not there.permits(host)]
        if missing:
            outside = {host for host in missing if not below(host, domain)}
            self._make({domain, *outside, *(there.permitted if there else ())}, now, because=missing[0])

    def renew(self, hosts: Collection[str], domain: str, now: datetime) -> None:
        """Make the intermediate anew, for `domain`, and for those of the hosts that are outside it.

        Raises `Environment` when the root's key is away.
        """
        self._make({domain, *(host for host in hosts if not below(host, domain))}, now)

    def present(self) -> Issuer | None:
        """The intermediate that there is, whatever its age; None where there is none, or the root signs itself.

        Raises `Environment` for one that is damaged, or not the root's.
        """
        try:
            issuer = Issuer.read(self._file)
            issuer.certificate.verify_directly_issued_by(self.root)
        except FileNotFoundError:
            return None
        except (ValueError, InvalidSignature) as error:
            reason = str(error) or "the root did not sign it"
            raise _unusable(self.directory, f"{self._file.name} can't be used: {reason}") from error
        return issuer

    def issue(self, host: str, now: datetime) -> bytes:
        """A new certificate for a host that is covered: leaf, intermediate and key (PEM).

        Raises `Invalid` for what is no host name in lower case, and `Environment` as `issuer`.
        """
        if not _HOST.fullmatch(host):
            raise Invalid(f"{host!r} is not a host name in lower case")
        issuer, key = self.issuer(now), new_key()
        if not issuer.permits(host):
            raise self._away(f"sign for {host}")
        subject = name(host) if len(host) <= 64 else name("Portward")  # a common name ends at 64 (RFC 5280, A.1)
        end = min(now + LEAF_LIFE, issuer.certificate.not_valid_after_utc)
        leaf = (
            draft(subject, issuer.certificate.subject, key.public_key(), now, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(signed_by(issuer.certificate), critical=False)
            .sign(issuer.key, SHA256)
        )
        return b"".join(spell(one) for one in (leaf, *issuer.chain)) + spell_key(key)

    def vouches_for(self, bundle: Bundle, host: str, now: datetime) -> bool:
        """Whether this certificate is ours, for this host alone, and has more than a third of its life before it."""
        leaf = bundle.leaf
        fresh = leaf.not_valid_before_utc <= now and not _is_due(leaf.not_valid_after_utc, now)
        return fresh and bundle.names == (host,) and self._issued(bundle)

    @staticmethod
    def is_due(certificate: Certificate, now: datetime) -> bool:
        """Whether one of ours has but a third of its life before it."""
        return _is_due(certificate.not_after, now)

    def _issued(self, bundle: Bundle) -> bool:
        last = bundle.chain[-1] if bundle.chain else bundle.leaf
        try:
            last.verify_directly_issued_by(self.root)
        except (ValueError, InvalidSignature):
            return False
        return True

    def _usable(self, now: datetime) -> Issuer | None:
        """Who can sign now, without anything being made."""
        if self.direct:
            return Issuer(self.root, self._root_key("sign certificates"))
        issuer = self.present()
        return issuer if issuer and issuer.certificate.not_valid_after_utc > now else None

    def _make(self, names: Collection[str], now: datetime, *, because: str = "") -> Issuer:
        key = self._root_key(f"sign for {because}" if because else "renew its intermediate")
        if self.direct:
            return Issuer(self.root, key)
        issuer = make_issuer(self.root, key, names, now)
        replace(self._file, issuer.pem)
        return issuer

    @property
    def _file(self) -> Path:
        return self.directory / "hosts.pem"

    def _root_key(self, wish: str) -> ec.EllipticCurvePrivateKey:
        try:
            key = read_key(self.key_file.read_bytes())
        except FileNotFoundError as error:
            raise self._away(wish) from error
        except ValueError as error:
            raise _unusable(self.directory, f"root.key can't be read: {error}") from error
        if key.public_key() != self.root.public_key():
            raise _unusable(self.directory, "root.crt and root.key don't belong together")
        return key

    def _away(self, wish: str) -> Environment:
        return Environment(
            f"the local authority can't {wish}: the root's key is away, and its intermediate does not allow it",
            way_out=f"bring root.key back to {self.key_file} for a moment, then: portward ca renew; or give the host a "
            "certificate of its own in tls.files",
        )


def _is_due(end: datetime, now: datetime) -> bool:
    return now >= end - LEAF_LIFE / 3


def _make_root(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    # The mark lets a browser's list tell two installations apart.
    title = name(f"Portward local authority {mark(key.public_key())}")
    return (
        draft(title, title, key.public_key(), now, now + ROOT_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, SHA256)
    )


def _unusable(directory: Path, reason: str) -> Environment:
    return Environment(
        f"the local authority in {directory} can't be used: {reason}",
        way_out="restore its files from a backup; or move the directory away for a new authority, "
        "which everybody who trusted the old one must then trust anew",
    )
