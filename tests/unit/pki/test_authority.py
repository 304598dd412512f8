"""The local authority, judged by the real openssl."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from tests.unit.pki.old_layout import make_old_root

from portward.errors import Environment, Invalid
from portward.pki.authority import Authority
from portward.pki.bundle import Bundle

NOW = datetime.now(UTC).replace(microsecond=0)
DOMAIN = "portward.localhost"
HOST = f"hello.{DOMAIN}"


def open_authority(directory: Path, now: datetime = NOW) -> Authority:
    return Authority.open(directory, now)


def issue(directory: Path, host: str = HOST, now: datetime = NOW) -> Path:
    """A certificate of the authority in `directory`, in a file."""
    authority = open_authority(directory, now)
    authority.cover([host], DOMAIN, now)
    file = directory / "leaf.pem"
    file.write_bytes(authority.issue(host, now))
    return file


def openssl(*arguments: str) -> str:
    result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


def verify(directory: Path, host: str, file: Path, purpose: str = "sslserver") -> str:
    """What openssl says of a leaf and the issuers in its file, trusting the root alone."""
    options = "-x509_strict", "-purpose", purpose, *(("-verify_hostname", host) if host else ())
    return openssl("verify", *options, "-CAfile", str(directory / "root.crt"), "-untrusted", str(file), str(file))


def text_of(file: Path) -> str:
    return openssl("x509", "-in", str(file), "-noout", "-text")


@pytest.mark.parametrize("host", [HOST, f"{'a' * 60}.{'b' * 60}.{DOMAIN}", "elsewhere.example.org"])
def test_openssl_accepts_a_certificate_for_its_host_and_no_other(tmp_path: Path, host: str) -> None:
    file = issue(tmp_path, host)
    assert verify(tmp_path, host, file) == f"{file}: OK\n"
    assert "hostname mismatch" in verify(tmp_path, "other.portward.localhost", file)


def test_a_certificate_says_what_clients_ask_for(tmp_path: Path) -> None:
    file = issue(tmp_path)
    text = text_of(file)
    for wanted in (
        "prime256v1",
        f"DNS:{HOST}",
        "CA:FALSE",
        "TLS Web Server Authentication",
        "Digital Signature",
        "Authority Key Identifier",
        "Subject Key Identifier",
    ):
        assert wanted in text
    bundle = Bundle.read(file.read_bytes())
    assert bundle.names == (HOST,)
    assert bundle.leaf.not_valid_after_utc - NOW == timedelta(days=90)


def test_the_root_may_sign_one_level_of_authorities_and_the_intermediate_none(tmp_path: Path) -> None:
    issue(tmp_path)
    assert "CA:TRUE, pathlen:1" in text_of(tmp_path / "root.crt")
    assert "CA:TRUE, pathlen:0" in text_of(tmp_path / "hosts.pem")
    for file in ("root.crt", "hosts.pem"):
        assert "Certificate Sign, CRL Sign" in text_of(tmp_path / file)


def test_what_the_intermediate_signs_outside_its_domains_is_refused_by_openssl(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    authority.cover([HOST], DOMAIN, NOW)
    good = authority.issuer(NOW)
    with pytest.raises(Environment, match=r"can't sign for bank\.example"):
        authority.issue("bank.example", NOW)
    assert good.permitted == {DOMAIN}
    other = tmp_path / "other"
    other.mkdir()
    file = issue(other, "bank.example")
    forged = _resign(Bundle.read(file.read_bytes()), good.certificate, good.key)
    file.write_bytes(forged + good.pem)
    assert "permitted subtree violation" in verify(tmp_path, "bank.example", file)


def test_a_host_outside_the_domain_widens_the_intermediate_while_the_root_key_is_there(tmp_path: Path) -> None:
    first = issue(tmp_path)
    before = first.read_bytes()
    second = issue(tmp_path, "elsewhere.example.org")
    assert open_authority(tmp_path).issuer(NOW).permitted == {DOMAIN, "elsewhere.example.org"}
    assert verify(tmp_path, "elsewhere.example.org", second).endswith("OK\n")
    second.write_bytes(before)
    assert verify(tmp_path, HOST, second).endswith("OK\n"), "what was issued before goes on"


def test_without_the_root_key_hosts_of_the_domain_go_on_and_others_are_an_error_with_a_way_out(tmp_path: Path) -> None:
    issue(tmp_path)
    (tmp_path / "root.key").unlink()
    assert verify(tmp_path, f"new.{DOMAIN}", issue(tmp_path, f"new.{DOMAIN}")).endswith("OK\n")
    with pytest.raises(Environment, match=r"(?s)elsewhere\.example\.org.*root\.key back"):
        issue(tmp_path, "elsewhere.example.org")


def test_an_intermediate_is_renewed_in_its_last_year_as_soon_as_the_root_key_is_there(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    authority.cover([HOST], DOMAIN, NOW)
    first = authority.issuer(NOW)
    later, key = NOW + timedelta(days=740), (tmp_path / "root.key").read_bytes()
    (tmp_path / "root.key").unlink()
    assert authority.issuer(later).certificate == first.certificate
    (tmp_path / "root.key").write_bytes(key)
    renewed = authority.issuer(later)
    assert renewed.certificate.not_valid_after_utc > first.certificate.not_valid_after_utc
    assert renewed.permitted == first.permitted


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    issue(tmp_path)
    for name in ("root.key", "hosts.pem"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_the_same_authority_is_found_again(tmp_path: Path) -> None:
    assert open_authority(tmp_path).root == open_authority(tmp_path).root


def test_serial_numbers_are_random_and_two_installations_have_two_names(tmp_path: Path) -> None:
    serials = {Bundle.read(issue(tmp_path).read_bytes()).leaf.serial_number for _ in range(3)}
    assert len(serials) == 3
    other = tmp_path / "other"
    other.mkdir()
    assert open_authority(other).root.subject != open_authority(tmp_path).root.subject


def test_ours_is_fresh_while_more_than_a_third_of_its_life_is_left(tmp_path: Path) -> None:
    bundle, authority = Bundle.read(issue(tmp_path).read_bytes()), open_authority(tmp_path)
    assert authority.vouches_for(bundle, HOST, NOW + timedelta(days=59))
    assert not authority.vouches_for(bundle, HOST, NOW + timedelta(days=60))
    assert not authority.vouches_for(bundle, f"other.{DOMAIN}", NOW)


def test_a_certificate_of_another_authority_is_not_ours(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert not open_authority(tmp_path).vouches_for(Bundle.read(issue(other).read_bytes()), HOST, NOW)


def test_a_certificate_never_outlives_its_issuer(tmp_path: Path) -> None:
    authority = open_authority(tmp_path)
    authority.cover([HOST], DOMAIN, NOW)
    end = authority.issuer(NOW).certificate.not_valid_after_utc
    (tmp_path / "root.key").unlink()
    leaf = Bundle.read(authority.issue(HOST, end - timedelta(days=1))).leaf
    assert leaf.not_valid_after_utc == end


def test_a_root_of_an_earlier_version_goes_on_signing_by_itself(tmp_path: Path) -> None:
    root = make_old_root(tmp_path, NOW)
    authority = open_authority(tmp_path)
    assert authority.direct
    assert authority.root == root
    file = issue(tmp_path)
    assert verify(tmp_path, HOST, file) == f"{file}: OK\n"
    assert authority.vouches_for(Bundle.read(file.read_bytes()), HOST, NOW)
    outside = issue(tmp_path, "elsewhere.example.org")
    assert verify(tmp_path, "elsewhere.example.org", outside).endswith("OK\n")
    assert not (tmp_path / "hosts.pem").exists()


def test_a_creation_that_was_killed_is_completed(tmp_path: Path) -> None:
    open_authority(tmp_path).root_file.unlink()
    assert verify(tmp_path, HOST, issue(tmp_path)).endswith("OK\n")


def test_several_creations_at_once_end_with_one_authority(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        authorities = list(pool.map(lambda _: open_authority(tmp_path), range(8)))
    assert len({authority.root for authority in authorities}) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root.crt", "root.key"]


def test_a_pair_that_does_not_belong_together_is_refused_with_a_way_out(tmp_path: Path) -> None:
    open_authority(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    open_authority(other)
    (other / "root.key").replace(tmp_path / "root.key")
    with pytest.raises(Environment, match=r"(?s)don't belong together.*backup"):
        open_authority(tmp_path)


@pytest.mark.parametrize("name", ["root.key", "root.crt"])
def test_a_damaged_file_is_refused_and_not_overwritten(tmp_path: Path, name: str) -> None:
    open_authority(tmp_path)
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(Environment, match="can't be read"):
        open_authority(tmp_path)
    assert (tmp_path / name).read_bytes() == b"junk"


def test_a_damaged_intermediate_is_refused_and_not_overwritten(tmp_path: Path) -> None:
    issue(tmp_path)
    (tmp_path / "hosts.pem").write_bytes(b"junk")
    with pytest.raises(Environment, match=r"hosts\.pem can't be used"):
        issue(tmp_path)
    assert (tmp_path / "hosts.pem").read_bytes() == b"junk"


def test_an_expired_root_is_refused(tmp_path: Path) -> None:
    open_authority(tmp_path)
    with pytest.raises(Environment, match="expired on"):
        open_authority(tmp_path, NOW + timedelta(days=3650))


@pytest.mark.parametrize("host", ["", "../x", "a/b", "UPPER.example.com", "a b", ".x", "x\n"])
def test_what_is_no_host_name_gets_no_certificate(tmp_path: Path, host: str) -> None:
    with pytest.raises(Invalid):
        open_authority(tmp_path).issue(host, NOW)


def _resign(bundle: Bundle, issuer: x509.Certificate, key: object) -> bytes:
    """The same leaf from the hand of another issuer, as whoever stole its key would make it."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    leaf = bundle.leaf
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
        .issuer_name(issuer.subject)
        .public_key(leaf.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    for extension in leaf.extensions:
        if not isinstance(extension.value, x509.AuthorityKeyIdentifier):
            builder = builder.add_extension(extension.value, extension.critical)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    forged = builder.add_extension(identifier, critical=False).sign(key, hashes.SHA256())
    return forged.public_bytes(serialization.Encoding.PEM)
