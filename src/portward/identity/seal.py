"""Secrets that must be read again (TOTP), sealed with a key that does not lie in the store.

    seal = Seal.open(state / "secret.key")
    sealed = seal.close(b"JBSWY3DP…", "ann")
    seal.reveal(sealed, "ann")

AES-256-GCM with a random nonce. The account's name is authenticated with it, so that a row copied to another account
is worthless there.
"""

import hashlib
import hmac
import os
from pathlib import Path

from portward.errors import StoreError

_KEY, _NONCE = 32, 12


class Seal:
    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def open(cls, path: Path) -> "Seal":
        """Read the key (0600), or make one where there is none. Raises `StoreError` for a damaged one."""
        if not path.exists():
            _make(path)
        key = path.read_bytes()
        if len(key) != _KEY:
            raise StoreError(f"{path} is no key of {_KEY} bytes", way_out="put the file back from a backup")
        return cls(key)

    def close(self, secret: bytes, account: str) -> bytes:
        """Nonce and sealed secret."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self._key).encrypt(nonce, secret, account.encode())

    def reveal(self, sealed: bytes, account: str) -> bytes:
        """Raises `StoreError` when it was sealed with another key or for another account."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        try:
            return AESGCM(self._key).decrypt(sealed[:_NONCE], sealed[_NONCE:], account.encode())
        except InvalidTag as error:
            raise StoreError(
                f"the second factor of {account!r} can't be read with this secret.key",
                way_out="put the store and secret.key back from the same backup, or drop it: `portward recover`",
            ) from error

    def mark(self, code: str, account: str) -> str:
        """How a recovery code is kept: HMAC-SHA-256. 49 bits under a bare hash would not outlast a stolen store."""
        return hmac.new(self._key, f"recovery|{account}|{code}".encode(), hashlib.sha256).hexdigest()

    def prove(self, purpose: str, content: bytes) -> bytes:
        """HMAC-SHA-256 of what was given out for this purpose alone, to know it again. No purpose begins another."""
        return hmac.new(self._key, f"proof|{len(purpose)}|{purpose}|".encode() + content, hashlib.sha256).digest()


def _make(path: Path) -> None:
    """Written beside its place and linked there: it appears whole, and two makers agree on one key."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(_KEY))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
