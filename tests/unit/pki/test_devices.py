"""The authority for devices: what it signs, what it refuses to sign, and what it says is revoked."""

import plistlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from portward.errors import Environment, Invalid
from portward.model import Package
from portward.pki.devices import DeviceAuthority, read_request
from portward.pki.enroller import Enroller
from portward.store.devices import Issued, Revoked

NOW = datetime(2026, 11, 20, 13, tzinfo=UTC)
UNTIL = NOW + timedelta(days=365)
URL = "https://auth.example.com/devices.crl"


def request(key: object, name: str = "whatever") -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    asked = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return asked.sign(key, algorithm).public_bytes(serialization.Encoding.PEM).decode()  # type: ignore[arg-type]


def ecdsa() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def enroller(tmp_path: Path) -> Enroller:
    return Enroller(tmp_path / "devices", lambda: NOW)


def leaf_of(issued: Issued) -> x509.Certificate:
    return x509.load_pem_x509_certificate(issued.certificate.encode())


def test_nothing_is_made_before_a_device_needs_it(tmp_path: Path) -> None:
    Enroller(tmp_path / "devices", lambda: NOW)
    assert not (tmp_path / "devices").exists()


def test_a_certificate_is_for_clients_and_says_whose_it_is_whatever_was_asked_for(enroller: Enroller) -> None:
    key = ecdsa()
    issued = enroller.sign(request(key, "boss"), "phone", "ann", UNTIL, URL)
    leaf = leaf_of(issued)
    leaf.verify_directly_issued_by(enroller.authority.certificate)
    assert leaf.subject.rfc4514_string() == "CN=phone,UID=ann"
    assert leaf.public_key() == key.public_key()
    assert leaf.not_valid_after_utc == issued.expires_at == UNTIL
    assert leaf.fingerprint(hashes.SHA256()).hex() == issued.fingerprint
    extensions = leaf.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert URL in str(extensions.get_extension_for_class(x509.CRLDistributionPoints).value)


def test_the_authority_is_kept_in_files_of_which_the_key_is_private(tmp_path: Path) -> None:
    first = DeviceAuthority.open(tmp_path / "devices", NOW)
    assert DeviceAuthority.open(tmp_path / "devices", NOW).certificate == first.certificate
    assert oct((tmp_path / "devices" / "device.key").stat().st_mode)[-3:] == "600"
    assert first.title.startswith("Portward devices ")


@pytest.mark.parametrize("harm", ["remove the key", "another key", "nonsense", "too late"])
def test_an_authority_that_can_not_be_used_says_so_and_is_not_replaced(tmp_path: Path, harm: str) -> None:
    directory, now = tmp_path / "devices", NOW
    DeviceAuthority.open(directory, NOW)
    key = directory / "device.key"
    match harm:
        case "remove the key":
            key.unlink()
        case "another key":
            other = DeviceAuthority.open(tmp_path / "other", NOW)
            assert other
            key.write_bytes((tmp_path / "other" / "device.key").read_bytes())
        case "nonsense":
            key.write_text("nonsense")
        case "too late":
            now = NOW + timedelta(days=8000)
    before = (directory / "device.crt").read_bytes()
    with pytest.raises(Environment, match="authority for devices"):
        DeviceAuthority.open(directory, now)
    assert (directory / "device.crt").read_bytes() == before


@pytest.mark.parametrize(
    "make",
    [
        ecdsa,
        lambda: ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-521", "Ed25519", "RSA 2048"],
)
def test_good_keys_are_signed_for(enroller: Enroller, make: object) -> None:
    key = make()  # type: ignore[operator]
    assert leaf_of(enroller.sign(request(key), "phone", "ann", UNTIL, URL)).public_key() == key.public_key()


@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 1024),  # noqa: S505 - it must be refused
        lambda: ec.generate_private_key(ec.SECP224R1()),
        lambda: ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate,
    ],
    ids=["RSA 1024", "P-224", "secp256k1", "Ed448"],
)
def test_weak_and_odd_keys_are_refused(make: object) -> None:
    with pytest.raises(Invalid, match="kind or a size"):
        read_request(request(make()))  # type: ignore[operator]


def test_a_request_that_is_not_signed_with_its_own_key_is_refused() -> None:
    """Else somebody could enrol a key that is another's."""
    der = x509.load_pem_x509_csr(request(ecdsa()).encode()).public_bytes(serialization.Encoding.DER)
    mine = (
        ecdsa().public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    theirs = (
        x509.load_der_x509_csr(der)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    swapped = x509.load_der_x509_csr(der.replace(theirs, mine)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(Invalid, match="not signed with the key"):
        read_request(swapped.decode())


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", "x" * 20_000])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="signing request"):
        read_request(text)


def test_the_revocation_list_names_what_is_revoked(enroller: Enroller) -> None:
    issued = enroller.sign(request(ecdsa()), "phone", "ann", UNTIL, URL)
    content = enroller.revocation_list([Revoked(issued.serial, NOW)])
    revoked = x509.load_der_x509_crl(content)
    assert revoked.is_signature_valid(enroller.authority.certificate.public_key())  # type: ignore[arg-type]
    assert [entry.serial_number for entry in revoked] == [int(issued.serial, 16)]
    assert revoked.next_update_utc == NOW + timedelta(days=14)


def made(enroller: Enroller, form: str) -> tuple[Issued, Package]:
    return enroller.make(form, "phone", "ann", UNTIL, URL, "example.com")  # type: ignore[arg-type]


@pytest.mark.parametrize(("form", "spelling"), [("p12", b"\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"), ("p12-old", b"")])
def test_a_package_holds_key_and_certificate_behind_its_password(
    enroller: Enroller, form: str, spelling: bytes
) -> None:
    issued, package = made(enroller, form)
    key, certificate, more = pkcs12.load_key_and_certificates(package.content, package.password.encode())
    assert certificate == leaf_of(issued)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.public_key() == certificate.public_key()
    assert more == [enroller.authority.certificate]
    assert spelling in package.content  # PBES2, where a device reads it
    triple_des = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03"
    assert (triple_des in package.content) == (form == "p12-old")
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(package.content, b"guess")


def test_a_profile_for_apple_holds_the_package_and_not_its_password(enroller: Enroller) -> None:
    issued, package = made(enroller, "mobileconfig")
    profile = plistlib.loads(package.content)
    [identity] = profile["PayloadContent"]
    assert (profile["PayloadType"], identity["PayloadType"]) == ("Configuration", "com.apple.security.pkcs12")
    _, certificate, _ = pkcs12.load_key_and_certificates(identity["PayloadContent"], package.password.encode())
    assert certificate == leaf_of(issued)
    assert package.password.encode() not in package.content
    assert package.password not in repr(package)


def test_no_two_packages_have_the_same_password(enroller: Enroller) -> None:
    assert len({made(enroller, "p12")[1].password for _ in range(3)}) == 3
