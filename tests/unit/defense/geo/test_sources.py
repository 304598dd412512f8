"""Data as others publish them: every form is read, and what is broken is refused with a reason."""

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.defense.geo.data import mmdb

from portward.defense.geo import sources
from portward.defense.geo.atlas import Kind, number_of
from portward.defense.geo.sources import Row, day_of, rows
from portward.errors import Invalid

DE, US = number_of("DE"), number_of("US")
LINES = "198.51.100.0,198.51.100.255,DE\n2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,US\n"
FIRST = Row(0xC6336400, 0xC63364FF, 4, DE)
EXPECTED = [FIRST, Row(0x20010DB8 << 96, (0x20010DB9 << 96) - 1, 6, US)]
Put = Callable[..., Path]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def zipped(**members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


def tarred(**members: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in members.items():
            info = tarfile.TarInfo("package/" + name.replace("__", "."))
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_lines_of_ranges_and_of_networks_say_the_same(put: Put) -> None:
    assert list(rows(put("a.csv", LINES), "countries")) == EXPECTED
    assert list(rows(put("b.csv", "198.51.100.0/24,DE\n2001:db8::/32,us\n"), "countries")) == EXPECTED
    assert list(rows(put("c.csv", "# made by hand\n\n3325256704,3325256959,DE\n"), "countries")) == [FIRST]
    assert list(rows(put("d.csv", '"198.51.100.0","198.51.100.255","DE"\n'), "countries")) == [FIRST]


def test_packed_files_are_read_as_the_plain_ones(put: Put) -> None:
    assert list(rows(put("a.csv.gz", gzip.compress(LINES.encode())), "countries")) == EXPECTED
    v4, v6 = LINES.splitlines(keepends=True)
    for name, packed in (("a.zip", zipped), ("a.tgz", tarred)):
        content = packed(x_ipv4__csv=v4, x_ipv6__csv=v6, x_ipv4_num__txt="no data", **{"x-ipv4-num__csv": "1,2,FR\n"})
        assert list(rows(put(name, content), "countries")) == EXPECTED


def test_databases_in_maxminds_format_are_read_with_their_day(put: Put) -> None:
    content = mmdb("DE", 1_781_726_061)
    expected = [Row(2**31, 2**32 - 1, 4, DE)]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inside/country.mmdb", content)
    for name, data in {"a.mmdb": content, "a.mmdb.gz": gzip.compress(content), "a.zip": packed.getvalue()}.items():
        path = put(name, data)
        assert list(rows(path, "countries")) == expected
        assert day_of(path) == "2026-06-17"
    assert list(rows(put("a.mmdb", content), "networks")) == []
    assert day_of(put("a.csv", LINES)) == ""


def test_numbers_of_networks_are_read_in_each_of_the_usual_columns(put: Put) -> None:
    for name, text in {
        "a.csv": '198.51.100.0,198.51.100.255,3320,"Deutsche Telekom, Bonn"\n',
        "b.csv": "198.51.100.0/24,AS3320,Deutsche Telekom\n",
        "c.tsv": "198.51.100.0\t198.51.100.255\t3320\tDE\tDTAG\n",
        "d.csv": "network,autonomous_system_number,autonomous_system_organization\n198.51.100.0/24,3320,DTAG\n",
    }.items():
        assert list(rows(put(name, text), "networks")) == [FIRST._replace(value=3320)]
    assert list(rows(put("c.tsv", "198.51.100.0\t198.51.100.255\t3320\tDE\tDTAG\n"), "countries")) == [FIRST]


def test_ranges_that_nobody_has_are_left_out(put: Put) -> None:
    text = "198.51.100.0,198.51.100.255,ZZ\n198.51.101.0,198.51.101.255,\n198.51.102.0\t"
    assert list(rows(put("a.csv", text.splitlines()[0] + "\n"), "countries")) == []
    assert list(rows(put("b.tsv", "198.51.100.0\t198.51.100.255\t0\tNone\tNot routed\n"), "networks")) == []
    assert list(rows(put("b.tsv", "198.51.100.0\t198.51.100.255\t0\tNone\tNot routed\n"), "countries")) == []


def test_geolite_comes_as_a_zip_of_blocks_and_locations(put: Put) -> None:
    content = zipped(
        **{
            "G/GeoLite2-Country-Blocks-IPv4__csv": "network,geoname_id,registered_country_geoname_id\n"
            "198.51.100.0/24,2921044,6252001\n203.0.113.0/24,,\n",
            "G/GeoLite2-Country-Blocks-IPv6__csv": "network,geoname_id,registered_country_geoname_id\n"
            "2001:db8::/32,,6252001\n",
            "G/GeoLite2-Country-Locations-en__csv": "geoname_id,locale_code,country_iso_code\n"
            "2921044,en,DE\n6252001,en,US\n6255148,en,\n",
            "G/GeoLite2-Country-Locations-de__csv": "geoname_id,locale_code,country_iso_code\n",
        }
    )
    assert list(rows(put("a.zip", content), "countries")) == EXPECTED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("198.51.100.0,198.51.100.255,DE\n198.51.101.0,rubbish,DE\n", "line 2 can't be read"),
        ("198.51.100.9,198.51.100.0,DE\n", "the range ends before it begins"),
        ("198.51.100.0,2001:db8::,DE\n", "the range ends before it begins"),
        ("198.51.100.1/24,DE\n", "host bits set"),
    ],
)
def test_a_line_that_makes_no_sense_is_named(put: Put, text: str, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        list(rows(put("a.csv", text), "countries"))


@pytest.mark.parametrize("kind", ["countries", "networks"])
def test_what_is_cut_off_or_something_else_is_refused(put: Put, kind: Kind) -> None:
    whole = gzip.compress(LINES.encode() * 50)
    for name, content in {
        "cut.csv.gz": whole[: len(whole) // 2],
        "cut.zip": zipped(a__csv=LINES)[:-30],
        "page.html": b"<!doctype html><p>please log in",
        "bad.mmdb": b"\0" * 400 + b"\xab\xcd\xefMaxMind.com" + b"\xff" * 40,
        "binary": bytes(range(128, 256)) * 20,
    }.items():
        with pytest.raises(Invalid):
            list(rows(put(name, content), kind))


def test_a_small_file_does_not_unpack_into_an_endless_one(put: Put, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_BYTES", 10_000)
    for name, content in (("a.csv.gz", gzip.compress(b"#" * 50_000)), ("a.zip", zipped(a__csv="#" * 50_000))):
        with pytest.raises(Invalid, match="larger than"):
            list(rows(put(name, content), "countries"))


@given(st.binary(max_size=400), st.sampled_from(["", "\x1f\x8b", "PK\3\4"]), st.sampled_from(["countries", "networks"]))
def test_no_bytes_make_it_stumble(content: bytes, head: str, kind: Kind) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x"
        path.write_bytes(head.encode("latin-1") + content)
        try:
            list(rows(path, kind))
        except Invalid:
            return
