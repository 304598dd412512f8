"""Times and devices as people would say them."""

from datetime import UTC, datetime, timedelta

import pytest

from portward.portal.wording import Device, ago, device, moment, waiting

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
WEBKIT = "AppleWebKit/605.1.15 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=6), "6 d ago"),
        (timedelta(days=30), "21 Oct 2026"),
    ],
)
def test_the_time_since_is_said_in_its_largest_unit(passed: timedelta, said: str) -> None:
    assert ago(NOW, NOW - passed) == said


def test_a_moment_has_its_zone() -> None:
    assert moment(NOW) == "20 Nov 2026, 13:00 UTC"


@pytest.mark.parametrize(
    ("seconds", "said"), [(1, "1 second"), (8, "8 seconds"), (60, "1 minute"), (61, "2 minutes"), (300, "5 minutes")]
)
def test_a_wait_is_rounded_up(seconds: int, said: str) -> None:
    assert waiting(seconds) == said


@pytest.mark.parametrize(
    ("user_agent", "named"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            Device("Firefox on Linux", "laptop"),
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) {WEBKIT} Version/19.0 Mobile/15E148 Safari/604.1",
            Device("Safari on iPhone", "phone"),
        ),
        (
            f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/142.0 Safari/537.36 Edg/142.0",
            Device("Edge on Windows", "laptop"),
        ),
        ("curl/8.9", Device("curl", "terminal")),
        ("", Device("Unknown device", "laptop")),
    ],
)
def test_a_device_is_named_by_browser_and_system(user_agent: str, named: Device) -> None:
    assert device(user_agent) == named
