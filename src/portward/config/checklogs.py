"""Logs whose pattern nobody has described, or that have one name.

list(check_logs(settings))     # [] when all is well
"""

import difflib
from collections.abc import Iterator

from portward.config.findings import Finding
from portward.config.logpatterns import flaws
from portward.config.settings import Settings
from portward.config.shipped import shipped_names


def check_logs(settings: Settings) -> Iterator[Finding]:
    """Every contradiction among the tables [[defence.logs]] and [defence.patterns]."""
    shipped = shipped_names() if settings.defence.logs or settings.defence.patterns else ()
    for name in settings.defence.patterns:
        if name in shipped:
            yield Finding(
                ("defence", "patterns", name),
                f"{name} ships with Portward",
                "another name",
                "call it otherwise; `pattern` of a log may name both",
            )
    for name, pattern in settings.defence.patterns.items():
        for flaw in flaws(pattern):
            yield Finding(("defence", "patterns", name, flaw.key), flaw.problem, flaw.expected, flaw.way_out)
    known = [*shipped, *settings.defence.patterns]
    names: set[str] = set()
    for number, log in enumerate(settings.defence.logs):
        if log.name in names:
            yield Finding(("defence", "logs", number, "name"), f'"{log.name}" is another log already', "each name once")
        names.add(log.name)
        for wanted in log.pattern:
            if wanted not in known:
                near = difflib.get_close_matches(wanted, known, n=1)
                yield Finding(
                    ("defence", "logs", number, "pattern"),
                    f'there is no pattern "{wanted}"',
                    f"one of {', '.join(known)}",
                    f"did you mean `{near[0]}`?" if near else f"add [defence.patterns.{wanted}]",
                )
