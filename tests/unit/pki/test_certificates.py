"""What becomes of a certificate that is put: chosen, written, shown, and taken back when it is not seen."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.pki.public import PublicAuthority

from portward.errors import EdgeError, Environment, Invalid
from portward.facts import CertificateExpiring, CertificateInstalled, CertificateRefused, CertificateRenewalFailed, Fact
from portward.pki.authority import Authority
from portward.pki.bundle import Bundle
from portward.pki.certificates import Certificates, Kept, Put

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
DOMAIN = "example.com"
WIKI, BLOG = f"wiki.{DOMAIN}", f"blog.{DOMAIN}"


class Edge:
    """A presenter that notes what it is told, and is blind for some certificates."""

    def __init__(self) -> None:
        self.shown: dict[str, bytes] = {}
        self.blind_for: bytes | None = None

    async def present(self, host: str, pem: bytes) -> None:
        self.shown[host] = pem
        if pem == self.blind_for:
            raise EdgeError("a handshake showed another certificate")


class Case:
    def __init__(self, directory: Path) -> None:
        (directory / "authority").mkdir(exist_ok=True)
        self.directory, self.now = directory, START
        self.edge, self.facts, self.public = Edge(), list[Fact](), PublicAuthority(START)
        self.certificates = self.open()

    def open(self) -> Certificates:
        authority = Authority.open(self.directory / "authority", self.now)
        certificates = self.directory / "certificates"
        certificates.mkdir(exist_ok=True)
        return Certificates(certificates, authority, self.edge, self.record, lambda: self.now)

    async def record(self, fact: Fact) -> None:
        self.facts.append(fact)

    def file(self, host: str) -> bytes:
        return (self.directory / "certificates" / f"{host}.pem").read_bytes()

    async def provide(self, *hosts: str) -> None:
        await self.certificates.provide(hosts or (WIKI, BLOG), DOMAIN, {"files", "acme"})

    def kinds(self) -> list[str]:
        return [fact.kind for fact in self.facts]


def play(directory: Path, scene: Callable[[Case], Awaitable[None]]) -> Case:
    case = Case(directory)

    async def run() -> None:
        await case.provide()
        await scene(case)

    asyncio.run(run())
    return case


def test_a_host_without_an_offer_gets_one_of_the_local_authority_and_keeps_it(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        first = case.file(WIKI)
        await case.provide()
        assert case.file(WIKI) == first
        current = case.certificates.current(WIKI)
        assert current
        assert current.source == "local"
        assert set(case.certificates.all()) == {WIKI, BLOG}

    play(tmp_path, scene)


def test_what_is_put_is_written_shown_and_told(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        pem = case.public.issue(WIKI)
        put = await case.certificates.put(pem, "acme")
        assert isinstance(put, Put)
        assert put.hosts == (WIKI,)
        assert case.file(WIKI) == case.edge.shown[WIKI] == Bundle.read(pem).pem
        assert (tmp_path / "certificates" / f"{WIKI}.pem").stat().st_mode & 0o777 == 0o600
        current = case.certificates.current(WIKI)
        assert current
        assert current.source == "acme"
        assert isinstance(case.facts[-1], CertificateInstalled)

    play(tmp_path, scene)


def test_a_wildcard_is_shown_by_every_host_that_it_covers(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        put = await case.certificates.put(case.public.issue(f"*.{DOMAIN}"), "acme")
        assert isinstance(put, Put)
        assert put.hosts == (WIKI, BLOG)
        await case.provide(WIKI, BLOG, f"late.{DOMAIN}")
        assert Bundle.read(case.file(f"late.{DOMAIN}")).names == (f"*.{DOMAIN}",)

    play(tmp_path, scene)


def test_a_certificate_that_is_not_seen_goes_and_the_old_one_comes_back(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        before, pem = case.file(WIKI), case.public.issue(WIKI)
        case.edge.blind_for = Bundle.read(pem).pem
        with pytest.raises(EdgeError, match="another certificate"):
            await case.certificates.put(pem, "acme")
        assert case.file(WIKI) == case.edge.shown[WIKI] == before
        assert isinstance(case.facts[-1], CertificateRefused)
        case.edge.blind_for = None
        await case.certificates.renew()
        assert case.file(WIKI) == Bundle.read(pem).pem, "it is tried again"

    play(tmp_path, scene)


def test_a_worse_one_is_kept_out_and_an_own_file_comes_before_a_public_one(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        await case.certificates.put(case.public.issue(WIKI), "files")
        own = case.file(WIKI)
        assert isinstance(await case.certificates.put(case.public.issue(WIKI), "acme"), Kept | Put)
        assert case.file(WIKI) == own
        staging = PublicAuthority(START, title="(STAGING) Pretend Pear")
        assert isinstance(await case.certificates.put(staging.issue(WIKI), "acme"), Kept)
        assert isinstance(await case.certificates.put(case.public.issue(WIKI, days=-1), "files"), Kept)
        assert case.file(WIKI) == own

    play(tmp_path, scene)


def test_a_withdrawn_file_gives_way_to_the_next_best(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        public = Bundle.read(case.public.issue(WIKI))
        await case.certificates.put(public.pem, "acme")
        await case.certificates.put(case.public.issue(WIKI), "files")
        assert case.file(WIKI) != public.pem
        own = case.file(WIKI)
        assert await case.certificates.withdraw("files", keep=())
        assert case.file(WIKI) == own, "no host is left without one in between"
        await case.certificates.renew()
        assert case.file(WIKI) == case.edge.shown[WIKI] == public.pem

    play(tmp_path, scene)


def test_a_restart_serves_the_same(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        await case.certificates.put(case.public.issue(WIKI), "acme")
        before, current = case.file(WIKI), case.certificates.current(WIKI)
        case.certificates = case.open()
        await case.provide()
        assert case.file(WIKI) == before
        assert case.certificates.current(WIKI) == current

    play(tmp_path, scene)


def test_a_source_that_no_longer_counts_gives_way(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        await case.certificates.put(case.public.issue(WIKI), "acme")
        await case.certificates.provide((WIKI,), DOMAIN, ())
        await case.certificates.renew()
        current = case.certificates.current(WIKI)
        assert current
        assert current.source == "local"

    play(tmp_path, scene)


def test_ours_are_renewed_by_themselves_with_a_third_of_their_life_left(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        before = case.file(WIKI)
        case.now += timedelta(days=59)
        await case.certificates.renew()
        assert case.file(WIKI) == before
        case.now += timedelta(days=1)
        await case.certificates.renew()
        assert case.file(WIKI) == case.edge.shown[WIKI] != before

    play(tmp_path, scene)


@pytest.mark.parametrize("damage", [b"", b"junk", None])
def test_a_file_that_is_damaged_or_gone_is_made_anew(tmp_path: Path, damage: bytes | None) -> None:
    async def scene(case: Case) -> None:
        path = case.certificates.file(WIKI)
        path.unlink() if damage is None else path.write_bytes(damage)
        await case.certificates.renew()
        assert Bundle.read(case.file(WIKI)).names == (WIKI,)

    play(tmp_path, scene)


def test_a_renewal_that_fails_is_told_once_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        await case.certificates.put(case.public.issue(BLOG, days=30), "acme")
        before = case.file(WIKI)
        (tmp_path / "authority" / "root.key").unlink()
        (tmp_path / "authority" / "hosts.pem").unlink()
        case.now += timedelta(days=70)
        await case.certificates.renew()
        await case.certificates.renew()
        assert case.file(WIKI) == before
        failed = [fact for fact in case.facts if isinstance(fact, CertificateRenewalFailed)]
        assert [fact.host for fact in failed] == [WIKI, BLOG]
        assert all("root's key is away" in fact.reason for fact in failed)

    play(tmp_path, scene)


def test_a_start_without_the_root_key_goes_on_with_what_there_is_but_cannot_serve_a_host_without_any(
    tmp_path: Path,
) -> None:
    async def scene(case: Case) -> None:
        before = case.file(WIKI)
        (tmp_path / "authority" / "root.key").unlink()
        (tmp_path / "authority" / "hosts.pem").unlink()
        case.now += timedelta(days=100)
        case.certificates = case.open()
        await case.provide(WIKI)
        assert case.file(WIKI) == before
        with pytest.raises(Environment, match="root's key is away"):
            await case.provide(WIKI, "new.example.org")

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"junk", "no private key"),
        (PublicAuthority(START).issue(WIKI).split(b"-----BEGIN PRIVATE KEY")[0], "no private key"),
        (PublicAuthority(START).issue(), "names no host"),
        (PublicAuthority(START).issue("../../etc/cron.d/x"), "names no host"),
    ],
)
def test_what_no_host_could_show_is_refused_and_told(tmp_path: Path, content: bytes, reason: str) -> None:
    async def scene(case: Case) -> None:
        with pytest.raises(Invalid, match=reason):
            await case.certificates.put(content, "files")
        assert case.kinds() == ["CertificateRefused"]
        assert {path.name for path in (tmp_path / "certificates").iterdir()} == {f"{WIKI}.pem", f"{BLOG}.pem"}

    play(tmp_path, scene)


def test_the_end_is_told_with_21_7_and_1_days_left_once_each_also_after_a_restart(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        await case.certificates.put(case.public.issue(WIKI, days=90), "files")
        told: list[tuple[int, int]] = []
        for day in range(91):
            case.now = START + timedelta(days=day, hours=12)
            case.certificates = case.open()
            await case.provide(WIKI)
            case.facts.clear()
            for _ in range(2):
                await case.certificates.renew()
            told += [(90 - day, fact.days) for fact in case.facts if isinstance(fact, CertificateExpiring)]
        assert told == [(21, 21), (7, 7), (1, 1)]

    play(tmp_path, scene)


def test_a_certificate_for_six_days_is_told_of_on_its_last_day_alone(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        await case.certificates.put(case.public.issue(WIKI, days=6), "acme")
        for hours in range(0, 143, 12):
            case.now = START + timedelta(hours=hours, minutes=1)
            await case.certificates.renew()
        assert [fact.days for fact in case.facts if isinstance(fact, CertificateExpiring)] == [1]

    play(tmp_path, scene)


def test_the_first_failed_renewal_is_told_once_also_after_a_restart(tmp_path: Path) -> None:
    async def scene(case: Case) -> None:
        (tmp_path / "authority" / "root.key").unlink()
        (tmp_path / "authority" / "hosts.pem").unlink()
        case.now += timedelta(days=70)
        for _ in range(3):
            case.certificates = case.open()
            await case.provide(WIKI)
            await case.certificates.renew()
        assert case.kinds() == ["CertificateRenewalFailed", "CertificateExpiring"]

    play(tmp_path, scene)
