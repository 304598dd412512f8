"""What the process that takes over new data is asked to do (fetch.py); the keeper writes it, and loads nothing for it.

Order(kind="countries", url="https://example.com/countries.mmdb.gz", target="/…/countries.geo").spell()
"""

import json
from dataclasses import asdict, dataclass

from portward.defense.geo.atlas import Kind
from portward.defense.geo.shipped import COUNTRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One of `file` and `url`; where the data go is for `Geography` to say, or for set-up.

    `than`: the data in use, to compare with; `anyway` takes poorer ones all the same.
    """

    kind: Kind
    target: str = ""
    file: str = ""
    url: str = ""
    integrity: str = ""
    source: str = ""
    licence: str = ""
    date: str = ""
    than: str = ""
    anyway: bool = False

    def spell(self) -> str:
        return json.dumps(asdict(self))


def shipped(target: str = "", file: str = "") -> Order:
    """The order for what this version of Portward was released with; `file` where it lies here already."""
    return Order(
        kind="countries",
        target=target,
        file=file,
        url="" if file else COUNTRIES.url,
        integrity=COUNTRIES.integrity,
        source=COUNTRIES.name,
        licence=COUNTRIES.licence,
        date=COUNTRIES.date,
    )
