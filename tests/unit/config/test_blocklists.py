"""[[defence.lists]] in portward.toml."""

from datetime import timedelta
from pathlib import Path

import pytest

from portward.config.reading import parse
from portward.errors import ConfigError


def read(text: str) -> str:
    """The mistakes in a table [[defence.lists]]."""
    with pytest.raises(ConfigError) as caught:
        parse(f"[[defence.lists]]\n{text}", Path("portward.toml"), {})
    return str(caught.value)


def test_a_list_is_looked_at_once_a_day() -> None:
    text = '[[defence.lists]]\nname = "drop"\nurl = "https://lists.example.com/drop.txt?format=cidr"\n'
    (wanted,) = parse(text, Path("portward.toml"), {}).defence.lists
    assert (wanted.refresh, wanted.mode, wanted.most) == (timedelta(days=1), "enforce", 200_000)


def test_a_file_lies_beside_portward_toml() -> None:
    text = '[[defence.lists]]\nname = "own"\nfile = "own.txt"\n'
    (wanted,) = parse(text, Path("/etc/portward/portward.toml"), {}).defence.lists
    assert wanted.source == "/etc/portward/own.txt"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "drop"', "does not say where the list is"),
        ('name = "drop"\nurl = "https://a.example/x"\nfile = "x"', "does not say where the list is"),
        ('name = "drop"\nurl = "http://a.example/x"', "is no address of a list"),
        ('name = "drop"\nurl = "https://ann:secret@a.example/x"', "is no address of a list"),
        ('name = "drop"\nurl = "https://a.example/x"\nrefresh = "10s"', "too often"),
        ('name = "../drop"\nurl = "https://a.example/x"', "is no name of a list"),
        ('name = "a"\nfile = "x"\n[[defence.lists]]\nname = "a"\nfile = "y"', "two lists named a"),
    ],
)
def test_a_mistake_is_told(text: str, complaint: str) -> None:
    assert complaint in read(text)
