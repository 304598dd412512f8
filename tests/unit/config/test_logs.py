"""The tables [[defence.logs]] and [defence.patterns.NAME]."""

import tomllib
from pathlib import Path

import pytest

from portward.config.reading import parse
from portward.config.settings import Settings
from portward.errors import ConfigError, Mistake


def found(text: str) -> tuple[Mistake, ...]:
    try:
        parse(text, Path("portward.toml"), {})
    except ConfigError as error:
        return error.mistakes
    return ()


def keys(text: str) -> list[str]:
    return [mistake.key for mistake in found(text)]


LOG = '[[defence.logs]]\nname = "app"\nfile = "/var/log/app.log"\npattern = "app"\n'
PATTERN = '[defence.patterns.app]\nlines = ["login of {name} failed from {address}"]\n'


def test_a_log_has_a_place_and_a_pattern_of_ones_own_or_a_shipped_one() -> None:
    made = Settings.model_validate(tomllib.loads(LOG + PATTERN))
    assert made.defence.logs[0].file == ("/var/log/app.log",)
    unit = '[[defence.logs]]\nname = "ssh"\nunit = "ssh"\npattern = ["sshd"]\n'
    assert Settings.model_validate(tomllib.loads(unit)).defence.logs[0].unit == "ssh.service"
    assert keys(LOG + PATTERN + unit) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (LOG, "defence.logs[0].pattern"),
        (LOG + PATTERN + LOG, "defence.logs[1].name"),
        (LOG + 'unit = "app.service"\n' + PATTERN, "defence.logs[0]"),
        ('[[defence.logs]]\nname = "app"\npattern = "sshd"\n', "defence.logs[0]"),
        ('[[defence.logs]]\nname = "app"\nunit = "a b"\npattern = "sshd"\n', "defence.logs[0].unit"),
        ('[defence.patterns.sshd]\nlines = ["from {address}"]', "defence.patterns.sshd"),
        ("[defence.patterns.app]", "defence.patterns.app.lines"),
        ('[defence.patterns.app]\nlines = ["failed: {name}"]', "defence.patterns.app.lines"),
        ('[defence.patterns.app]\nlines = ["{text} failed from {address}"]', "defence.patterns.app.lines[0]"),
        ('[defence.patterns.app]\nlines = ["{time} {name} failed from {address}"]', "defence.patterns.app.lines[0]"),
        ('[defence.patterns.app]\nlines = ["from {adress}"]', "defence.patterns.app.lines[0]"),
        ('[defence.patterns.app]\nprogram = "a b"\nlines = ["from {address}"]', "defence.patterns.app.program[0]"),
        ('[defence.patterns.app]\njson = { address = "ip" }', "defence.patterns.app.lines"),
        ('[defence.patterns.app]\njson = { address = "ip" }\nlines = ["from {address}"]', "defence.patterns.app.lines"),
        (
            '[defence.patterns.app]\njson = { address = "ip", where = { ok = true } }',
            "defence.patterns.app.json.where.ok",
        ),
    ],
)
def test_a_mistake_is_named_by_its_key(text: str, key: str) -> None:
    assert key in keys(text)


def test_a_pattern_that_would_blame_somebody_else_is_refused_with_an_example_and_a_way_out() -> None:
    (mistake,) = found('[defence.patterns.app]\nlines = ["user {name} at {address}, agent {text}"]')
    assert "would let an attacker blame somebody else" in str(mistake)
    assert "agent  at" in str(mistake) or "at :0" in str(mistake)
    assert "doubtful" in mistake.way_out
    assert keys('[defence.patterns.app]\ndoubtful = ["user {name} at {address}, agent {text}"]') == []


def test_lines_that_can_be_taken_for_each_other_are_both_named() -> None:
    lines = '["failed: {name} from {address}", "ok {address}", "failed: {word} from {address} agent {text}"]'
    (mistake,) = found(f"[defence.patterns.app]\nlines = {lines}")
    assert "'failed: {name} from {address}' and 'failed: {word} from {address} agent {text}'" in mistake.problem
