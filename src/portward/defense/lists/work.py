"""What the process does: one list looked at and judged against what it said before, or all put together.

    do(Refresh("drop", url="https://lists.example.com/drop.txt", target="/…/drop.lst", most=1000))   # Done("taken", …)

The file of a list holds its networks, one a line, in order and without overlaps.
"""

from collections.abc import Iterable
from pathlib import Path

from portward.defense.lists import origin, text
from portward.defense.lists.job import Compose, Composed, Done, Refresh
from portward.defense.lists.origin import Fetched, Seen
from portward.defense.lists.spans import Span, merged, networks_of, size, span_of, without
from portward.defense.lists.text import Unusable
from portward.host import files

_ENOUGH_TO_SHRINK = 20
HEAD = b"# Written by Portward. NETWORK LIST, in order.\n"


def refresh(job: Refresh) -> Done:
    """Never raises for a bad list: what it said before stays, and the outcome tells why."""
    seen = Seen(job.etag, job.modified)
    try:
        fetched = _fetched(job, seen)
    except Unusable as error:
        return Done("refused", str(error), etag=job.etag, modified=job.modified)
    seen = fetched.seen
    if fetched.content is None:
        return Done("unchanged", etag=seen.etag, modified=seen.modified)
    try:
        return _take(job, fetched.content, seen)
    except Unusable as error:
        return Done("refused", str(error), etag=seen.etag, modified=seen.modified)


def compose(job: Compose) -> Composed:
    """A network that stands on several lists is told once, by the first one that has it; in order of addresses."""
    exempt = [span_of(network) for network in job.exempt]
    taken: list[Span] = []
    found: list[tuple[Span, str]] = []
    left_out = 0
    for name, file in job.lists.items():
        spans = [span_of(line) for line in networks_in(Path(file))]
        allowed = without(spans, exempt)
        left_out += size(spans) - size(allowed)
        found += [(span, name) for span in without(allowed, taken)]
        taken = merged([*taken, *allowed])
    lines = [f"{network} {name}\n".encode() for span, name in sorted(found) for network in networks_of([span])]
    files.replace(Path(job.target), HEAD + b"".join(lines))
    return Composed(len(lines), left_out)


def networks_in(file: Path) -> list[str]:
    """What a list said when it was taken last; nothing before that."""
    return file.read_text().split() if file.exists() else []


def _fetched(job: Refresh, seen: Seen) -> Fetched:
    if job.url:
        from portward.defense.lists.fetching import fetch

        return fetch(job.url, seen=seen, ca_file=job.ca_file)
    return origin.read(Path(job.file or ""), seen=seen)


def _take(job: Refresh, content: bytes, seen: Seen) -> Done:
    reading = text.read(content, most=job.most)
    target, now = Path(job.target), list(networks_of(reading.spans))
    before = networks_in(target)
    if not job.force:
        _refuse_shrunk(len(before), len(now), job.name)
    added, removed = _difference(before, now)
    if added or removed:
        files.replace(target, "".join(f"{network}\n" for network in now).encode())
    return Done(
        "taken" if added or removed else "unchanged",
        entries=len(now),
        added=added,
        removed=removed,
        unreadable=reading.unreadable,
        first_unreadable=reading.first_unreadable,
        never_public=reading.never_public,
        etag=seen.etag,
        modified=seen.modified,
    )


def _refuse_shrunk(before: int, now: int, name: str) -> None:
    if before >= _ENOUGH_TO_SHRINK and now * 10 <= before:
        raise Unusable(
            f"it has shrunk from {before} networks to {now}; if that is meant, "
            f"`portward defence lists refresh {name} --force` takes it"
        )


def _difference(before: Iterable[str], now: Iterable[str]) -> tuple[int, int]:
    old, new = set(before), set(now)
    return len(new - old), len(old - new)
