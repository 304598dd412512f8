"""A root as version 0.1 made it: no authority may stand between it and a leaf (`pathlen:0`).

root = make_old_root(directory, now)        # root.crt and root.key in that directory
"""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from portward.pki.minting import SHA256, draft, key_usage, name, new_key, spell, spell_key


def make_old_root(directory: Path, now: datetime) -> x509.Certificate:
    key, title = new_key(), name("Portward local authority 01234567")
    root = (
        draft(title, title, key.public_key(), now, now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, SHA256)
    )
    (directory / "root.crt").write_bytes(spell(root))
    (directory / "root.key").write_bytes(spell_key(key))
    return root
