"""Which algorithms are spoken: those that ssh-audit's hardened policy for OpenSSH lists, and no others.

Every cipher is an AEAD, so no MAC is ever negotiated apart from it. AES-GCM stands first: beside being the faster one
on every CPU of the last ten years, a small packet costs a tenth of what ChaCha20-Poly1305 costs here. The client's
order decides, though; see connection.py for how OpenSSH's is helped.
"""

KEY_EXCHANGE = ("mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org")
FAST_CIPHERS = ("aes256-gcm@openssh.com", "aes128-gcm@openssh.com")
CIPHERS = (*FAST_CIPHERS, "chacha20-poly1305@openssh.com")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "umac-128-etm@openssh.com")
SIGNATURES = (
    "ssh-ed25519",
    "sk-ssh-ed25519@openssh.com",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ecdsa-sha2-nistp256@openssh.com",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
COMPRESSION = ("none", "zlib@openssh.com")
"""Compression begins after the login only."""
