"""Devices of other authorities: their certificate and their revocation list decide, and they belong to nobody."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.lives.conftest import short_directory
from tests.lives.gateway import Gateway
from tests.lives.machines import Machine, Machines
from tests.lives.upstream import Upstream
from tests.lives.visitor import COOKIE
from tests.lives.waiting import wait_for

PEM = serialization.Encoding.PEM
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Company:
    """An authority of somebody else's, with its revocation list in a file."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    directory: Path

    @classmethod
    def found(cls, directory: Path, name: str = "Company CA") -> "Company":
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _draft(_name(name), _name(name), key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        company = cls(key, certificate, directory)
        company.file.write_bytes(certificate.public_bytes(PEM))
        company.revoke([])
        return company

    @property
    def file(self) -> Path:
        return self.directory / "company.pem"

    @property
    def crl(self) -> Path:
        return self.directory / "company.crl"

    def issue(self, machines: Machines, name: str) -> Machine:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = (
            _draft(_name(name), self.certificate.subject, key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return machines.kept(leaf, key)

    def revoke(self, machines: list[Machine]) -> None:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(NOW - DAY).next_update(NOW + 7 * DAY)
        for machine in machines:
            serial = x509.load_pem_x509_certificate(machine.certificate.read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW)
            builder = builder.add_revoked_certificate(entry.build())
        new = self.crl.with_suffix(".new")
        new.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(PEM))
        new.replace(self.crl)


@dataclass(frozen=True)
class Office:
    gateway: Gateway
    upstream: Upstream
    machines: Machines
    company: Company


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    with ExitStack() as stack:
        upstream, place = stack.enter_context(Upstream()), stack.enter_context(short_directory())
        company = Company.found(place)
        services = {
            "vault": {"upstream": upstream.url, "device": "required"},
            "lobby": {"upstream": upstream.url, "device": "required", "access": "public"},
            "mail": {"upstream": upstream.url, "second-factor": True, "device": "second-factor"},
        }
        devices = {"authorities": [str(company.file)], "crl-files": [str(company.crl)]}
        gateway = stack.enter_context(Gateway(stack.enter_context(short_directory()), services, devices=devices))
        gateway.enrol_owner().close()
        gateway.add_account("ann")
        yield Office(gateway, upstream, Machines(gateway, place), company)


def refused(machine: Machine) -> str:
    """The rule that refuses it at the lobby."""
    answer = machine.curl("lobby")
    assert answer.status == 403, answer
    return str(json.loads(answer.body)["error"])


def test_a_device_of_another_authority_comes_in_and_the_service_learns_its_name(office: Office) -> None:
    machine = office.company.issue(office.machines, "company laptop 7")
    assert machine.curl("lobby", "/named").status == 200
    [received] = office.upstream.seen("/named")
    assert received.one("X-Portward-Device") == "CN=company laptop 7"
    assert received.one("X-Portward-Device-Fingerprint") == machine.fingerprint
    with office.gateway.log_in("ann", device=machine) as ann:
        assert ann.arrive("vault").status_code == 200


def test_it_never_stands_for_a_second_factor(office: Office) -> None:
    machine = office.company.issue(office.machines, "company laptop 8")
    with office.gateway.log_in("ann", device=machine) as ann:
        assert "second factor" in ann.arrive("mail").text.lower()
        assert machine.curl("mail", "/", "-b", f"{COOKIE}={ann.cookie('mail')}").status == 401


def test_its_own_list_revokes_it_and_ours_goes_on_to_revoke_ours(office: Office) -> None:
    lost, kept = (office.company.issue(office.machines, name) for name in ("lost", "kept"))
    own = office.machines.enrol("ann", "own")
    for machine in (lost, kept, own):
        assert machine.curl("lobby").status == 200
    office.company.revoke([lost])
    with office.gateway.admin() as admin:
        admin.post("/reload")
    assert refused(lost) == "device_revoked"
    assert kept.curl("lobby").status == own.curl("lobby").status == 200
    office.machines.revoke(own)
    assert refused(own) == "device_revoked"
    assert kept.curl("lobby").status == 200


def test_whoever_takes_the_name_of_our_authority_is_nobody(office: Office) -> None:
    ours = x509.load_pem_x509_certificate((office.gateway.state / "devices" / "device.crt").read_bytes())
    impostor = replace(office.company, key=ec.generate_private_key(ec.SECP256R1()), certificate=ours)
    assert refused(impostor.issue(office.machines, "impostor")) in {"device_unknown", "device_invalid"}
    assert refused(office.machines.forged(by_us=True)) == "device_revoked"


def test_an_authority_that_is_taken_out_of_the_file_counts_no_more(office: Office) -> None:
    machine, own = office.company.issue(office.machines, "former"), office.machines.enrol("ann", "ours")
    office.gateway.change(devices={"authorities": [], "crl-files": []})
    wait_for(lambda: machine.curl("lobby").status == 403, "the authority to be forgotten")
    assert refused(machine) == "device_unknown"
    assert own.curl("lobby").status == 200
    office.gateway.change(devices={"authorities": [str(office.company.file)], "crl-files": []})
    assert machine.curl("lobby").status == 200
    office.machines.revoke(own)
    assert refused(own) == "device_revoked", "without lists in the handshake, the map alone decides"


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    draft = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return draft.serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY).not_valid_after(NOW + 7 * DAY)
