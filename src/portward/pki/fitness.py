"""Whether a certificate of the operator's own can be shown to browsers. Pure.

defects(bundle, now, roots)         # ['it expired on 2026-11-19'] and it is not used
remarks(bundle, hosts)              # ['it is for no host that is published'] and it is
"""

from collections.abc import Collection
from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from portward.pki.bundle import LONGEST, Bundle
from portward.pki.choice import covered


def defects(bundle: Bundle, now: datetime, roots: Collection[frozenset[str]]) -> list[str]:
    """Why it must not be shown; empty where it may.

    `roots` are the names of the authorities that this machine trusts, each as the set of its parts.
    """
    leaf, found = bundle.leaf, []
    if leaf.not_valid_after_utc <= now:
        found.append(f"it expired on {leaf.not_valid_after_utc:%Y-%m-%d}")
    if leaf.not_valid_before_utc > now:
        found.append(f"it is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on")
    expired = [one for one in bundle.chain if one.not_valid_after_utc <= now]
    found += [f"its issuer {_title(one.subject)} expired on {one.not_valid_after_utc:%Y-%m-%d}" for one in expired]
    if not bundle.names:
        found.append("it names no host (subject alternative name)")
    if not _is_for_servers(leaf):
        found.append("it is not meant for servers (extended key usage)")
    if not bundle.chain and roots and _values(leaf.issuer) not in roots and (url := _url_of_issuer(leaf)):
        found.append(f"the certificate of its issuer {_title(leaf.issuer)} is missing in the file; it is at {url}")
    if bundle.others:
        found.append(f"{_title(bundle.others[0].subject)} does not belong to its chain")
    if len(bundle.pem) > LONGEST:
        found.append(f"certificate, chain and key are longer than {LONGEST} bytes")
    return found


def remarks(bundle: Bundle, hosts: Collection[str]) -> list[str]:
    """What the operator should know of a certificate that is used."""
    found = []
    if bundle.reordered:
        found.append("its chain is not in order; it is served in the right one")
    if not any(covered(host, bundle.names) for host in hosts):
        found.append("it is for no host that is published: " + ", ".join(bundle.names))
    return found


def _is_for_servers(leaf: x509.Certificate) -> bool:
    try:
        uses = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return ExtendedKeyUsageOID.SERVER_AUTH in uses or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in uses


def _url_of_issuer(leaf: x509.Certificate) -> str:
    """Public authorities say where an issuer's certificate is to be had (RFC 5280 section 4.2.2.1)."""
    try:
        access = leaf.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    urls = [
        one.access_location.value for one in access if one.access_method == AuthorityInformationAccessOID.CA_ISSUERS
    ]
    return str(urls[0]) if urls else ""


def _values(name: x509.Name) -> frozenset[str]:
    return frozenset(str(part.value) for part in name)


def _title(name: x509.Name) -> str:
    return name.rfc4514_string()
