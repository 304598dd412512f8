"""Gets the bytes of a list over HTTPS, only when they have changed.

    fetched = fetch("https://lists.example.com/drop.txt", seen=Seen(etag='"a1"'), ca_file=None)
    fetched.content, fetched.seen                 # None where the publisher says that nothing has changed

Raises `Unusable`, with a sentence for the operator.
"""

import ssl
import time
from urllib.parse import urljoin, urlsplit

import httpx

from portward import __version__
from portward.defense.lists.origin import Fetched, Seen, refuse_large
from portward.defense.lists.text import Unusable

_PATIENCE = httpx.Timeout(30, connect=10)
_SECONDS = 180.0
_HOPS = 5
_LONGEST_HEADER = 512


def fetch(url: str, *, seen: Seen, ca_file: str | None) -> Fetched:
    """A conditional GET (RFC 9110 section 13); redirects lead to https only."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
        with httpx.Client(verify=context, timeout=_PATIENCE, headers=_headers(seen)) as client:
            return _follow(client, url, seen)
    except (httpx.HTTPError, OSError) as error:
        raise Unusable(f"{urlsplit(url).hostname} does not give it away: {error or type(error).__name__}") from None


def _headers(seen: Seen) -> dict[str, str]:
    known = {"If-None-Match": seen.etag, "If-Modified-Since": seen.modified}
    return {"User-Agent": f"portward/{__version__}", **{name: value for name, value in known.items() if value}}


def _follow(client: httpx.Client, url: str, seen: Seen) -> Fetched:
    until = time.monotonic() + _SECONDS
    for _ in range(_HOPS):
        with client.stream("GET", url) as answer:
            if answer.has_redirect_location:
                url = urljoin(url, answer.headers["location"])
                if urlsplit(url).scheme != "https":
                    raise Unusable(f"it leads to {url[:200]!r}, which is not https")
                continue
            if answer.status_code == httpx.codes.NOT_MODIFIED:
                return Fetched(None, seen)
            if answer.status_code != httpx.codes.OK:
                raise Unusable(f"{urlsplit(url).hostname} answers {answer.status_code} {answer.reason_phrase}")
            return Fetched(_body(answer, until), _seen(answer))
    raise Unusable(f"it leads on and on, more than {_HOPS} times")


def _body(answer: httpx.Response, until: float) -> bytes:
    """Unpacked bytes are counted, so that a small answer can't become an endless one."""
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        refuse_large(len(content))
        if time.monotonic() > until:
            raise Unusable(f"it takes longer than {_SECONDS:.0f} s")
    return bytes(content)


def _seen(answer: httpx.Response) -> Seen:
    etag, modified = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    return Seen(etag[:_LONGEST_HEADER], modified[:_LONGEST_HEADER])
