"""Private keys as PEM: an account's, and a certificate's.

new_key("ecdsa")                  # b'-----BEGIN PRIVATE KEY-----…'
"""

from typing import Literal

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from josepy.jwk import JWKEC
from josepy.util import ComparableECKey


def new_key(kind: Literal["ecdsa", "rsa"]) -> bytes:
    """P-256, or RSA with 2048 bits; PKCS #8 without a password."""
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, 2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def jwk(pem: bytes) -> JWKEC:
    """An account's key, ready to sign."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("an account's key is on the curve P-256")
    return JWKEC(key=ComparableECKey(key))
