"""The statements of an OpenSSH client configuration, in order, with their files and lines.

    statements_of(Path("~/.ssh/config").expanduser(), Path("~/.ssh").expanduser())[0].keyword      # 'host'

Quotes, `Keyword=value` and Include are read as OpenSSH reads them (readconf.c, misc.c); what they mean is not asked.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from portward.errors import ConfigError, Mistake

_DEEPEST = 16
"""OpenSSH follows Include as deep as this (readconf.c)."""
_SINGLE_WORDS = {"proxycommand", "remotecommand", "localcommand", "knownhostscommand"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One keyword, in lower case, with its words, and where it stands."""

    keyword: str
    words: tuple[str, ...]
    file: str
    line: int


@dataclass(slots=True)
class Found:
    """What holds for one host: the first statement of each keyword, and all of those that add up."""

    alias: str
    values: dict[str, list[Statement]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def statements_of(file: Path, directory: Path, depth: int = 0) -> list[Statement]:
    """All statements of a file, each Include replaced by what it names, between the marks `(` and `)`.

    A relative Include is looked for in `directory`. Raises `ConfigError`: file, line, reason.
    """
    found: list[Statement] = []
    for statement in _rows(file):
        if statement.keyword == "include":
            if depth == _DEEPEST:
                raise mistake(statement, "Include goes too deep, or in a circle")
            for path in _included(statement, directory):
                found += [replace(statement, keyword="(", words=())]
                found += statements_of(path, directory, depth + 1)
                found += [replace(statement, keyword=")", words=())]
        else:
            found.append(statement)
    return found


def _included(statement: Statement, directory: Path) -> Iterator[Path]:
    for pattern in statement.words:
        path = directory / os.path.expanduser(pattern)
        root = Path(path.anchor)
        yield from sorted(found for found in root.glob(str(path.relative_to(root))) if found.is_file())


def _rows(file: Path) -> Iterator[Statement]:
    try:
        text = file.read_bytes().decode()
    except OSError as error:
        raise ConfigError((Mistake(str(file), 0, "", f"can't be read: {error.strerror}"),)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError((Mistake(str(file), line, "", "is not UTF-8"),)) from None
    for number, row in enumerate(text.split("\n"), start=1):
        if statement := _statement(row.strip(), str(file), number):
            yield statement


def _statement(row: str, file: str, number: int) -> Statement | None:
    """One line; `Keyword value`, `Keyword=value` and `Keyword "a b"` are the same to OpenSSH."""
    if not row or row.startswith("#"):
        return None
    match = re.fullmatch(r'"?([A-Za-z0-9]+)"?(?:\s*=\s*|\s+)(.*)', row)
    if not match:
        raise mistake(Statement("", (), file, number), f"is no `Keyword value`: {row[:60]}")
    keyword, rest = match[1].lower(), match[2].strip()
    words = (rest,) if keyword in _SINGLE_WORDS else _split(rest)
    if words is None:
        raise mistake(Statement(keyword, (), file, number), "a quote has no end")
    if not words or not words[0]:
        raise mistake(Statement(keyword, (), file, number), f"{match[1]} has no value")
    return Statement(keyword, words, file, number)


def _split(text: str) -> tuple[str, ...] | None:
    """Words as misc.c's argv_split makes them; None where a quote is left open."""
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at] in " \t":
            at += 1
        elif text[at] == "#":
            break
        else:
            word, at = _word(text, at)
            if at < 0:
                return None
            words.append(word)
    return tuple(words)


def _word(text: str, at: int) -> tuple[str, int]:
    """One word from `at` on, and where it ends; -1 where a quote is left open."""
    word, quote = "", ""
    while at < len(text):
        char, following = text[at], text[at + 1 : at + 2]
        if char == "\\" and (following in {"'", '"', "\\"} or (following == " " and not quote)):
            word, at = word + following, at + 1
        elif quote and char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        elif not quote and char in " \t":
            break
        else:
            word += char
        at += 1
    return word, -1 if quote else at


def mistake(one: Statement, problem: str) -> ConfigError:
    return ConfigError((Mistake(one.file, one.line, one.keyword, problem),))
