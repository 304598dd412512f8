"""Devices of the tests: a key that openssl makes, a certificate that the gateway issues, and curl that shows it.

    phone = machines.enrol("ann", "phone")
    phone.curl("vault", "/page").status             # 200
    machines.revoke(phone)

Certificates that nobody enrolled (expired, for servers, of strangers) are signed with the gateway's own key, as a thief
of it could.
"""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from portward.pki.devices import DeviceAuthority

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` is 0 where curl got no answer; `code` is curl's own."""

    status: int
    body: str
    code: int


@dataclass(frozen=True, slots=True)
class Machine:
    """`id` is empty for one that was never enrolled."""

    gateway: "Gateway"
    certificate: Path
    key: Path
    id: str = ""

    @property
    def fingerprint(self) -> str:
        """SHA-256 as openssl has it, in lower case without colons."""
        words = openssl("x509", "-in", self.certificate, "-noout", "-fingerprint", "-sha256")
        return words.partition("=")[2].strip().replace(":", "").lower()

    def curl(self, host: str, path: str = "/", *options: str) -> Reply:
        return curl(self.gateway, host, path, "--cert", str(self.certificate), "--key", str(self.key), *options)


class Machines:
    def __init__(self, gateway: "Gateway", directory: Path) -> None:
        self._gateway, self._directory = gateway, directory
        self._made = 0

    def enrol(self, account: str, name: str) -> Machine:
        """A device with a key of its own, whose signing request the operator enrols."""
        key, csr, certificate = self._files()
        openssl("req", "-new", *EC, "-nodes", "-keyout", key, "-out", csr, "-subj", "/CN=whatever")
        with self._gateway.admin() as admin:
            answer = admin.post("/devices", {"account": account, "name": name, "csr": csr.read_text()})
        certificate.write_text(answer["certificate"])
        return Machine(self._gateway, certificate, key, answer["device"]["id"])

    def revoke(self, machine: Machine) -> None:
        with self._gateway.admin() as admin:
            admin.delete(f"/devices/{machine.id}")

    def forged(self, *, use: ObjectIdentifier = CLIENT, ended: timedelta = -_DAY, by_us: bool = True) -> Machine:
        """A certificate that nobody enrolled: signed by the gateway's authority for devices, or by a stranger."""
        ours = DeviceAuthority.open(self._gateway.state / "devices", datetime.now(UTC))
        signer = ours.key if by_us else ec.generate_private_key(ec.SECP256R1())
        issuer = ours.certificate.subject if by_us else _name("Stranger")
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        signed = (
            x509.CertificateBuilder()
            .subject_name(_name("forged"))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 30 * _DAY)
            .not_valid_after(now - ended)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([use]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return self.kept(signed, key)

    def kept(self, signed: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Machine:
        key_file, _, certificate = self._files()
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return Machine(self._gateway, certificate, key_file)

    def _files(self) -> tuple[Path, Path, Path]:
        self._made += 1
        stem = self._directory / f"machine{self._made}"
        return stem.with_suffix(".key"), stem.with_suffix(".csr"), stem.with_suffix(".pem")


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


def curl(gateway: "Gateway", host: str, path: str, *options: str) -> Reply:
    """One request by curl, over a connection of its own."""
    name = gateway.host(host)
    place = ["--resolve", f"{name}:{gateway.https_port}:127.0.0.1", "--cacert", str(gateway.root)]
    command = ["curl", "-sS", "--max-time", "20", *place, "-w", "\n%{http_code}", *options, gateway.url(host, path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    body, _, status = done.stdout.rpartition("\n")
    return Reply(int(status or 0), body, done.returncode)


def openssl(*arguments: str | Path, stdin: str = "") -> str:
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
