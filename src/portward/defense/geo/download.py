"""Fetches one file over HTTPS into a file: bounded in size and time, and checked where a digest is known.

    download("https://example.com/countries.mmdb.gz", target)           # Fetched(size=5078240, modified='2026-06-17')
    download(url, target, integrity="sha512-51+VW5eP…")                  # as npm writes them (W3C SRI)

For the process that reads data about countries (fetch.py), which may wait for the network.
"""

import hashlib
import hmac
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from portward.errors import Invalid, PortwardError

MOST_BYTES = 256 << 20
SECONDS = 300.0
_PATIENCE = 30.0
_CHUNK = 1 << 16


class NotFetched(PortwardError):
    """The network, or the server there, did not give the file."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`modified` is the day that the server names, as 2026-06-17; empty where it names none."""

    size: int
    modified: str


class _HttpsOnly(HTTPRedirectHandler):
    """A redirect to anything else would give away what was asked for, and let anybody answer."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        require_https(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_https(url: str) -> None:
    """Raises `Invalid` for any other scheme."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise Invalid(f"{url!r} is no address that begins with https://", way_out="download it, and give it as --file")


def download(url: str, target: Path, *, integrity: str = "") -> Fetched:
    """Raises `Invalid` for a file that is too large or not the expected one, `NotFetched` where nothing comes."""
    require_https(url)
    opener = build_opener(HTTPSHandler(context=ssl.create_default_context()), _HttpsOnly())
    request = Request(url, headers={"User-Agent": "portward"})  # noqa: S310 - https only
    try:
        with opener.open(request, timeout=_PATIENCE) as answer, target.open("wb") as out:
            digest, size = _copy(answer, out)
            modified = _day(answer.headers.get("Last-Modified", ""))
    except HTTPError as error:
        with error:
            raise _not_fetched(url, f"the server answers {error.code} {error.reason}") from error
    except (URLError, HTTPException, OSError) as error:
        raise _not_fetched(url, str(getattr(error, "reason", "") or error or type(error).__name__)) from error
    check_digest(digest, integrity)
    return Fetched(size, modified)


def _not_fetched(url: str, why: str) -> NotFetched:
    way_out = "look at the address and the network; or download it elsewhere, and give it as --file"
    return NotFetched(f"{url} could not be fetched: {why}", way_out=way_out)


def check_digest(digest: bytes, integrity: str) -> None:
    """Raises `Invalid` where a SHA-512 is not the expected one; nothing is expected by an empty text."""
    if integrity and not hmac.compare_digest(f"sha512-{b64encode(digest).decode()}", integrity):
        raise Invalid("it is not the expected file: its SHA-512 is another one", way_out="it was cut off or replaced")


def _copy(answer: IO[bytes], out: IO[bytes]) -> tuple[bytes, int]:
    digest, size, end = hashlib.sha512(), 0, time.monotonic() + SECONDS
    while part := answer.read(_CHUNK):
        size += len(part)
        if size > MOST_BYTES:
            raise Invalid(f"it is larger than {MOST_BYTES >> 20} MB")
        if time.monotonic() > end:
            raise NotFetched(f"it did not come within {SECONDS:.0f} s", way_out="give it as --file")
        digest.update(part)
        out.write(part)
    return digest.digest(), size


def _day(header: str) -> str:
    try:
        return parsedate_to_datetime(header).astimezone(UTC).date().isoformat()
    except ValueError:
        return ""
