"""A security key made of software, which can also lie.

key = SecurityKey("https://auth.example.com")
answer = key.make(options)              # the JSON that a browser would put into the form
answer = key.show(options)              # a counter one higher each time
answer = key.show(options, verified=False, origin="https://auth.example.net")
"""

import hashlib
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

_PRESENT, _VERIFIED, _ATTESTED = 1, 4, 64


class SecurityKey:
    """Holds one credential. `counts=False` is an authenticator without a counter, as phones are."""

    def __init__(self, origin: str, *, counts: bool = True) -> None:
        self.origin, self.count, self._step = origin, 0, int(counts)
        self._key, self.id, self._handle = ec.generate_private_key(ec.SECP256R1()), os.urandom(16), ""

    def make(self, options: Mapping[str, Any], *, verified: bool = True, origin: str = "") -> str:
        """Answer navigator.credentials.create()."""
        self._handle = options["user"]["id"]
        numbers = self._key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(public)
        data = self._data(options["rp"]["id"], verified=verified, flags=_ATTESTED) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"], origin)
        return self._spell(clientDataJSON=client, attestationObject=attestation)

    def show(self, options: Mapping[str, Any], *, verified: bool = True, origin: str = "", framed: bool = False) -> str:
        """Answer navigator.credentials.get()."""
        self.count += self._step
        client = self._client("webauthn.get", options["challenge"], origin, framed=framed)
        data = self._data(options["rpId"], verified=verified)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        handle = urlsafe_b64decode(self._handle + "==")
        return self._spell(clientDataJSON=client, authenticatorData=data, signature=signature, userHandle=handle)

    def _client(self, kind: str, challenge: str, origin: str, *, framed: bool = False) -> bytes:
        content = {"type": kind, "challenge": challenge, "origin": origin or self.origin, "crossOrigin": framed}
        return json.dumps(content).encode()

    def _data(self, host: str, *, verified: bool, flags: int = 0) -> bytes:
        said = flags | _PRESENT | (_VERIFIED if verified else 0)
        return hashlib.sha256(host.encode()).digest() + bytes([said]) + self.count.to_bytes(4, "big")

    def _spell(self, **response: bytes) -> str:
        id_ = spell(self.id)
        parts = {name: spell(value) for name, value in response.items()}
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": parts})


def spell(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()
