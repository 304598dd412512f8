"""docs/bench-defence.md: what was measured, how, and how to do it again.

write(results, Path("docs"))
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench import machine
from bench.defence.judging import OURS, REGEX
from bench.defence.judging import PEER as PEER_RUNNING
from bench.defence.loading import Started
from bench.defence.reaction import COMMAND, LOG, LOGIN, PEER
from bench.defence.weight import NOTHING, Loaded
from bench.figures import Figure, Sample, summarize

Results = dict[str, Any]

TEXT = """\
# Benchmark: defence

This page is written by `scripts/bench defence --docs`; nothing in it is edited by hand. Measured {when} on {cores}
cores, {memory} of memory, {kernel}, {system}, with its own HAProxy {haproxy}, nftables {nft} and fail2ban {fail2ban}.

Everything runs on machines of a network of its own (network namespaces on a bridge), with public addresses. Programs
under test have one core, and whoever attacks or asks has the other. Files lie in memory.

## From the last failed attempt to the first refused packet

Portward and fail2ban watch the same log file of sshd at the same time, each on a machine of its own, and both ban by
nftables after {tries} failures. {rounds} new addresses fail, one after the other. From each of them somebody knocks at
both machines all the time, once a millisecond and a bit: finer than that nothing is measured. The time runs from the
moment that the last line is written. fail2ban has Debian's filter, action and database, and watches by inotify.

| | median | p99 | slowest |
|---|---:|---:|---:|
{reactions}

The login's time runs from the answer to the last wrong password; a ban that is in force before that answer counts as 0.
For `portward ban add` it runs from the moment that the keeper is asked. {command}

## Lines of a log

{lines:,} lines are written at once, three of ten of them failures; each address fails once less than it takes to be
banned. fail2ban-regex reads the file alone, without a server.

| | lines a second |
|---|---:|
{speeds}

## What many bans take to load

`portward ban import` takes over a list of {imported:,} addresses in {importing:.1f} s. From the start of `portward up`
until it serves, at first and again after a stop, with that many bans in the store:

| bans | start | again | resident, all programs | of these the edge | the keeper |
|---:|---:|---:|---:|---:|---:|
{starts}

## What full lists cost

A logged-in member's small requests over HTTPS (wrk, HTTP/1.1, 32 connections kept alive) and new connections with a
full handshake (h2load). Each row was measured in turn with “{nothing}”, which has no bans, no countries, and no rule
that counts or limits: {weight_rounds} rounds of {seconds:.0f} s each, medians. Both stand on one core. CPU time is
that of all programs of the one that is asked.

| in force | requests/s | “nothing” | ratio | by CPU time | p99 | “nothing” |
|---|---:|---:|---:|---:|---:|---:|
{requests}

| in force | new connections/s | “nothing” | ratio | by CPU time |
|---|---:|---:|---:|---:|
{connections}

What it takes to load them, from the start of `portward up` until it serves (bans lie in the store, the countries' data
in their file), and what is in memory then:

| in force | start | resident, all programs | of these the edge | the kernel's own |
|---|---:|---:|---:|---:|
{loads}

The kernel's own is how much its slabs and pages grew meanwhile, nftables' sets among it.

## Again

    scripts/bench defence                       # everything, about fifteen minutes
    scripts/bench defence --part reaction       # or judging, loading, weight; the others' figures are kept
    scripts/bench defence --docs                # writes this page

It needs root, for the network.
"""


def text(results: Results) -> str:
    """The page. Raises KeyError when a part has never been measured."""
    found = machine.describe()
    reaction, judging, loading, weight = (results[part] for part in ("reaction", "judging", "loading", "weight"))
    return TEXT.format(
        when=max(part["measured_at"] for part in results.values()),
        **reaction["versions"],
        tries=reaction["tries"],
        rounds=len(reaction["seconds"][LOG]),
        reactions=_reactions(reaction["seconds"]),
        command=_command(reaction),
        lines=judging["lines"],
        speeds="\n".join(f"| {name} | {judging['speeds'][name]:,.0f} |" for name in (OURS, PEER_RUNNING, REGEX)),
        imported=loading["imported"],
        importing=loading["import"],
        starts="\n".join(_start(Started(**one)) for one in loading["starts"]),
        weight_rounds=weight["rounds"],
        seconds=weight["seconds"],
        nothing=NOTHING.title,
        requests=_pairs(weight["pairs"], "http1", _pair_of_requests),
        connections=_pairs(weight["pairs"], "handshake", _pair_of_connections),
        loads=_loads({title: Loaded(**one) for title, one in weight["loaded"].items()}),
        **{key: found[key] for key in ("cores", "memory", "kernel", "system")},
    )


def p99(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) * 99 - 1) // 100]


def _reactions(seconds: Mapping[str, Sequence[float]]) -> str:
    return "\n".join(
        f"| {name} | {_ms(median(seconds[name]))} | {_ms(p99(seconds[name]))} | {_ms(max(seconds[name]))} |"
        for name in (LOG, PEER, LOGIN, COMMAND)
    )


def _command(reaction: Mapping[str, Any]) -> str:
    full = reaction["full"]
    return (
        f"With {full['bans']:,} bans there already, one more is in force after {_ms(median(full['seconds']))} "
        f"(median; p99 {_ms(p99(full['seconds']))})."
    )


def _start(one: Started) -> str:
    return (
        f"| {one.bans:,} | {one.first:.1f} s | {one.again:.1f} s | {sum(one.memory.values()):.0f} MB "
        f"| {one.memory['edge']:.0f} MB | {one.memory['keeper']:.0f} MB |"
    )


def _pairs(pairs: Mapping[str, Sequence[Any]], load: str, row: Callable[[str, Figure, Figure], str]) -> str:
    figures = {title: summarize(Sample(**one) for one in samples)[load] for title, samples in pairs.items()}
    return "\n".join(row(title, both[title], both[NOTHING.title]) for title, both in figures.items())


def _pair_of_requests(title: str, one: Figure, nothing: Figure) -> str:
    return f"{_pair_of_connections(title, one, nothing)} {one.p99_ms or 0:.1f} ms | {nothing.p99_ms or 0:.1f} ms |"


def _pair_of_connections(title: str, one: Figure, nothing: Figure) -> str:
    clock, cpu = one.rate / nothing.rate, nothing.cpu_us / one.cpu_us
    return f"| {title} | {one.rate:,.0f} | {nothing.rate:,.0f} | {clock:.2f} | {cpu:.2f} |"


def _loads(loaded: Mapping[str, Loaded]) -> str:
    return "\n".join(
        f"| {title} | {one.start:.1f} s | {sum(one.memory.values()):.0f} MB | {one.memory['edge']:.0f} MB "
        f"| {one.kernel:.0f} MB |"
        for title, one in loaded.items()
    )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.0f} ms" if seconds >= 0.01 else f"{seconds * 1e3:.1f} ms"


def plain(samples: Iterable[Sample]) -> list[dict[str, Any]]:
    return [asdict(sample) for sample in samples]


def write(results: Results, directory: Path) -> None:
    (directory / "bench-defence.md").write_text(text(results))
