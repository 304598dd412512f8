"""What the configuration says of devices, as far as no single value shows it.

list(check_devices(settings))           # rules that contradict each other
list(check_device_files(settings))      # authorities and revocation lists that can't be used
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from portward.config.findings import Finding
from portward.config.lines import KeyPath
from portward.config.settings import Settings
from portward.model import Route

if TYPE_CHECKING:
    from cryptography import x509

T = TypeVar("T")
Placed = tuple[KeyPath, Route]


def check_devices(placed: list[Placed]) -> Iterator[Finding]:
    """Every route with the path of the table that makes it."""
    shut = {route.host for _, route in placed if _is_shut(route)}
    for path, route in placed:
        if route.device == "second-factor" and not route.access.second_factor:
            yield Finding(
                (*path, "device"),
                "a device can't stand for a second factor where none is asked for",
                '"second-factor" together with `second-factor = true`',
                "add `second-factor = true`, or say required or ignored",
            )
        if route.device_refusal == "handshake" and route.device != "required":
            yield Finding(
                (*path, "device-refusal"),
                "only what demands a device can refuse the handshake",
                '"handshake" together with `device = "required"`',
                'add `device = "required"`, or take `device-refusal` away',
            )
        if route.host in shut and not _is_shut(route):
            yield Finding(
                path,
                f"{route.host} refuses the handshake for another service, and a handshake knows no paths",
                "one device rule for all of a host",
                'give both `device = "required"` and `device-refusal = "handshake"`, or this one a `host` of its own',
            )


def check_device_files(settings: Settings) -> Iterator[Finding]:
    """Files that can't be read, hold nothing, or leave an authority without the list that others have."""
    authorities: list[x509.Certificate] = []
    for number, name in enumerate(settings.devices.authorities):
        found = _read(name, certificates_in)
        if isinstance(found, str):
            expected = "a PEM file with the certificate of an authority"
            yield Finding(("devices", "authorities", number), f"{name} {found}", expected)
        else:
            authorities += found
    listed: set[x509.Name] = set()
    for number, name in enumerate(settings.devices.crl_files):
        lists = _read(name, lists_in)
        if isinstance(lists, str):
            yield Finding(("devices", "crl-files", number), f"{name} {lists}", "a PEM file with a revocation list")
        else:
            listed |= {entry.issuer for entry in lists}
    bare = sorted({one.subject.rfc4514_string() for one in authorities if one.subject not in listed})
    if settings.devices.crl_files and bare:
        yield Finding(
            ("devices", "crl-files"),
            f"no list is of {', '.join(bare)}, so that all of its devices would be refused",
            "a revocation list of each authority, or none at all",
        )


def certificates_in(content: bytes) -> "list[x509.Certificate]":
    """Raises `ValueError` where there is none, or one that is no authority's."""
    from cryptography import x509

    found = x509.load_pem_x509_certificates(content)
    for one in found:
        if not _signs_others(one):
            raise ValueError(f"holds {one.subject.rfc4514_string()}, which is no authority")
    return found


def lists_in(content: bytes) -> "list[x509.CertificateRevocationList]":
    """Raises `ValueError` where there is none."""
    from cryptography import x509

    begin, end = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"
    parts = [part.partition(end)[0] for part in content.split(begin)[1:]]
    if not parts:
        raise ValueError("holds no revocation list")
    return [x509.load_pem_x509_crl(begin + part + end) for part in parts]


def _signs_others(certificate: "x509.Certificate") -> bool:
    from cryptography import x509

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _read(name: str, parse: Callable[[bytes], T]) -> T | str:
    try:
        return parse(Path(name).read_bytes())
    except OSError as error:
        return f"can't be read: {error.strerror}"
    except ValueError as error:
        return str(error) if str(error).startswith("holds") else f"can't be read: {error}"


def _is_shut(route: Route) -> bool:
    return route.device == "required" and route.device_refusal == "handshake"
