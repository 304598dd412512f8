"""The verb `defence test`: what a pattern reads in a file, before anybody is banned by it."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from portward.cli.options import CONFIG, AsJson, ConfigFile
from portward.cli.output import print_json, printable, table
from portward.errors import Environment, Invalid

if TYPE_CHECKING:
    from portward.config.logpatterns import Pattern
    from portward.defense.logs.matching import Matcher
    from portward.defense.logs.trial import Trial

app = typer.Typer()


@app.command("test", epilog='Example: portward defence test "login of {name} failed from {address}" /var/log/app.log')
def try_pattern(
    pattern: Annotated[
        str, typer.Argument(metavar="PATTERN", help="A pattern that ships or is in portward.toml, or a line itself.")
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A log, compressed too (.gz); `-` reads what is piped in.")
    ],
    bare: Annotated[bool, typer.Option("--bare", help="Lines are messages alone, as `sshd -E` writes them.")] = False,
    missed: Annotated[int, typer.Option(min=0, max=1000, help="Show so many lines that count for nothing.")] = 5,
    config: ConfigFile = CONFIG,
    json: AsJson = False,
) -> None:
    """Try a pattern on a file: who would be blamed, and which lines count for nothing.

    Exit code 1 when no line counts, 6 for a pattern that can't be used, 7 for a file that can't be read.
    """
    matcher = _matcher(pattern, config, header=not bare)
    trial = _try(matcher, file, show=missed)
    warnings = _warnings(matcher, trial)
    if json:
        print_json(_values(pattern, trial, warnings))
    else:
        _print(trial, warnings)
    if not trial.matched:
        raise typer.Exit(1)


def _matcher(name: str, config: Path, *, header: bool) -> "Matcher":
    """Raises `Invalid` for what is no pattern, and for one that could blame somebody else."""
    from portward.config.shipped import shipped, shipped_names
    from portward.defense.logs.matching import Matcher

    if name in shipped_names():
        return Matcher(name, shipped(name), header=header, host=shipped(name).host)
    return Matcher(name, _written(name) if "{" in name else _own(name, config), header=header)


def _written(line: str) -> "Pattern":
    from pydantic import ValidationError

    from portward.config.findings import findings_of
    from portward.config.logpatterns import Pattern, flaws

    try:
        pattern = Pattern.model_validate({"lines": [line]})
    except ValidationError as error:
        finding = next(findings_of(error))
        raise Invalid(finding.problem, way_out=f"expected: {finding.expected}") from None
    for flaw in flaws(pattern):
        raise Invalid(f"the pattern {flaw.problem}", way_out=flaw.way_out)
    return pattern


def _own(name: str, config: Path) -> "Pattern":
    from portward.config.reading import read
    from portward.config.shipped import shipped_names

    patterns = read(config).defence.patterns
    if name not in patterns:
        known = ", ".join([*shipped_names(), *patterns])
        raise Invalid(f"there is no pattern {name!r}", way_out=f"give a line with {{address}} in it, or one of {known}")
    return patterns[name]


def _try(matcher: "Matcher", file: Path, *, show: int) -> "Trial":
    import gzip

    from portward.defense.logs.trial import try_on

    try:
        if str(file) == "-":
            return try_on([matcher], sys.stdin.buffer, show=show)
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as content:
            return try_on([matcher], content, show=show)  # type: ignore[arg-type]
    except (OSError, EOFError) as error:
        raise Environment(f"{file} can't be read: {getattr(error, 'strerror', None) or error}") from None


def _warnings(matcher: "Matcher", trial: "Trial") -> list[str]:
    found = []
    if not trial.matched and matcher.programs and trial.lines:
        programs = " or ".join(sorted(matcher.programs))
        found.append(f"lines must begin as syslog writes them, with {programs}; --bare reads messages alone")
    if trial.doubtful:
        found.append(f"{trial.doubtful} lines can be read in two ways: somebody may have tried to blame somebody else")
    if trial.too_long:
        found.append(f"{trial.too_long} lines are too long to be judged")
    private = [address for address in trial.addresses if address and not _is_global(address)]
    if private:
        found.append(f"{private[0]} is no address of the internet: does a proxy stand in front of this program?")
    return found


def _is_global(address: str) -> bool:
    from ipaddress import ip_address

    return ip_address(address).is_global


def _values(pattern: str, trial: "Trial", warnings: Sequence[str]) -> dict[str, Any]:
    return {
        "pattern": pattern,
        "lines": trial.lines,
        "matched": trial.matched,
        "missed": trial.missed,
        "doubtful": trial.doubtful,
        "too_long": trial.too_long,
        "seconds": round(trial.seconds, 6),
        "addresses": dict(trial.addresses.most_common()),
        "users": dict(trial.users.most_common()),
        "first_missed": trial.shown,
        "first_doubtful": trial.uncertain,
        "warnings": list(warnings),
    }


def _print(trial: "Trial", warnings: Sequence[str]) -> None:
    print(f"{trial.lines} lines: {trial.matched} count, {trial.missed} do not, {trial.doubtful} are doubtful\n")
    rows = [{"address": address or "none told", "lines": count} for address, count in trial.addresses.most_common(20)]
    table(rows, {"address": "address", "lines": "lines"}, empty="nobody would be blamed")
    if len(trial.addresses) > len(rows):
        print(f"… and {len(trial.addresses) - len(rows)} more addresses")
    _print_lines("The first lines that are doubtful:", trial.uncertain)
    _print_lines("The first lines that do not count:", trial.shown)
    for warning in warnings:
        print(f"\nwarning: {warning}", file=sys.stderr)


def _print_lines(heading: str, lines: Sequence[str]) -> None:
    if lines:
        print(f"\n{heading}")
    for line in lines:
        print(f"  {printable(line)}")
