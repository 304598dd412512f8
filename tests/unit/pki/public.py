"""An authority as the public ones are: a root, an intermediate, and leaves with any names, kinds of key and dates.

PublicAuthority(now).issue("wiki.example.com", "*.example.com", days=30)      # PEM: leaf, intermediate, key
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from portward.pki.minting import SHA256, draft, key_usage, name, new_key, signed_by, spell

_WHERE = x509.AuthorityInformationAccess(
    [
        x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier("http://ca.example/i.crt")
        )
    ]
)


class PublicAuthority:
    def __init__(self, now: datetime, title: str = "Pretend Public") -> None:
        self.now, self._end = now, now + timedelta(days=3650)
        root_key, self.key = new_key(), new_key()
        self.root = self._authority(f"{title} root", root_key, f"{title} root", root_key)
        self.intermediate = self._authority(f"{title} intermediate", self.key, f"{title} root", root_key)

    def issue(
        self,
        *names: str,
        days: float = 90,
        key: rsa.RSAPrivateKey | None = None,
        direct: bool = False,
        for_clients: bool = False,
    ) -> bytes:
        """Valid for `days` from now on; negative: it was until then. `direct` leaves the intermediate out."""
        own = key or new_key()
        begin = self.now if days > 0 else self.now + timedelta(days=days - 1)
        leaf = (
            draft(
                name(names[0] if names else "nobody"), self.intermediate.subject, _public(own), begin, self._date(days)
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(signed_by(self.intermediate), critical=False)
            .add_extension(_WHERE, critical=False)
        )
        if names:
            leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        if for_clients:
            leaf = leaf.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        chain = () if direct else (self.intermediate,)
        return b"".join(spell(one) for one in (leaf.sign(self.key, SHA256), *chain)) + _spell(own)

    @property
    def pem(self) -> bytes:
        """Its intermediate."""
        return spell(self.intermediate)

    @property
    def key_pem(self) -> bytes:
        """Its key, which is no leaf's."""
        return _spell(self.key)

    def _date(self, days: float) -> datetime:
        return self.now + timedelta(days=days)

    def _authority(
        self, title: str, key: ec.EllipticCurvePrivateKey, issuer: str, signer: ec.EllipticCurvePrivateKey
    ) -> x509.Certificate:
        return (
            draft(name(title), name(issuer), key.public_key(), self.now - timedelta(days=400), self._end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
            .sign(signer, SHA256)
        )


def _public(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> ec.EllipticCurvePublicKey:
    return key.public_key()  # type: ignore[return-value]


def _spell(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, kind, serialization.NoEncryption())
