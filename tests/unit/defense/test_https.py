import time
from collections.abc import Iterator

import httpx
import pytest

from portward.defense.https import NotHttps, in_time, opened


@pytest.mark.parametrize(
    "url", ["http://lists.example", "file:///etc/passwd", "https://", "https://[", "x", "https://a\nb"]
)
def test_nothing_but_https_is_asked(url: str) -> None:
    with pytest.raises(NotHttps, match="https://"), opened(url, {}):
        pass


def test_what_drips_for_longer_than_it_may_is_given_up() -> None:
    def drip() -> Iterator[bytes]:
        while True:
            yield b"x"

    with pytest.raises(httpx.ReadTimeout, match="too long"):
        for _ in in_time(drip(), time.monotonic() + 0.05):
            pass
