"""Descriptions of log lines: how they are read, and which of them would let an attacker blame somebody else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.config.ambiguity import doubtful_line
from portward.config.shipped import shipped, shipped_names
from portward.config.spelling import Misspelt
from portward.config.templates import parse_template


def matches(template: str, line: str) -> bool:
    return re.fullmatch(parse_template(template).grammar.regex, line) is not None


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("from {address}", "from 203.0.113.7"),
        ("from {address}", "from 2001:db8::7"),
        ("from {address}", "from ::ffff:203.0.113.7"),
        ("user={name:word}, rip={address}", "user=ann, rip=203.0.113.7"),
        ('user "{name:quoted}" at {address}', r'user "a\"b" at 203.0.113.7'),
        ("{{{number}}} of {address}", "{5} of 203.0.113.7"),
        ("{closed|reset} by {|invalid }{address}", "reset by 203.0.113.7"),
        ("{time} {address}", "2026-11-20T19:05:03.123+01:00 203.0.113.7"),
        ("{time} {address}", "2026-11-20 19:05:03,123 203.0.113.7"),
        ("{time} {address}", "2026/11/20 19:05:03 203.0.113.7"),
        ("{time} {address}", "20/Nov/2026:19:05:03 +0000 203.0.113.7"),
        ("{time} {address}", "20/Nov/2026:19:05:03.123 203.0.113.7"),
        ("{time} {address}", "Fri Nov 20 19:05:03.123456 2026 203.0.113.7"),
        ("{time} {address}", "Nov  2 19:05:03 203.0.113.7"),
        ("{time} {address}", "1795201503.123 203.0.113.7"),
    ],
)
def test_a_field_takes_what_it_stands_for(template: str, line: str) -> None:
    assert matches(template, line)


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("from {address}", "from 203.0.113.7 "),
        ("from {address}", "x from 203.0.113.7"),
        ("from {address}", "from 203.0.113.700"),
        ("from {address}", "from 203.0.113"),
        ("from {address}", "from evil.example.com"),
        ("from {address}.", "from 203.0.113.7x"),
        ("user={name:word}, rip={address}", "user=a b, rip=203.0.113.7"),
        ('user "{name:quoted}" at {address}', 'user "a" at 192.0.2.1" at 203.0.113.7'),
        ("{time} {address}", "yesterday 203.0.113.7"),
    ],
)
def test_a_field_takes_nothing_else(template: str, line: str) -> None:
    assert not matches(template, line)


@pytest.mark.parametrize(
    "template",
    [
        "",
        "from {adress}",
        "{address} or {address}",
        "{name}{address}",
        "from {address",
        "a\nb {address}",
        "} {address}",
    ],
)
def test_what_can_not_be_read_is_refused(template: str) -> None:
    with pytest.raises(Misspelt):
        parse_template(template)


@pytest.mark.parametrize(
    "templates",
    [
        ["login of {name} failed from {address}, agent {text}"],
        ['user "{text}": password mismatch, client: {address}, server: {text}'],
        ["user {name:quoted} at {address} {text}"],
        ["failed: {name} from {address}", "failed: {name} from {address} agent {text}"],
        ["failed at {address}:{text}"],
    ],
)
def test_a_line_with_two_readings_is_found_and_shown(templates: list[str]) -> None:
    parsed = [parse_template(template) for template in templates]
    example = doubtful_line(parsed)
    assert example is not None
    assert any(re.fullmatch(template.grammar.regex, example) for template in parsed)


def test_letters_beyond_ascii_hide_no_second_reading() -> None:
    assert doubtful_line([parse_template("Fehler für {name} von {address} über {text}")]) is not None


@pytest.mark.parametrize(
    "template",
    [
        "Invalid user {name} from {address} port {port}",
        "{address} - {text} [{time}] {text}",
        "from {word}[{address}]: SASL {word} authentication failed: {text}",
        'user "{name:quoted}" at {address} {text}',
        "{time} {address}:{port} {text}",
    ],
)
def test_a_line_with_one_reading_is_let_pass(template: str) -> None:
    assert doubtful_line([parse_template(template)]) is None


ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\n"), max_size=40)
FIELDS = st.sampled_from(["{text}", "{word}", "{quoted}", "{number}", "from ", '"', " ", ": ", "[", "port {port}"])


@given(st.lists(FIELDS, max_size=4), st.lists(FIELDS, max_size=4), st.data())
def test_what_is_called_unequivocal_is_read_in_one_way(
    before: list[str], after: list[str], data: st.DataObject
) -> None:
    """Any place of the line that could be the address is tried: there is only one."""
    try:
        template = parse_template(f"said {''.join(before)}<{{address}}>{''.join(after)}")
    except Misspelt:
        return
    if doubtful_line([template]) is not None:
        return
    line = data.draw(st.from_regex(template.grammar.regex, fullmatch=True))
    left, right = template.source.split("{address}")
    ways = {
        (start, end)
        for start in range(len(line))
        for end in range(start + 2, len(line) + 1)
        if re.fullmatch(parse_template("{address}").grammar.regex, line[start:end])
        and re.fullmatch(parse_template(left).grammar.regex, line[:start])
        and re.fullmatch(parse_template(right).grammar.regex, line[end:])
    }
    assert len(ways) == 1


@pytest.mark.parametrize("name", shipped_names())
def test_no_shipped_pattern_lets_an_attacker_blame_somebody_else(name: str) -> None:
    pattern = shipped(name)
    assert pattern.description
    assert doubtful_line((*pattern.lines, *pattern.once)) is None
    assert all(template.begins_with_own_words for template in pattern.templates)
