"""Reads sets of data as they are published: MaxMind format (mmdb), CSV and TSV, packed or not.

    for row in rows(Path("iptoasn-country.mmdb"), "countries"):
        row.first, row.last, row.family, row.value        # value: two letters, or the number of an AS

CSV lines are `start,end,country`, `network,country`, `start,end,number,name` or `network,number,name`; the pair of
files of GeoLite2-Country-CSV is known too, and the five columns of ip2asn. Archives (.zip, .tgz of npm) are looked
through. What comes out is not checked against itself yet: see making.py.
"""

import csv
import gzip
import io
import re
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import IO, Any, NamedTuple

from portward.defense.geo.atlas import Kind, number_of
from portward.errors import Invalid

MOST_BYTES = 1 << 30
"""Of one unpacked file."""
_MMDB = b"\xab\xcd\xefMaxMind.com"
_MMDB_TAIL = 128 * 1024
"""The metadata of an mmdb begin within its last 128 KiB (MaxMind DB format specification, version 2.0)."""
_TEXT = re.compile(r"(?i)\.(csv|tsv)(\.gz)?$")
_NUMBERS = re.compile(r"(?i)-num\.")


class Row(NamedTuple):
    first: int
    last: int
    family: int
    value: int


def rows(path: Path, kind: Kind) -> Iterator[Row]:
    """Every range with a value that says something. Raises `Invalid` for what can't be read, and `OSError`."""
    try:
        with _opened(path) as found:
            yield from _rows_of(found, kind)
    except (EOFError, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        raise Invalid(f"{path.name} can't be unpacked: {error}", way_out="download it again") from error


def day_of(path: Path) -> str:
    """The day on which a database in MaxMind's format was built, as 2026-06-17; empty for anything else."""
    import maxminddb

    with _opened(path) as found:
        for database in _chosen({name: file for name, file in found.items() if _is_mmdb(file)}):
            with maxminddb.open_database(database) as reader:
                return datetime.fromtimestamp(reader.metadata().build_epoch, UTC).date().isoformat()
    return ""


@contextmanager
def _opened(path: Path) -> Iterator[dict[str, Path]]:
    """Every file of data in it, unpacked, by name."""
    with ExitStack() as stack:
        with path.open("rb") as file:
            head = file.read(265)
        if head.startswith(b"PK\3\4"):
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            yield _unzipped(path, directory)
        elif head.startswith(b"\x1f\x8b"):
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            yield _ungzipped(path, directory)
        else:
            yield {path.name: path}


def _unzipped(path: Path, directory: Path) -> dict[str, Path]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if _wanted(name)]
        return {name: _member(archive, name, directory / str(n)) for n, name in enumerate(names)}


def _ungzipped(path: Path, directory: Path) -> dict[str, Path]:
    with gzip.open(path, "rb") as packed:
        inner = _copied(packed, directory / "inner")
    if not tarfile.is_tarfile(inner):
        return {path.name.removesuffix(".gz"): inner}
    found: dict[str, Path] = {}
    with tarfile.open(inner) as archive:
        for member in archive:
            if member.isfile() and _wanted(member.name) and (content := archive.extractfile(member)):
                with content:
                    found[member.name] = _copied(content, directory / str(len(found)))
    return found


def _member(archive: zipfile.ZipFile, name: str, target: Path) -> Path:
    with archive.open(name) as content:
        return _copied(content, target)


def _wanted(name: str) -> bool:
    """A member of an archive that holds data; those with addresses as plain numbers repeat the others."""
    return bool(name.endswith(".mmdb") or (_TEXT.search(name) and not _NUMBERS.search(name)))


def _copied(source: IO[bytes] | gzip.GzipFile, target: Path) -> Path:
    """Unpack, up to a size; the name inside an archive chooses no path of ours."""
    left = MOST_BYTES
    with target.open("wb") as out:
        while part := source.read(1 << 20):
            left -= len(part)
            if left < 0:
                raise Invalid(f"unpacked, it is larger than {MOST_BYTES >> 20} MB")
            out.write(part)
    return target


