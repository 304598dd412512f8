"""One GET that never leaves HTTPS, for the processes that fetch lists and data from their publishers.

    with opened("https://lists.example.com/drop.txt", {"If-None-Match": '"a1"'}) as answer:
        for chunk in in_time(answer.iter_bytes(), time.monotonic() + 180): ...

`httpx` raises what goes wrong on the way; whatever is no HTTPS raises `NotHttps`.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin, urlsplit

import httpx

from portward import __version__

HOPS = 5
_PATIENCE = httpx.Timeout(30, connect=10)


class NotHttps(Exception):
    """A redirect to anything else would give away what was asked for, and let anybody answer."""


@contextmanager
def opened(url: str, headers: Mapping[str, str], ca_file: str | None = None) -> Iterator[httpx.Response]:
    """The answer, its body not read yet. Raises `httpx.HTTPError`, `OSError`, `NotHttps`."""
    context = ssl.create_default_context(cafile=ca_file)
    agent = {"User-Agent": f"portward/{__version__}", **headers}
    with httpx.Client(verify=context, timeout=_PATIENCE, headers=agent) as client:
        for _ in range(HOPS):
            _require_https(url)
            with client.stream("GET", url) as answer:
                if not answer.has_redirect_location:
                    yield answer
                    return
                url = urljoin(url, answer.headers["location"])
    raise httpx.TooManyRedirects(f"it leads on and on, more than {HOPS} times")


def in_time(chunks: Iterator[bytes], until: float) -> Iterator[bytes]:
    """The same. Raises `httpx.ReadTimeout` for what still comes after `until`, however steadily."""
    for chunk in chunks:
        if time.monotonic() > until:
            raise httpx.ReadTimeout("it takes too long")
        yield chunk


def _require_https(url: str) -> None:
    try:
        fine = httpx.URL(url).scheme == "https" and urlsplit(url).hostname
    except (httpx.InvalidURL, ValueError):
        fine = False
    if not fine:
        raise NotHttps(f"{url[:200]!r} is no address that begins with https://")
