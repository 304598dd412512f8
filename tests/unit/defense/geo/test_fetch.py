"""New data: fetched over HTTPS alone, checked, and taken into use only when they are good."""

import asyncio
import hashlib
import json
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.unit.defense.geo.data import atlas

from portward.defense.geo import download as downloads
from portward.defense.geo.describing import describe
from portward.defense.geo.download import NotFetched, download
from portward.defense.geo.fetch import fetch
from portward.defense.geo.geography import Geography
from portward.defense.geo.order import Order, shipped
from portward.defense.geo.rules import Rule
from portward.defense.geo.shipped import COUNTRIES
from portward.errors import Invalid

LINES = "198.51.100.0/24,DE\n203.0.113.0/24,US\n"


class Site(BaseHTTPRequestHandler):
    """/data.csv, /away (to plain HTTP), /near (to /data.csv); anything else is 404."""

    def do_GET(self) -> None:
        away = {"/away": "http://localhost/data.csv", "/near": "/data.csv"}.get(self.path)
        self.send_response(302 if away else 200 if self.path == "/data.csv" else 404)
        if away:
            self.send_header("Location", away)
        self.send_header("Last-Modified", "Wed, 17 Jun 2026 19:54:21 GMT")
        self.end_headers()
        if self.path == "/data.csv":
            self.wfile.write(LINES.encode())

    def log_message(self, *_: object) -> None:
        """A test needs no log."""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a site whose certificate is trusted while it runs."""
    certificate = tmp_path / "site.pem"
    certificate.write_bytes(_certificate())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def _certificate() -> bytes:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, *form) + made.public_bytes(serialization.Encoding.PEM)


def test_a_file_comes_over_https_with_its_day(site: str, tmp_path: Path) -> None:
    for path in ("/data.csv", "/near"):
        fetched = download(site + path, tmp_path / "got")
        assert (fetched.size, fetched.modified) == (len(LINES), "2026-06-17")
        assert (tmp_path / "got").read_text() == LINES


def test_nothing_leads_to_plain_http(site: str, tmp_path: Path) -> None:
    for url in (f"{site}/away", site.replace("https", "http") + "/data.csv", "file:///etc/passwd", "ftp://x/y", "data"):
        with pytest.raises(Invalid, match="https"):
            download(url, tmp_path / "got")


def test_what_is_not_there_is_told_as_such(site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFetched, match="404"):
        download(f"{site}/nothing", tmp_path / "got")
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NotFetched, match="certificate verify failed"):
        download(f"{site}/data.csv", tmp_path / "got")


def test_more_bytes_or_other_bytes_than_expected_are_refused(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = "sha512-" + b64encode(hashlib.sha512(LINES.encode()).digest()).decode()
    download(f"{site}/data.csv", tmp_path / "got", integrity=right)
    with pytest.raises(Invalid, match="SHA-512"):
        download(f"{site}/data.csv", tmp_path / "got", integrity=right[:-4] + "AA==")
    monkeypatch.setattr(downloads, "MOST_BYTES", 10)
    with pytest.raises(Invalid, match="larger than"):
        download(f"{site}/data.csv", tmp_path / "got")


def test_what_set_up_fetches_is_checked_by_its_digest(site: str, tmp_path: Path) -> None:
    order = shipped(str(tmp_path / "countries.geo"))
    assert (order.url, order.integrity) == (COUNTRIES.url, COUNTRIES.integrity)
    assert order.url.startswith("https://registry.npmjs.org/")
    with pytest.raises(Invalid, match="SHA-512"):
        fetch(replace(order, url=f"{site}/data.csv"))
    assert not (tmp_path / "countries.geo").exists()


def test_data_that_are_good_say_where_they_come_from(site: str, tmp_path: Path) -> None:
    target = tmp_path / "geo" / "countries.geo"
    about = fetch(Order(kind="countries", target=str(target), url=f"{site}/data.csv", licence="CC0-1.0"))
    assert (about["ranges"], about["date"], about["licence"]) == (2, "2026-06-17", "CC0-1.0")
    assert target.exists()


class Files:
    def __init__(self, directory: Path) -> None:
        self.geography = Geography(directory / "state", lambda kind: directory / "installed" / f"{kind}.geo")
        self.file = directory / "new.csv"

    def update(self, text: str, *, anyway: bool = False) -> None:
        self.file.write_text(text)
        asyncio.run(self.geography.update(Order(kind="countries", file=str(self.file), anyway=anyway)))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_new_data_count_before_those_that_set_up_installed(files: Files, tmp_path: Path) -> None:
    (tmp_path / "installed").mkdir()
    atlas(tmp_path / "installed" / "countries.geo", "198.51.100.0/24,FR\n")
    assert describe(files.geography, {}, "198.51.100.7")["country"] == "FR"
    files.update(LINES)
    assert describe(files.geography, {}, "::ffff:198.51.100.7")["country"] == "DE"


def test_bad_data_leave_the_old_ones_in_use(files: Files) -> None:
    files.update(LINES)
    before = files.geography.own("countries").read_bytes()
    for text in ("", "rubbish\nrubbish\n", "198.51.100.0/32,DE\n203.0.113.0/32,US\n"):
        with pytest.raises(Invalid, match="were not taken over"):
            files.update(text)
        assert files.geography.own("countries").read_bytes() == before
    files.update("198.51.100.0/32,DE\n", anyway=True)
    assert describe(files.geography, {}, "198.51.100.7")["country"] == ""


def test_rules_are_compiled_once_for_the_same_rules_and_data(files: Files) -> None:
    files.update(LINES)
    rules = {"": Rule(deny=("US",))}
    first = asyncio.run(files.geography.borders(rules))
    assert first is not None
    written = first.map_file.stat().st_mtime_ns
    again = asyncio.run(files.geography.borders(rules))
    assert again == first
    assert again.map_file.stat().st_mtime_ns == written
    assert first.map_file.read_text() == "203.0.113.0/24 b\n"
    other = asyncio.run(files.geography.borders({"": Rule(deny=("DE",))}))
    assert other is not None
    files.geography.keep_only(other)
    assert other.map_file.exists()
    assert not first.map_file.exists()
    assert asyncio.run(files.geography.borders({})) is None


def test_a_rule_about_what_nobody_brought_data_of_is_refused(files: Files) -> None:
    with pytest.raises(Invalid, match="no data about countries"):
        asyncio.run(files.geography.borders({"": Rule(deny=("US",))}))
    files.update(LINES)
    with pytest.raises(Invalid, match=r"no data about networks") as caught:
        files.geography.require({"wiki": Rule(as_deny=(64496,))})
    assert "--networks" in caught.value.way_out


def test_an_address_is_described_with_the_rules_that_refuse_it(files: Files) -> None:
    files.update(LINES)
    rules = {"": Rule(deny=("US",)), "wiki": Rule(allow=("DE",), unknown=True, exceptions=("203.0.113.9/32",))}
    us, private, home, apart = (
        describe(files.geography, rules, text) for text in ("203.0.113.7", "10.0.0.1", "198.51.100.1", "203.0.113.9")
    )
    assert us["refused"] == {"gateway": "US is in `deny`", "wiki": "US is not in `allow`"}
    assert (private["private"], private["refused"]) == (True, {})
    assert (home["name"], home["refused"]) == ("Germany", {})
    assert apart["refused"] == {"gateway": "US is in `deny`"}
    assert json.dumps(us)
    with pytest.raises(Invalid, match="is no address"):
        describe(files.geography, rules, "nonsense")