def _rows_of(found: Mapping[str, Path], kind: Kind) -> Iterator[Row]:
    databases = {name: path for name, path in found.items() if _is_mmdb(path)}
    if databases:
        for path in _chosen(databases):
            yield from _mmdb_rows(path, kind)
        return
    blocks = {name: path for name, path in found.items() if "-Blocks-" in name}
    if blocks and kind == "countries":
        yield from _geolite_rows(blocks, found)
        return
    for path in (blocks or found).values():
        yield from _text_rows(path, kind)


def _is_mmdb(path: Path) -> bool:
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _MMDB_TAIL))
        return _MMDB in file.read()


def _chosen(databases: Mapping[str, Path]) -> list[Path]:
    """One for both families is enough; else one for each."""
    both = [path for name, path in databases.items() if "ipv4" not in name and "ipv6" not in name]
    return both[:1] or list(databases.values())


def _mmdb_rows(path: Path, kind: Kind) -> Iterator[Row]:
    import maxminddb  # only where such a file is read

    try:
        with maxminddb.open_database(path) as reader:
            for network, record in reader:
                if value := _value_of_record(record, kind):
                    yield Row(int(network[0]), int(network[-1]), network.version, value)
    except (maxminddb.InvalidDatabaseError, ValueError, OverflowError) as error:
        raise Invalid(f"it is no sound database in MaxMind's format: {error}") from error


def _value_of_record(record: Any, kind: Kind) -> int:
    if not isinstance(record, Mapping):
        return 0
    if kind == "networks":
        return _as_number(record.get("autonomous_system_number") or record.get("asn") or "")
    country = record.get("country") or record.get("registered_country") or record.get("country_code") or ""
    if isinstance(country, Mapping):
        country = country.get("iso_code") or ""
    return number_of(str(country))


def _as_number(value: object) -> int:
    text = str(value).upper().removeprefix("AS")
    return int(text) if text.isascii() and text.isdigit() and int(text) < 2**32 else 0


def _geolite_rows(blocks: Mapping[str, Path], found: Mapping[str, Path]) -> Iterator[Row]:
    locations = [path for name, path in found.items() if "-Locations-en" in name]
    if not locations:
        raise Invalid("the file GeoLite2-Country-Locations-en.csv is missing", way_out="give the whole zip archive")
    with locations[0].open(encoding="utf-8", newline="") as file:
        codes = {row["geoname_id"]: number_of(row["country_iso_code"] or "") for row in csv.DictReader(file)}
    for path in blocks.values():
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                place = row["geoname_id"] or row["registered_country_geoname_id"] or ""
                if value := codes.get(place, 0):
                    yield _network(row["network"] or "", value)


def _text_rows(path: Path, kind: Kind) -> Iterator[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        tabs = "\t" in file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter="\t" if tabs else ",")
        yield from _lines(reader, path, kind)


def _lines(lines: Iterable[list[str]], path: Path, kind: Kind) -> Iterator[Row]:
    for number, cells in enumerate(lines, 1):
        if not cells or cells[0].startswith("#") or (number == 1 and _is_heading(cells[0])):
            continue
        try:
            row = _row([cell.strip() for cell in cells], kind)
        except (ValueError, IndexError) as error:
            raise Invalid(f"line {number} can't be read: {','.join(cells)[:80]!r} ({error})") from None
        if row.value:
            yield row


def _is_heading(cell: str) -> bool:
    return cell[:1].isalpha() and ":" not in cell


def _row(cells: list[str], kind: Kind) -> Row:
    if "/" in cells[0]:
        return _network(cells[0], _value(cells[1:], kind))
    first, last = _address(cells[0]), _address(cells[1])
    if first.version != last.version or int(first) > int(last):
        raise ValueError("the range ends before it begins")
    return Row(int(first), int(last), first.version, _value(cells[2:], kind))


def _address(text: str) -> Any:
    """An address, or an IPv4 address as a plain number."""
    return ip_address(int(text)) if text.isdigit() else ip_address(text)


def _value(cells: list[str], kind: Kind) -> int:
    """Of `DE`; of `3320,Telekom`; of ip2asn's `3320, DE, TELEKOM`."""
    if kind == "networks":
        return _as_number(cells[0])
    if len(cells) > 1 and cells[0].isdigit():
        return number_of(cells[1])
    return number_of(cells[0].strip('"'))


def _network(text: str, value: int) -> Row:
    network = ip_network(text)
    return Row(int(network[0]), int(network[-1]), network.version, value)
