"""Hosts of an OpenSSH client configuration as tunnels.

    read(Path("~/.ssh/config").expanduser(), user="ann").profiles

Host with patterns and negations, Include, and Match by all, host, originalhost, user, localuser and tagged are followed
as OpenSSH follows them: the first value found counts, forwards and the like add up. `Match exec` is never run, and
what else can't be followed is named. Only hosts without wildcards become tunnels.
"""

import fnmatch
import re
from pathlib import Path

from portward.tunnels.profiles.exchange import Imported, together
from portward.tunnels.profiles.ssh_host import to_import
from portward.tunnels.profiles.ssh_statements import Found, Statement, mistake, statements_of

_ADD_UP = {"identityfile", "certificatefile", "localforward", "remoteforward", "dynamicforward"}
_NEVER = {"exec", "localnetwork", "final", "canonical", "sessiontype", "version", "command"}


def read(file: Path, *, user: str, home: Path | None = None) -> Imported:
    """A tunnel for each host without wildcards. `user` is who would start ssh.

    Raises `ConfigError`: file, line, reason, for a file that OpenSSH would not take either.
    """
    directory = (home or Path.home()) / ".ssh"
    statements = statements_of(file, directory)
    return together(to_import(_resolve(alias, statements, user), file) for alias in _aliases(statements))


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
            raise mistake(one, f"Match {criterion} has no value")
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
        raise mistake(one, f"Match {criterion} is nothing that OpenSSH knows")
    return subjects[criterion]
