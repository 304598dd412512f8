"""How values are printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.cli.output import printable, spell


@given(st.text())
def test_nothing_that_is_printed_steers_a_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert spell([text, {text: text}]).isprintable()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ({"path": "/x", "status": 403}, "path=/x, status=403"),
        ("plain", "plain"),
        ("2026-13-31T12:00:00+00:00", "2026-13-31T12:00:00+00:00"),
    ],
)
def test_a_value_is_spelt_for_people(value: object, text: str) -> None:
    assert spell(value) == text


def test_a_time_is_shown_to_the_second() -> None:
    assert len(spell("2026-01-31T12:00:00.123456+00:00")) == len("2026-01-31 12:00:00")
