"""Where keys stand, in every way in which TOML lets one write them."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from portward.config.lines import KeyPath, line_of, lines, statements

EVERY_STYLE = '''\
domain = "a.b" # not [a] table
listen.https = [
  ":1",  # a ] in a comment
  ":2",
]
"quoted \\u0041.key" = """
three \\""" quotes
""""
'literal' = \'\'\'
[x]
\'\'\'
date = 1979-05-27 07:32:00

[services]
inline = { upstream = "x", routes = [ { path = "/a" }, { path = "/b", strip = true } ] }
[services.full]
upstream = "y"
[[services.full.routes]]
path = "/1"
[[services.full.routes]]
path = "/2"
sub.key = 1
[services.full.routes.table]
deep = true
'''


def paths_in(value: Any, at: KeyPath = ()) -> Iterator[KeyPath]:
    if at:
        yield at
    pairs: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, element in pairs:
        yield from paths_in(element, (*at, key))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("domain",), 1),
        (("listen", "https"), 2),
        (("listen", "https", 0), 3),
        (("listen", "https", 1), 4),
        (("quoted A.key",), 6),
        (("literal",), 9),
        (("date",), 12),
        (("services", "inline", "routes", 1, "strip"), 15),
        (("services", "full"), 16),
        (("services", "full", "upstream"), 17),
        (("services", "full", "routes", 0), 18),
        (("services", "full", "routes", 0, "path"), 19),
        (("services", "full", "routes", 1, "path"), 21),
        (("services", "full", "routes", 1, "sub", "key"), 22),
        (("services", "full", "routes", 1, "table", "deep"), 24),
    ],
)
def test_a_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    assert lines(EVERY_STYLE)[path] == line


def test_every_key_of_the_text_is_found_and_no_other() -> None:
    assert set(lines(EVERY_STYLE)) == set(paths_in(tomllib.loads(EVERY_STYLE)))


def test_a_missing_key_is_placed_at_the_table_that_lacks_it() -> None:
    assert line_of(("services", "full", "host"), lines(EVERY_STYLE)) == 16


def test_a_key_of_no_table_at_all_has_no_line() -> None:
    assert line_of(("limits", "requests"), lines("domain = 'a.b'")) == 0


def test_a_statement_holds_the_lines_of_its_whole_value() -> None:
    spans = [(found.first, found.last) for found in statements(EVERY_STYLE)]
    assert spans[:5] == [(1, 1), (2, 5), (6, 8), (9, 11), (12, 12)]


scalars = st.one_of(st.text(max_size=20), st.integers(-(2**60), 2**60), st.booleans(), st.datetimes())
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
)


@given(st.dictionaries(st.text(max_size=8), values, max_size=5))
def test_whatever_tomlkit_writes_is_found(data: dict[str, Any]) -> None:
    text = tomlkit.dumps(data)
    assert set(lines(text)) == set(paths_in(tomllib.loads(text)))
