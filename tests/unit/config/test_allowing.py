"""`portward allow` edits the file of a person, who finds everything else as it was."""

from pathlib import Path

import pytest

from portward.config.allowing import allow, allowed_in, disallow
from portward.config.reading import parse
from portward.errors import Conflict, Invalid, NotFound

LINES = """# ours
[defence]
allow = [  # who may always knock
  "10.0.0.0/8",  # home
  # the office moved in 2025
  "192.0.2.0/24",  # office
]
deny = []  # nobody yet

[services.wiki]
upstream = "demo"
"""


def check(text: str) -> list[str]:
    """What a text allows, when it is a portward.toml at all."""
    return [str(network) for network in parse(text, Path("portward.toml"), {}).defence.allow]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'domain = "example.com"\n',
        "[defence]\n",
        '[defence]\ndeny = []\n\n[services.wiki]\nupstream = "demo"\n',
        "[defence]\nallow = []\n",
        '[defence.detectors.login]\ntries = 3\n\n[services.wiki]\nupstream = "demo"\n',
        '[[defence.lists]]\nname = "own"\nfile = "own.txt"\n',
        "defence = { deny = [] }\n",
        "defence = { allow = [] }\n",
        'defence.deny = []\n\n[services.wiki]\nupstream = "demo"\n',
        "defence.allow = []\n",
    ],
)
@pytest.mark.parametrize("comment", ["", "the office"])
def test_a_network_comes_and_goes_in_any_file(text: str, comment: str) -> None:
    added = allow(text, "198.51.100.7", comment)
    assert check(added) == ["198.51.100.7/32"]
    more = allow(added, "2001:db8::/32")
    assert check(more) == ["198.51.100.7/32", "2001:db8::/32"]
    assert all(line in more for line in text.replace("[]", "").splitlines() if "{" not in line)
    assert check(disallow(disallow(more, "198.51.100.7/32"), "2001:db8::/32")) == []


def test_a_list_with_lines_keeps_its_lines_and_comments() -> None:
    added = allow(LINES, "198.51.100.7", "ann's phone")
    assert '  "198.51.100.7", # ann\'s phone\n' in added
    assert [line for line in LINES.splitlines() if line not in added.splitlines()] == []
    assert disallow(added, "192.0.2.0/24").count("office") == 1
    assert check(disallow(added, "10.0.0.0/8")) == ["192.0.2.0/24", "198.51.100.7/32"]


def test_a_comment_stays_a_comment() -> None:
    added = allow("", "198.51.100.7", 'x\n[services.evil]\nupstream = "demo"')
    assert parse(added, Path("portward.toml"), {}).services == {}


def test_what_can_not_be_done_is_told() -> None:
    with pytest.raises(Conflict, match=r"192.0.2.0/24 is allowed already"):
        allow(LINES, "192.0.2.0/24")
    with pytest.raises(NotFound):
        disallow(LINES, "192.0.2.1")
    with pytest.raises(Invalid, match="bits set right of its mask"):
        allow(LINES, "192.0.2.1/24")
    assert allowed_in("[defence]\nallow = [7]\n") == []
