"""A device's key and certificate in one file that people can install: PKCS#12, and Apple's configuration profile.

    content = pack(authority.certificate, key, issued, password, "phone", old=True)       # a .p12 (RFC 7292)
    profile(content, "phone", "example.com")                                              # a .mobileconfig around it

Two spellings of PKCS#12: AES-256 with PBKDF2 and an HMAC of SHA-256, which Windows from 10 1709 (Server 2019), Android,
Firefox, Chromium and OpenSSL read; and 3DES with SHA-1, which is what Apple's importer and older Windows read.
macOS and iOS call the former "MAC verification failed" or "wrong password". 3DES is as strong as the password there,
and the password is random.
"""

import secrets
import uuid

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from portward.store.devices import Issued

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUPS, _EACH = 4, 5
_ROUNDS = 100_000


def new_password() -> str:
    """20 of 31 letters that nobody confuses, in groups: 99 bits."""
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(_EACH)) for _ in range(_GROUPS))


def pack(
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    issued: Issued,
    password: str,
    name: str,
    *,
    old: bool,
) -> bytes:
    """PKCS#12 with key, certificate and its authority's. `old`: for Apple and older Windows."""
    certificate = x509.load_pem_x509_certificate(issued.certificate.encode())
    protection = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_ROUNDS)
    if old:
        protection = protection.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        protection = protection.hmac_hash(hashes.SHA1())  # noqa: S303 - nothing newer is read there
    else:
        protection = protection.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        protection = protection.hmac_hash(hashes.SHA256())
    return pkcs12.serialize_key_and_certificates(
        name.encode(), key, certificate, [authority], protection.build(password.encode())
    )


def profile(content: bytes, name: str, domain: str) -> bytes:
    """A configuration profile with one identity; the device asks for the password of `content` when it installs it.

    Payloads: Apple's "Device Management", CertificatePKCS12 (`com.apple.security.pkcs12`).
    """
    import plistlib  # rarely needed, and it loads an XML parser

    unique = str(uuid.uuid4()).upper()
    identity = {
        "PayloadType": "com.apple.security.pkcs12",
        "PayloadVersion": 1,
        "PayloadIdentifier": f"portward.device.{unique}.identity",
        "PayloadUUID": str(uuid.uuid4()).upper(),
        "PayloadDisplayName": f"{name} at {domain}",
        "PayloadCertificateFileName": "device.p12",
        "PayloadContent": content,
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            "PayloadIdentifier": f"portward.device.{unique}",
            "PayloadUUID": unique,
            "PayloadDisplayName": f"{name} at {domain}",
            "PayloadDescription": f"The certificate with which this device opens services of {domain}.",
            "PayloadOrganization": domain,
            "PayloadContent": [identity],
        }
    )
