"""The files that [tls] names for ACME: whether they are there.

list(acme_files(settings.tls))      # [Finding(("tls", "ca-file"), "/etc/ca.pem: can't be read: …", …)]
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from portward.config.findings import Finding
from portward.config.lines import KeyPath
from portward.config.tls import Tls


def acme_files(tls: Tls) -> Iterator[Finding]:
    """A finding for each file that is not there; none unless ACME is asked for."""
    if tls.mode != "acme":
        return
    for path, name, expected in _named(tls):
        if problem := _problem(name):
            yield Finding(path, f"{name}: {problem}", expected, "correct the path; it is relative to portward.toml")
    if tls.dns and tls.dns.hook and Path(tls.dns.hook).is_file() and not os.access(tls.dns.hook, os.X_OK):
        yield Finding(("tls", "dns", "hook"), f"{tls.dns.hook} can't be run", "a program", f"chmod +x {tls.dns.hook}")


def _named(tls: Tls) -> Iterator[tuple[KeyPath, str, str]]:
    ca, key = "a PEM file with the certificate of an authority", "a file with the HMAC key, as the authority gave it"
    if tls.ca_file:
        yield ("tls", "ca-file"), tls.ca_file, ca
    for number, authority in enumerate(tls.authorities):
        if authority.ca_file:
            yield ("tls", "authorities", number, "ca-file"), authority.ca_file, ca
        if authority.eab_hmac_file:
            yield ("tls", "authorities", number, "eab-hmac-file"), authority.eab_hmac_file, key
    if tls.dns and tls.dns.credentials_file:
        yield ("tls", "dns", "credentials-file"), tls.dns.credentials_file, 'lines such as auth_token = "…"'
    if tls.dns and tls.dns.hook:
        yield ("tls", "dns", "hook"), tls.dns.hook, "a program"


def _problem(name: str) -> str:
    try:
        return "" if stat.S_ISREG(Path(name).stat().st_mode) else "is no file"
    except OSError as error:
        return f"can't be read: {error.strerror}"
