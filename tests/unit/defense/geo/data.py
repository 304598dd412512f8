"""Small sets of data about countries and networks, as others publish them.

atlas(path, "198.51.100.0/24,DE\\n")            # made, and ready to be asked
"""

from pathlib import Path

from portward.defense.geo import atlas as atlases
from portward.defense.geo.atlas import Kind
from portward.defense.geo.making import make
from portward.defense.geo.sources import rows


def mmdb(country: str, built: int) -> bytes:
    """A database in MaxMind's format, version 2.0: 128.0.0.0/1 is in the country, and the other half nowhere."""

    def text(value: str) -> bytes:
        return bytes([0x40 | len(value)]) + value.encode()

    def number(value: int, kind: int, size: int) -> bytes:
        head = bytes([kind << 5 | size]) if kind < 8 else bytes([size, kind - 7])
        return head + value.to_bytes(size, "big")

    tree = (1).to_bytes(3, "big") + (1 + 16).to_bytes(3, "big")
    record = b"\xe1" + text("country_code") + text(country)
    about = {
        "node_count": number(1, 6, 4),
        "record_size": number(24, 5, 2),
        "ip_version": number(4, 5, 2),
        "database_type": text("country"),
        "languages": b"\x00\x04",
        "binary_format_major_version": number(2, 5, 2),
        "binary_format_minor_version": number(0, 5, 2),
        "build_epoch": number(built, 9, 8),
        "description": b"\xe0",
    }
    metadata = bytes([0xE0 | len(about)]) + b"".join(text(key) + value for key, value in about.items())
    return tree + bytes(16) + record + b"\xab\xcd\xefMaxMind.com" + metadata


def atlas(path: Path, text: str, kind: Kind = "countries") -> Path:
    """Data at `path`, made of lines of CSV."""
    csv = path.with_suffix(".csv")
    csv.write_text(text)
    made = make(rows(csv, kind))
    about = {
        "kind": kind,
        "source": csv.name,
        "licence": "",
        "date": "2026-01-01",
        "digest": str(hash(text)),
        "size": 1,
    }
    atlases.write(path, {**about, "taken_at": "2026-01-01T00:00:00+00:00", **made.counts}, made.v4, made.v6)
    return path
