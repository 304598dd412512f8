"""Detectors: what ships, and what a file changes."""

from datetime import timedelta
from pathlib import Path

import pytest

from portward.config.detectors import Detectors
from portward.config.reading import parse
from portward.config.settings import Settings
from portward.defense.detectors import SHIPPED, detectors_of
from portward.errors import ConfigError

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_every_table_of_the_file_has_a_detector_that_ships() -> None:
    assert [name.replace("_", "-") for name in Detectors.model_fields] == [detector.name for detector in SHIPPED]


def test_one_knock_at_an_unknown_host_is_enough_for_a_year() -> None:
    shipped = detectors_of(Detectors())["unknown-host"]
    assert (shipped.tries, shipped.ban, shipped.mode) == (1, 365 * DAY, "enforce")


def test_a_table_changes_what_it_names_and_nothing_else() -> None:
    settings = Settings.model_validate({"defence": {"detectors": {"login": {"tries": 5, "mode": "shadow"}}}})
    changed = detectors_of(settings.defence.detectors)["login"]
    assert (changed.tries, changed.mode, changed.ban) == (5, "shadow", HOUR)


def test_a_detector_that_is_off_does_not_look() -> None:
    assert "tls" not in detectors_of(Detectors.model_validate({"tls": {"mode": "off"}}))


def test_bans_grow_up_to_the_cap() -> None:
    login = detectors_of(Detectors.model_validate({"login": {"grow": 3, "cap": "10h"}}))["login"]
    assert [login.length(earlier) / HOUR for earlier in (0, 1, 2, 3, 10**6)] == [1, 3, 9, 10, 10]


def test_a_first_ban_is_as_long_as_it_says_whatever_the_cap_that_ships() -> None:
    assert detectors_of(Detectors.model_validate({"login": {"ban": "90d"}}))["login"].length(0) == 90 * DAY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[defence.detectors.login]\ntries = 0", "at least 1"),
        ("[defence.detectors.logins]\ntries = 3", "did you mean `login`?"),
        ('[defence.detectors.login]\nmode = "on"', "'enforce', 'shadow' or 'off'"),
        ('[defence.detectors.tls]\nscope = "account"', "names no account"),
        ('[defence.detectors.tls]\nban = "2h"\ncap = "1h"', "shorter than the first ban"),
    ],
)
def test_what_can_not_be_meant_is_told_with_its_line(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"portward\.toml:\d") as caught:
        parse(text, tmp_path / "portward.toml", {})
    assert said in str(caught.value)
