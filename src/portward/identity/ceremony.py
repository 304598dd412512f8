"""The ceremonies of Web Authentication (W3C, level 2) as values: what a browser is asked, and what its answer says.

    party = RelyingParty("auth.example.com", "https://auth.example.com:8443", "example.com")
    request(party, challenge, passkeys, verify=False)           # for navigator.credentials.get()
    shown(party, challenge, answer, passkey, verify=False)      # Shown(...), or None when it proves nothing

The relying party is the portal's host, not the domain: a service that was taken over could ask for passkeys of the
whole domain, as `blog.example.com` may claim to be `example.com` (section 5.1.3, RP ID).
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from portward.model import Account, Passkey

_ALGORITHMS = (-8, -7, -257)
"""EdDSA, ES256, RS256: what section 5.8.5 tells to take, best first."""
_TIMEOUT = 300_000
_LONGEST_ID = 1366
"""1023 bytes in base64url (section 5.1.3, step 19)."""
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError)
"""What parsing of bytes that somebody made up may raise, in json, cbor2, pyasn1 and cryptography."""

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks: the host that passkeys are for, the address that a browser must stand at, and a name for people."""

    id: str
    origin: str
    name: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a browser sent, not yet believed: whose passkey it says to be, and which challenge it answers."""

    text: str
    id: str
    challenge: str
    handle: str


@dataclass(frozen=True, slots=True)
class Made:
    """A new credential. `verifies`: the authenticator asked its owner for a PIN or a finger."""

    id: str
    public_key: bytes
    sign_count: int
    verifies: bool
    synced: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey was shown. `verified`: to its owner, not only to whoever holds the device."""

    sign_count: int
    verified: bool
    synced: bool


def creation(
    party: RelyingParty, challenge: str, account: Account, handle: str, known: Sequence[Passkey]
) -> dict[str, Any]:
    """`publicKey` of navigator.credentials.create(), bytes in base64url (section 5.4)."""
    return {
        "rp": {"id": party.id, "name": party.name},
        "user": {"id": handle, "name": account.name, "displayName": account.display_name or account.name},
        "challenge": challenge,
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in _ALGORITHMS],
        "timeout": _TIMEOUT,
        "excludeCredentials": _named(known),
        "authenticatorSelection": {"residentKey": "preferred", "userVerification": "preferred"},
        "attestation": "none",
    }


def request(party: RelyingParty, challenge: str, known: Sequence[Passkey], *, verify: bool) -> dict[str, Any]:
    """`publicKey` of navigator.credentials.get() (section 5.5). Without known passkeys any of this host may answer."""
    return {
        "rpId": party.id,
        "challenge": challenge,
        "timeout": _TIMEOUT,
        "allowCredentials": _named(known),
        "userVerification": "required" if verify else "preferred",
    }


def read(text: str) -> Answer | None:
    """The answer that a form brought, or None for anything else."""
    try:
        document = json.loads(text)
        client_data = json.loads(_bytes(document["response"]["clientDataJSON"]))
        parts = document["id"], client_data["challenge"], document["response"].get("userHandle") or ""
    except (*_MALFORMED, Error):
        return None
    framed = client_data.get("crossOrigin", False)
    if framed or not all(isinstance(part, str) and len(part) <= _LONGEST_ID for part in parts):
        return None
    return Answer(text, *parts)


def made(party: RelyingParty, answer: Answer) -> Made | None:
    """What was registered (section 7.1); None when the answer does not hold. The challenge has been judged."""
    from webauthn import verify_registration_response
    from webauthn.helpers.structs import CredentialDeviceType

    verified = _believe(
        lambda: verify_registration_response(
            credential=answer.text,
            expected_challenge=_bytes(answer.challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
        )
    )
    if verified is None:
        return None
    return Made(
        spell(verified.credential_id),
        verified.credential_public_key,
        verified.sign_count,
        verified.user_verified,
        verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
    )


def shown(party: RelyingParty, answer: Answer, passkey: Passkey, *, verify: bool) -> Shown | None:
    """What was shown (section 7.2); None when the answer does not hold. Challenge and counter are judged elsewhere."""
    from webauthn import verify_authentication_response
    from webauthn.helpers.structs import CredentialDeviceType

    if answer.id != passkey.id or answer.handle not in ("", passkey.handle):
        return None
    verified = _believe(
        lambda: verify_authentication_response(
            credential=answer.text,
            expected_challenge=_bytes(answer.challenge),
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,
            require_user_verification=verify,
        )
    )
    if verified is None:
        return None
    synced = verified.credential_device_type is CredentialDeviceType.MULTI_DEVICE
    return Shown(verified.new_sign_count, verified.user_verified, synced)


def _believe(verify: Callable[[], Found]) -> Found | None:
    from webauthn.helpers.exceptions import WebAuthnException

    try:
        return verify()
    except (WebAuthnException, *_MALFORMED):
        return None


def _named(known: Sequence[Passkey]) -> list[dict[str, str]]:
    return [{"type": "public-key", "id": passkey.id} for passkey in known]


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(f"{text}{'=' * (-len(text) % 4)}")


def spell(content: bytes) -> str:
    """Bytes as these ceremonies write them: base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()
