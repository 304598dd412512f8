"""Random strings that stand for something, and the hashes under which the store keeps them.

    token = new_token()                              # 256 bits, base64url, 43 characters
    host_key(token, "hello.example.com")             # 'C0FF…', the key of one line of the edge's sessions.map

A token is known to one browser alone. Whoever reads the store learns hashes of 256 random bits, which can't be undone.
"""

import hashlib
import secrets

BITS = 256


def new_token() -> str:
    """256 random bits in base64url without padding."""
    return secrets.token_urlsafe(BITS // 8)


def new_id() -> str:
    """A short random name for a session: it identifies, and opens nothing. 80 bits in lower-case hex."""
    return secrets.token_hex(10)


def host_key(token: str, host: str) -> str:
    """Upper-case hex of SHA-256(token|host): the host is inside the hash, so that a token is worthless elsewhere."""
    return hashlib.sha256(f"{token}|{host}".encode()).hexdigest().upper()


def digest(token: str) -> str:
    """Lower-case hex of SHA-256: under this the store keeps links, tickets and hand-over codes."""
    return hashlib.sha256(token.encode()).hexdigest()
