"""Takes over new data, if they are good: the program `python -m portward.defense.geo.fetch`.

    echo '{"kind": "countries", "file": "/tmp/countries.mmdb", "target": "/…/countries.geo", …}' | python -m …
    python -m portward.defense.geo.fetch --shipped [FILE]       # what set-up does; FILE where npm has fetched it

The order is JSON on standard input, the answer JSON on standard output: `about` (see atlas.py), or `error` and
`way_out`. What is at `target` stays until the new data are whole and were found good.
"""

import hashlib
import json
import resource
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from portward.defense.geo import atlas
from portward.defense.geo.atlas import Atlas
from portward.defense.geo.download import MOST_BYTES, Fetched, check_digest, download
from portward.defense.geo.making import make, refuse_poorer
from portward.defense.geo.order import Order, shipped
from portward.defense.geo.shipped import installed
from portward.defense.geo.sources import day_of, rows
from portward.errors import Invalid, PortwardError

_MEMORY = 3 << 30
"""Address space: an mmdb is mapped, so this is more than is ever resident."""


def fetch(order: Order) -> Mapping[str, Any]:
    """Carry an order out. Returns what is said of the new data. Raises `PortwardError`, with the old ones in place."""
    with tempfile.TemporaryDirectory() as directory:
        path, fetched = _source(order, Path(directory))
        made = make(rows(path, order.kind))
        than = _about(Path(order.than)) if order.than and not order.anyway else None
        refuse_poorer(made, than)
        about = {
            "kind": order.kind,
            "source": order.source or order.url or Path(order.file).name,
            "licence": order.licence,
            "date": order.date or day_of(path) or fetched.modified,
            "size": fetched.size,
            "digest": _digest(path),
            "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **made.counts,
        }
    target = Path(order.target)
    target.parent.mkdir(parents=True, exist_ok=True)
    atlas.write(target, about, made.v4, made.v6)
    return about


def _source(order: Order, directory: Path) -> tuple[Path, Fetched]:
    if order.url:
        path = directory / (order.url.rpartition("/")[2] or "data")
        return path, download(order.url, path, integrity=order.integrity)
    path = Path(order.file)
    try:
        facts = path.stat()
        if facts.st_size > MOST_BYTES:
            raise Invalid(f"it is larger than {MOST_BYTES >> 20} MB")
        if order.integrity:
            check_digest(hashlib.sha512(path.read_bytes()).digest(), order.integrity)
    except OSError as error:
        way_out = "the gateway's own user must be able to read it; a file in somebody's home is hidden from it"
        raise Invalid(f"{path} can't be read: {error.strerror}", way_out=way_out) from None
    return path, Fetched(facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC).date().isoformat())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _about(path: Path) -> Mapping[str, Any] | None:
    """What is said of the data in use; None where they are of no use, and any are better."""
    try:
        return Atlas.about_of(path)
    except (Invalid, OSError):
        return None


def main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for_set_up = sys.argv[1:2] == ["--shipped"]
    order = shipped(str(installed("countries")), *sys.argv[2:3]) if for_set_up else Order(**json.load(sys.stdin))
    try:
        about = fetch(order)
    except PortwardError as error:
        return _fail(error.message, error.way_out, for_people=for_set_up)
    except (OSError, MemoryError) as error:
        return _fail(f"it can't be taken over: {error or 'not enough memory'}", "", for_people=for_set_up)
    if not for_set_up:
        print(json.dumps({"about": dict(about)}))
    return 0


def _fail(message: str, way_out: str, *, for_people: bool) -> int:
    if for_people:
        print(message, file=sys.stderr)
    else:
        print(json.dumps({"error": message, "way_out": way_out}))
    return 1


if __name__ == "__main__":
    sys.exit(main())
