"""Hosts of an OpenSSH client configuration as tunnels.

    read(Path("~/.ssh/config").expanduser(), user="ann").profiles

Host with patterns and negations, Include, and Match by all, host, originalhost, user, localuser and tagged are followed
as OpenSSH follows them: the first value found counts, forwards and the like add up. `Match exec` is never run, and
what else can't be followed is named. Only hosts without wildcards become tunnels.
"""

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from portward.errors import ConfigError, Mistake
from portward.tunnels.profiles.exchange import Imported, together
from portward.tunnels.profiles.ssh_host import to_import

_DEEPEST = 16
"""OpenSSH follows Include as deep as this (readconf.c)."""
_SINGLE_WORDS = {"proxycommand", "remotecommand", "localcommand", "knownhostscommand"}
_ADD_UP = {"identityfile", "certificatefile", "localforward", "remoteforward", "dynamicforward"}
_NEVER = {"exec", "localnetwork", "final", "canonical", "sessiontype", "version", "command"}


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


def read(file: Path, *, user: str, home: Path | None = None) -> Imported:
    """A tunnel for each host without wildcards. `user` is who would start ssh.

    Raises `ConfigError`: file, line, reason, for a file that OpenSSH would not take either.
    """
    directory = (home or Path.home()) / ".ssh"
    statements = _statements(file, directory, 0)
    return together(to_import(_resolve(alias, statements, user), file) for alias in _aliases(statements))


def _statements(file: Path, directory: Path, depth: int) -> list[Statement]:
    """All statements of a file, each Include replaced by what it names, between marks that restore the block."""
    found: list[Statement] = []
    for statement in _rows(file):
        if statement.keyword == "include":
            if depth == _DEEPEST:
                raise _mistake(statement, "Include goes too deep, or in a circle")
            for path in _included(statement, directory):
                found += [replace(statement, keyword="(", words=())]
                found += _statements(path, directory, depth + 1)
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
        raise _mistake(Statement("", (), file, number), f"is no `Keyword value`: {row[:60]}")
    keyword, rest = match[1].lower(), match[2].strip()
    words = (rest,) if keyword in _SINGLE_WORDS else _split(rest)
    if words is None:
        raise _mistake(Statement(keyword, (), file, number), "a quote has no end")
    if not words or not words[0]:
        raise _mistake(Statement(keyword, (), file, number), f"{match[1]} has no value")
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


def _aliases(statements: list[Statement]) -> list[str]:
    """Every host that is named whole, once, in the order of the files."""
    names = [word for one in statements if one.keyword == "host" for word in one.words]
    return list(dict.fromkeys(name for name in names if not re.search(r"[*?!]", name)))


def _resolve(alias: str, statements: list[Statement], user: str) -> Found:
    found = Found(alias)
    holds, outer = True, list[bool]()
    for one in statements:
        if one.keyword == "(":
            outer.append(holds)
        elif one.keyword == ")":
            holds = outer.pop()
        elif one.keyword in {"host", "match"}:
            around = all(outer)
            holds = around and (_host(one, alias) if one.keyword == "host" else _match(one, found, user))
        elif holds:
            known = found.values.setdefault(one.keyword, [])
            if not known or one.keyword in _ADD_UP:
                known.append(one)
    return found


def _host(one: Statement, alias: str) -> bool:
    return _patterns(one.words, alias)


def _patterns(patterns: tuple[str, ...] | list[str], text: str) -> bool:
    """At least one pattern fits, and none that is negated (ssh_config(5), PATTERNS)."""
    if any(pattern.startswith("!") and _fits(pattern[1:], text) for pattern in patterns):
        return False
    return any(_fits(pattern, text) for pattern in patterns if not pattern.startswith("!"))


def _fits(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _match(one: Statement, found: Found, user: str) -> bool:
    words = [part for word in one.words for part in (word.split("=", 1) if _is_criterion(word) else [word])]
    holds = True
    while words:
        word = words.pop(0)
        negated, criterion = word.startswith("!"), word.lstrip("!").lower()
        if criterion == "all":
            holds = holds and not negated
            continue
        if criterion in {"final", "canonical"}:
            found.notes.append(_not_followed(one, criterion))
            return False
        if not words:
            raise _mistake(one, f"Match {criterion} has no value")
        value = words.pop(0)
        if criterion in _NEVER:
            found.notes.append(_not_followed(one, criterion))
            return False
        subject = _subject(one, criterion, found, user)
        holds = holds and _patterns(value.split(","), subject) != negated
    return holds


def _is_criterion(word: str) -> bool:
    return bool(re.match(r"!?[A-Za-z]+=", word))


def _not_followed(one: Statement, criterion: str) -> str:
    return f"{one.file}:{one.line}: Match {criterion} is not followed here; what stands below it is left out"


def _subject(one: Statement, criterion: str, found: Found, user: str) -> str:
    def first(keyword: str, default: str) -> str:
        return found.values[keyword][0].words[0] if keyword in found.values else default

    subjects = {
        "host": first("hostname", found.alias).replace("%h", found.alias),
        "originalhost": found.alias,
        "user": first("user", user),
        "localuser": user,
        "tagged": first("tag", ""),
    }
    if criterion not in subjects:
        raise _mistake(one, f"Match {criterion} is nothing that OpenSSH knows")
    return subjects[criterion]


def _mistake(one: Statement, problem: str) -> ConfigError:
    return ConfigError((Mistake(one.file, one.line, one.keyword, problem),))
