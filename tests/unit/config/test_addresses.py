"""Which addresses are this machine's own."""

import pytest

from portward.config.addresses import is_own


@pytest.mark.parametrize("host", ["localhost", "x.localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"])  # noqa: S104
def test_loopback_is_our_own(host: str) -> None:
    assert is_own(host)


@pytest.mark.parametrize("host", ["192.0.2.55", "2001:db8::55", "nas.lan", "localhost.example.com"])
def test_others_are_not(host: str) -> None:
    assert not is_own(host)
