"""Which of several certificates a host shows. Pure.

best(offers, "wiki.example.com", now)       # the operator's own file before a public one, before ours
objection(new, current, now)                # 'it has expired', or '' where the new one may take its place
"""

from collections.abc import Collection, Iterable
from datetime import datetime

from portward.model import Certificate

_SOURCES = {"local": 0, "acme": 2, "files": 3}
_STAGING = 1
"""A test certificate is worth more than none but our own, since somebody is trying that service out."""


def best(offers: Iterable[Certificate], host: str, now: datetime) -> Certificate | None:
    """The certificate that `host` should show; None where none of them covers it and is valid now."""
    fitting = [offer for offer in offers if covers(offer, host) and is_valid(offer, now)]
    return max(fitting, key=_rank, default=None)


def objection(new: Certificate, current: Certificate | None, now: datetime) -> str:
    """Why `new` must not take the place of `current`; '' where it may."""
    if not is_valid(new, now):
        return "it has expired" if new.not_after <= now else f"it is valid from {new.not_before:%Y-%m-%d %H:%M} UTC on"
    if current is None or not is_valid(current, now):
        return ""
    if new.staging and not current.staging and current.source != "local":
        return "it comes from a test service, and the one in force is real"
    if _worth(new) < _worth(current):
        return "the operator's own file is in force" if current.source == "files" else "a better one is in force"
    if _rank(new) < _rank(current):
        return "the one in force was issued later"
    return ""


def covers(certificate: Certificate, host: str) -> bool:
    """Whether it is for this host."""
    return covered(host, certificate.names)


def covered(host: str, names: Collection[str]) -> bool:
    """Whether one of these names is the host's; a wildcard stands for one label (RFC 6125 section 6.4.3)."""
    parent = host.partition(".")[2]
    return host in names or (bool(parent) and f"*.{parent}" in names)


def is_valid(certificate: Certificate, now: datetime) -> bool:
    return certificate.not_before <= now < certificate.not_after


def _rank(certificate: Certificate) -> tuple[int, datetime, datetime, str]:
    return _worth(certificate), certificate.not_before, certificate.not_after, certificate.fingerprint


def _worth(certificate: Certificate) -> int:
    return _STAGING if certificate.staging and certificate.source != "files" else _SOURCES[certificate.source]
