"""Certificates of the operator's own: what is good is put, what is bad changes nothing and is told."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.unit.pki.public import PublicAuthority

from portward.config.own_files import OwnFile
from portward.facts import CertificateRefused, Fact
from portward.pki.authority import Authority
from portward.pki.bundle import Bundle
from portward.pki.certificates import Certificates
from portward.pki.inspection import Report
from portward.pki.own_files import OwnFiles
from portward.pki.presenter import NullPresenter

NOW = datetime.now(UTC)
WIKI = "wiki.example.com"
PUBLIC = PublicAuthority(NOW)
SMALL = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what browsers refuse


class Case:
    def __init__(self, directory: Path) -> None:
        self.own = directory / "own"
        self.facts: list[Fact] = []
        for path in (self.own, directory / "authority", directory / "certificates"):
            path.mkdir()
        authority = Authority.open(directory / "authority", NOW)
        self.certificates = Certificates(
            directory / "certificates", authority, NullPresenter(), self.record, lambda: NOW
        )
        self.files = OwnFiles(self.certificates, self.record, lambda: NOW)

    async def record(self, fact: Fact) -> None:
        self.facts.append(fact)

    def write(self, content: bytes, name: str = "wiki.pem") -> bytes:
        """An own file, readable by its owner alone. Returns its content as the gateway would serve it."""
        (self.own / name).write_bytes(content)
        (self.own / name).chmod(0o600)
        return content

    async def read(self, *files: OwnFile) -> tuple[Report, ...]:
        await self.files.refresh(files or [OwnFile(str(self.own / "*.pem"))], [WIKI])
        return self.files.reports

    @property
    def shown(self) -> bytes:
        return self.certificates.file(WIKI).read_bytes()

    @property
    def source(self) -> str:
        current = self.certificates.current(WIKI)
        assert current
        return current.source


def play(directory: Path, scene: Callable[[Case], Awaitable[None]]) -> None:
    case = Case(directory)

    async def run() -> None:
        await case.certificates.provide((WIKI,), "example.com", {"files"})
        await scene(case)

    asyncio.run(run())


def test_a_good_file_is_shown_and_a_newer_one_takes_its_place(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        for _ in range(2):
            pem = case.write(PUBLIC.issue(WIKI))
            (report,) = await case.read()
            assert (report.problem, report.remarks, report.names) == ("", (), (WIKI,))
            assert case.shown == Bundle.read(pem).pem
        assert case.source == "files"

    play(tmp_path, scene)


def test_certificate_and_key_may_be_two_files_and_names_wildcards(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        pem = PUBLIC.issue("*.example.com")
        case.write(pem[: pem.index(b"-----BEGIN PRIVATE")], "wild.crt")
        case.write(pem[pem.index(b"-----BEGIN PRIVATE") :], "wild.key")
        await case.read(OwnFile(str(case.own / "wild.crt"), str(case.own / "wild.key")))
        assert case.shown == Bundle.read(pem).pem

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no private key"),
        (b"junk", "no private key"),
        (PUBLIC.issue(WIKI)[:-30], "no private key"),
        (PUBLIC.issue(WIKI, days=-1), "expired on"),
        (PublicAuthority(NOW.replace(year=NOW.year + 1)).issue(WIKI), "valid only from"),
        (PUBLIC.issue(), "names no host"),
        (PUBLIC.issue(WIKI).split(b"-----BEGIN PRIVATE")[0] + PublicAuthority(NOW).key_pem, "key does not belong"),
        (PUBLIC.issue(WIKI) + PublicAuthority(NOW, "Stranger").pem, "does not belong to its chain"),
        (PUBLIC.issue(WIKI, direct=True), r"issuer.*is missing in the file; it is at http://"),
        (PUBLIC.issue(WIKI, key=SMALL), "browsers refuse"),
        (PUBLIC.issue(WIKI, for_clients=True), "not meant for servers"),
    ],
)
def test_the_old_one_stays_while_the_new_one_is_bad_and_one_event_says_why(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    async def scene(case: Case) -> None:
        case.write(PUBLIC.issue(WIKI))
        await case.read()
        before, told = case.shown, len(case.facts)
        case.write(content)
        (report,) = await case.read()
        await case.read()
        assert case.shown == before
        assert case.source == "files"
        (fact,) = case.facts[told:]
        assert isinstance(fact, CertificateRefused)
        assert fact.reason == report.problem
        assert re.search(reason, report.problem), report.problem
        pem = case.write(PUBLIC.issue(WIKI))
        await case.read()
        assert case.shown == Bundle.read(pem).pem, "mended"

    play(tmp_path, scene)


def test_a_file_that_is_missing_keeps_the_old_one_and_is_named(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        file = OwnFile(str(case.own / "wiki.pem"))
        case.write(PUBLIC.issue(WIKI))
        await case.read(file)
        before = case.shown
        (case.own / "wiki.pem").unlink()
        (report,) = await case.read(file)
        assert "wiki.pem can't be read: No such file" in report.problem
        assert case.shown == before

    play(tmp_path, scene)


def test_a_chain_out_of_order_is_served_in_order_and_remarked(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        pem = PUBLIC.issue(WIKI)
        blocks = pem.split(b"-----BEGIN CERTIFICATE-----")
        middle, key = blocks[2].split(b"-----BEGIN PRIVATE KEY-----")
        mixed = [
            b"-----BEGIN PRIVATE KEY-----" + key,
            *(b"-----BEGIN CERTIFICATE-----" + x for x in (middle, blocks[1])),
        ]
        case.write(b"".join(mixed))
        (report,) = await case.read()
        assert case.shown == Bundle.read(pem).pem
        assert "not in order" in report.remarks[0]

    play(tmp_path, scene)


def test_a_key_that_everybody_can_read_is_remarked(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        case.write(PUBLIC.issue(WIKI))
        (case.own / "wiki.pem").chmod(0o644)
        (report,) = await case.read()
        assert "everybody on this machine can read the private key" in report.remarks[0]
        assert case.source == "files"

    play(tmp_path, scene)


def test_a_file_for_nobody_is_remarked(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        case.write(PUBLIC.issue("other.example.com"))
        (report,) = await case.read()
        assert "no host that is published: other.example.com" in report.remarks[0]
        assert case.source == "local"

    play(tmp_path, scene)


def test_whoever_takes_the_files_away_gets_the_next_best(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        case.write(PUBLIC.issue(WIKI))
        await case.read()
        await case.files.refresh((), [WIKI])
        assert case.source == "local"

    play(tmp_path, scene)


def test_whoever_goes_back_to_an_older_certificate_means_it(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        older, later = PUBLIC.issue(WIKI, days=90), PUBLIC.issue(WIKI, days=91)
        for pem in (later, older):
            case.write(pem)
            await case.read()
            assert case.shown == Bundle.read(pem).pem

    play(tmp_path, scene)


def test_of_two_files_for_a_host_the_one_issued_later_is_shown(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        case.write(PUBLIC.issue(WIKI, days=90), "a.pem")
        newer = case.write(PUBLIC.issue(WIKI, days=91), "b.pem")
        for _ in range(2):
            reports = await case.read()
            assert case.shown == Bundle.read(newer).pem
        assert "it is not shown" in reports[0].remarks[0]

    play(tmp_path, scene)
