"""What `portward defence report` tells: shadow bans as the keeper knows them, beside the access log on this machine.

looked_back(Path(".portward"), "7d")["detectors"]     # [{"detector": "login", "requests": 37, ...}]
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portward.cli.client import Keeper, keeper
from portward.cli.events import moment
from portward.errors import Environment
from portward.host.paths import State
from portward.watch.shadows import Shadow, Shadows, Toll, access_logs

_PAGE = 1000


def looked_back(directory: Path, since: str) -> dict[str, Any]:
    """Raises `NotRunning`, and `Environment` where the access log may not be read."""
    with keeper(directory) as running:
        shadows = list(_shadows(running, since))
    counted = Shadows(shadows)
    first = min((one.since for one in shadows), default=datetime.now(UTC))
    try:
        for file in access_logs(State(directory).access_log, first):
            with file.open("rb") as lines:
                counted.count(lines)
    except OSError as error:
        raise Environment(
            f"{error.filename} can't be read: {error.strerror}", way_out="run this as the user that runs the gateway"
        ) from error
    sources = Counter(detector for detector, _ in {(one.detector, one.source) for one in shadows})
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


def _document(toll: Toll) -> dict[str, Any]:
    return {
        "requests": toll.requests,
        "of_accounts": toll.of_accounts,
        "anyway": toll.anyway,
        "accounts": dict(toll.accounts.most_common()),
        "samples": toll.samples,
    }
