"""What `portward defence report` tells: shadow bans as the keeper knows them, beside the access log on this machine.

looked_back(Path(".portward"), "7d")["detectors"]     # [{"detector": "login", "requests": 37, ...}]
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from portward.cli.client import Keeper, keeper
from portward.cli.events import moment
from portward.defense.lists.held import networks_file
from portward.errors import Environment
from portward.host.networkfile import find
from portward.host.paths import State
from portward.watch.shadows import Shadow, Shadows, Toll, access_logs

_PAGE = 1000


def looked_back(directory: Path, since: str) -> dict[str, Any]:
    """Raises `NotRunning`, and `Environment` where the access log may not be read."""
    with keeper(directory) as running:
        shadows = list(_shadows(running, since))
        lists = [one["name"] for one in running.get("/defence/lists")["lists"] if one["mode"] == "shadow"]
    counted = Shadows(shadows, partial(_list_of, State(directory).lists, lists))
    first = min((one.since for one in shadows), default=datetime.now(UTC))
    if lists:
        first = datetime.fromisoformat(moment(since) or "")
    try:
        for file in access_logs(State(directory).access_log, first):
            with file.open("rb") as lines:
                counted.count(_since(lines, first))
    except OSError as error:
        raise Environment(
            f"{error.filename} can't be read: {error.strerror}", way_out="run this as the user that runs the gateway"
        ) from error
    sources = Counter(detector for detector, _ in {(one.detector, one.source) for one in shadows})
    sources.update({name: len(addresses) for name, addresses in counted.listed.items()})
    detectors = [
        {"detector": name, "sources": sources[name], **_document(toll)} for name, toll in counted.tolls.items()
    ]
    return {**_document(counted.total), "detectors": detectors}


def _shadows(running: Keeper, since: str) -> Iterator[Shadow]:
    after = 0
    while True:
        wanted = {"kind": "ShadowBan", "since": moment(since), "after": after, "limit": _PAGE}
        page = list(running.lines("/events", **wanted))
        for event in page:
            fields = event["fields"]
            begun = datetime.fromisoformat(event["time"])
            yield Shadow(fields["detector"], fields["source"], begun, datetime.fromisoformat(fields["until"]))
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


def _list_of(lists: Path, names: Sequence[str], address: str) -> str:
    """The first list that an address stands on; none for what is no address."""
    with suppress(ValueError):
        return next((name for name in names if find(networks_file(lists, name), address)), "")
    return ""


def _since(lines: Iterable[bytes], first: datetime) -> Iterator[bytes]:
    """Lines of this time and later: each begins with its time."""
    begin = first.timestamp()
    return (line for line in lines if _time(line) >= begin)


def _time(line: bytes) -> float:
    with suppress(ValueError):
        return float(line.removeprefix(b'{"time":').partition(b",")[0])
    return 0.0


def _document(toll: Toll) -> dict[str, Any]:
    return {
        "requests": toll.requests,
        "of_accounts": toll.of_accounts,
        "anyway": toll.anyway,
        "accounts": dict(toll.accounts.most_common()),
        "samples": toll.samples,
    }
