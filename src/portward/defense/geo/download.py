"""Fetches one file over HTTPS into a file: bounded in size and time, and checked where a digest is known.

    download("https://example.com/countries.mmdb.gz", target)           # Fetched(size=5078240, modified='2026-06-17')
    download(url, target, integrity="sha512-51+VW5eP…")                  # as npm writes them (W3C SRI)

For the process that reads data about countries (fetch.py), which may wait for the network.
"""

import hashlib
import hmac
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO

import httpx

from portward.defense.https import NotHttps, in_time, opened
from portward.errors import Invalid, PortwardError

MOST_BYTES = 256 << 20
SECONDS = 300.0


class NotFetched(PortwardError):
    """The network, or the server there, did not give the file."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`modified` is the day that the server names, as 2026-06-17; empty where it names none."""

    size: int
    modified: str


def download(url: str, target: Path, *, integrity: str = "") -> Fetched:
    """Raises `Invalid` for a file that is too large or not the expected one, `NotFetched` where nothing comes."""
    try:
        with opened(url, {}) as answer, target.open("wb") as out:
            if answer.status_code != httpx.codes.OK:
                raise _not_fetched(url, f"the server answers {answer.status_code} {answer.reason_phrase}")
            digest, size = _copy(in_time(answer.iter_raw(), time.monotonic() + SECONDS), out)
            modified = _day(answer.headers.get("Last-Modified", ""))
    except NotHttps as error:
        raise Invalid(str(error), way_out="download it, and give it as --file") from error
    except (httpx.HTTPError, OSError) as error:
        raise _not_fetched(url, str(error) or type(error).__name__) from error
    check_digest(digest, integrity)
    return Fetched(size, modified)


def _not_fetched(url: str, why: str) -> NotFetched:
    way_out = "look at the address and the network; or download it elsewhere, and give it as --file"
    return NotFetched(f"{url} could not be fetched: {why}", way_out=way_out)


def check_digest(digest: bytes, integrity: str) -> None:
    """Raises `Invalid` where a SHA-512 is not the expected one; nothing is expected by an empty text."""
    if integrity and not hmac.compare_digest(f"sha512-{b64encode(digest).decode()}", integrity):
        raise Invalid("it is not the expected file: its SHA-512 is another one", way_out="it was cut off or replaced")


def _copy(parts: Iterator[bytes], out: IO[bytes]) -> tuple[bytes, int]:
    digest, size = hashlib.sha512(), 0
    for part in parts:
        size += len(part)
        if size > MOST_BYTES:
            raise Invalid(f"it is larger than {MOST_BYTES >> 20} MB")
        digest.update(part)
        out.write(part)
    return digest.digest(), size


def _day(header: str) -> str:
    try:
        return parsedate_to_datetime(header).astimezone(UTC).date().isoformat()
    except ValueError:
        return ""
