"""What portward.toml may say of devices."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portward.config import Settings
from portward.config.reading import parse
from portward.errors import ConfigError

NOW = datetime.now(UTC)
PEM = serialization.Encoding.PEM


def read(text: str, directory: Path = Path()) -> Settings:
    return parse(text, directory / "portward.toml", {})


def mistakes(text: str, directory: Path = Path()) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text, directory)
    return [f"{mistake.line} {mistake.key}: {mistake.problem}" for mistake in caught.value.mistakes]


def authority(name: str, *, signs: bool = True) -> tuple[bytes, bytes]:
    """An authority's certificate and an empty revocation list of it, PEM."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    revoked = x509.CertificateRevocationListBuilder().issuer_name(subject).last_update(NOW)
    crl = revoked.next_update(NOW + timedelta(days=1)).sign(key, hashes.SHA256())
    return certificate.public_bytes(PEM), crl.public_bytes(PEM)


def test_a_service_asks_for_no_device_unless_told_to() -> None:
    [route] = read('[services.wiki]\nupstream = "demo"\n').routes
    assert (route.device, route.device_refusal) == ("ignored", "page")


def test_a_part_of_a_service_has_the_device_rule_of_the_whole_unless_it_says_otherwise() -> None:
    text = (
        '[services.wiki]\nupstream = "demo"\ndevice = "required"\n'
        'routes = [{ path = "/a" }, { path = "/b", device = "ignored" }]\n'
    )
    assert [route.device for route in read(text).routes] == ["required", "required", "ignored"]


def test_a_public_part_inherits_no_stand_in_for_the_factor_that_it_does_not_ask_for() -> None:
    text = (
        '[services.wiki]\nupstream = "demo"\ndevice = "second-factor"\nsecond-factor = true\n'
        'routes = [{ path = "/a", access = "public" }]\n'
    )
    assert [route.device for route in read(text).routes] == ["second-factor", "ignored"]


def test_a_device_can_stand_only_for_a_second_factor_that_is_asked_for() -> None:
    (mistake,) = mistakes('[services.wiki]\nupstream = "demo"\ndevice = "second-factor"\n')
    assert mistake.startswith("3 services.wiki.device: a device can't stand for a second factor")


def test_only_a_required_device_can_refuse_the_handshake() -> None:
    (mistake,) = mistakes('[services.wiki]\nupstream = "demo"\ndevice-refusal = "handshake"\n')
    assert mistake.startswith("3 services.wiki.device-refusal: only what demands a device")


def test_a_handshake_can_be_refused_only_for_the_whole_host() -> None:
    text = (
        '[services.wiki]\nupstream = "demo"\ndevice = "required"\ndevice-refusal = "handshake"\n'
        '[services.open]\nupstream = "demo"\nhost = "wiki.portward.localhost"\npath = "/open"\n'
    )
    (mistake,) = mistakes(text)
    assert "a handshake knows no paths" in mistake


def test_an_authority_must_be_one(tmp_path: Path) -> None:
    (tmp_path / "leaf.pem").write_bytes(authority("leaf", signs=False)[0])
    (tmp_path / "empty.pem").write_text("")
    text = '[devices]\nauthorities = ["leaf.pem", "empty.pem", "away.pem"]\n'
    found = mistakes(text, tmp_path)
    assert "which is no authority" in found[0]
    assert "can't be read" in found[1]
    assert "No such file" in found[2]


def test_an_authority_without_a_list_beside_others_with_one_is_a_mistake(tmp_path: Path) -> None:
    for name in ("one", "two"):
        certificate, crl = authority(name)
        (tmp_path / f"{name}.pem").write_bytes(certificate)
        (tmp_path / f"{name}.crl").write_bytes(crl)
    both = '[devices]\nauthorities = ["one.pem", "two.pem"]\n'
    assert len(read(both, tmp_path).devices.authorities) == 2
    assert len(read(both + 'crl-files = ["one.crl", "two.crl"]\n', tmp_path).devices.crl_files) == 2
    (mistake,) = mistakes(both + 'crl-files = ["one.crl"]\n', tmp_path)
    assert "no list is of CN=two" in mistake
    (mistake,) = mistakes(both + 'crl-files = ["one.pem"]\n', tmp_path)[:1]
    assert "holds no revocation list" in mistake
