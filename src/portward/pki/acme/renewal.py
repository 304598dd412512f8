"""When the authority itself wants a certificate to be renewed: ACME Renewal Information (RFC 9773).

advice = ask(client, pem, chance=random.random())
advice.renew_at                     # a moment within the suggested window; None where the authority has no opinion
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from josepy.json_util import encode_b64jose

from portward.pki.acme.network import Client, retry_after
from portward.pki.acme.troubles import Interrupted

_ASK_AGAIN = timedelta(hours=6)
_SOONEST, _LATEST = timedelta(minutes=1), timedelta(days=1)
"""RFC 9773 section 4.3.2: a Retry-After outside of sensible limits need not be followed."""


@dataclass(frozen=True, slots=True)
class Advice:
    renew_at: datetime | None
    ask_at: datetime


def ask(client: Client, pem: bytes, now: datetime, chance: float) -> Advice:
    """What the authority suggests for the certificate in `pem`. Raises the kinds of `troubles`."""
    url = client.directory.get("renewalInfo")
    if not isinstance(url, str):
        return Advice(None, now + _LATEST)
    answer = client.get(f"{url.rstrip('/')}/{identifier(pem)}")
    wait = timedelta(seconds=retry_after(answer, _ASK_AGAIN.total_seconds()))
    try:
        window = answer.json()["suggestedWindow"]
        renew_at = moment(datetime.fromisoformat(window["start"]), datetime.fromisoformat(window["end"]), chance)
    except (ValueError, KeyError, TypeError) as error:
        raise Interrupted(f"{url} answered something else than a window") from error
    return Advice(renew_at, now + min(max(wait, _SOONEST), _LATEST))


def moment(start: datetime, end: datetime, chance: float) -> datetime:
    """A moment of the window, chosen by `chance` (0 to 1), so that not all clients come at once."""
    if end <= start:
        raise ValueError("the window ends before it begins")
    return (start + (end - start) * chance).astimezone(UTC)


def identifier(pem: bytes) -> str:
    """What a certificate is called there (RFC 9773 section 4.1): its issuer's key and its serial."""
    leaf = x509.load_pem_x509_certificate(pem)
    issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""
    serial = leaf.serial_number.to_bytes(leaf.serial_number.bit_length() // 8 + 1, "big")
    return ".".join(encode_b64jose(part) for part in (issuer, serial))
