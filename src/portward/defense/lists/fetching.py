"""Gets the bytes of a list over HTTPS, only when they have changed.

    fetched = fetch("https://lists.example.com/drop.txt", seen=Seen(etag='"a1"'), ca_file=None)
    fetched.content, fetched.seen                 # None where the publisher says that nothing has changed

Raises `Unusable`, with a sentence for the operator.
"""

import time
from urllib.parse import urlsplit

import httpx

from portward.defense.https import NotHttps, in_time, opened
from portward.defense.lists.origin import Fetched, Seen, refuse_large
from portward.defense.lists.text import Unusable

_SECONDS = 180.0
_LONGEST_HEADER = 512


def fetch(url: str, *, seen: Seen, ca_file: str | None) -> Fetched:
    """A conditional GET (RFC 9110 section 13)."""
    known = {"If-None-Match": seen.etag, "If-Modified-Since": seen.modified}
    try:
        with opened(url, {name: value for name, value in known.items() if value}, ca_file) as answer:
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return Fetched(None, seen)
            if answer.status_code != httpx.codes.OK:
                raise Unusable(f"{urlsplit(url).hostname} answers {answer.status_code} {answer.reason_phrase}")
            return Fetched(_body(answer), _seen(answer))
    except NotHttps as error:
        raise Unusable(f"it leads astray: {error}") from None
    except (httpx.HTTPError, OSError) as error:
        raise Unusable(f"{urlsplit(url).hostname} does not give it away: {error or type(error).__name__}") from None


def _body(answer: httpx.Response) -> bytes:
    """Unpacked bytes are counted, so that a small answer can't become an endless one."""
    content = bytearray()
    for chunk in in_time(answer.iter_bytes(), time.monotonic() + _SECONDS):
        content += chunk
        refuse_large(len(content))
    return bytes(content)


def _seen(answer: httpx.Response) -> Seen:
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return Seen(etag[:_LONGEST_HEADER], modified[:_LONGEST_HEADER])
