"""The local authority, judged by the real openssl."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portward.errors import Environment, Invalid
from portward.pki.authority import Authority

NOW = datetime.now(UTC).replace(microsecond=0)
HOST = "hello.portward.localhost"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "authority").mkdir()
    (tmp_path / "certificates").mkdir()
    return tmp_path


def open_authority(directory: Path, now: datetime = NOW) -> Authority:
    return Authority.open(directory / "authority", directory / "certificates", now)


def openssl(*arguments: str) -> str:
    result = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    return result.stdout + result.stderr


def verify(directory: Path, host: str, file: str) -> str:
    root = str(directory / "authority" / "root.crt")
    return openssl("verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host, "-CAfile", root, file)


@pytest.mark.parametrize("host", [HOST, f"{'a' * 60}.{'b' * 60}.example.com"])
def test_openssl_accepts_a_certificate_for_its_host_and_no_other(directory: Path, host: str) -> None:
    certificate = open_authority(directory).certificate_for(host, NOW)
    assert verify(directory, host, certificate.file) == f"{certificate.file}: OK\n"
    assert "hostname mismatch" in verify(directory, "other.portward.localhost", certificate.file)


def test_a_certificate_says_what_clients_ask_for(directory: Path) -> None:
    certificate = open_authority(directory).certificate_for(HOST, NOW)
    text = openssl("x509", "-in", certificate.file, "-noout", "-text")
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
    assert certificate.hosts == (HOST,)
    assert certificate.not_after - NOW == timedelta(days=90)


def test_the_root_may_sign_hosts_but_no_other_authority(directory: Path) -> None:
    root = open_authority(directory).root_file
    text = openssl("x509", "-in", str(root), "-noout", "-text")
    assert "CA:TRUE, pathlen:0" in text
    assert "Certificate Sign, CRL Sign" in text


def test_keys_are_readable_by_their_owner_alone(directory: Path) -> None:
    certificate = open_authority(directory).certificate_for(HOST, NOW)
    for path in (directory / "authority" / "root.key", Path(certificate.file)):
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_same_authority_is_found_again(directory: Path) -> None:
    assert open_authority(directory).root == open_authority(directory).root


def test_serial_numbers_are_random_and_two_installations_have_two_names(directory: Path, tmp_path: Path) -> None:
    authority = open_authority(directory)
    serials = {authority.certificate_for(f"{name}.example.com", NOW).serial for name in "abc"}
    assert len(serials) == 3
    other = tmp_path / "other"
    other.mkdir()
    assert Authority.open(other, other, NOW).root.subject != authority.root.subject


def test_a_certificate_is_kept_while_more_than_a_third_of_its_life_is_left(directory: Path) -> None:
    authority = open_authority(directory)
    first = authority.certificate_for(HOST, NOW)
    assert authority.certificate_for(HOST, NOW + timedelta(days=59)) == first
    renewed = authority.certificate_for(HOST, NOW + timedelta(days=60))
    assert renewed.serial != first.serial
    assert renewed.not_after == NOW + timedelta(days=150)


def test_a_certificate_never_outlives_its_root(directory: Path) -> None:
    authority = open_authority(directory)
    end = authority.root.not_valid_after_utc
    assert authority.certificate_for(HOST, end - timedelta(days=1)).not_after == end


def test_a_certificate_that_is_not_ours_is_made_anew(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    foreign = Path(Authority.open(other, other, NOW).certificate_for(HOST, NOW).file).read_bytes()
    for content in (b"", b"junk", foreign, foreign[: len(foreign) // 2]):
        path = directory / "certificates" / f"{HOST}.pem"
        path.write_bytes(content)
        certificate = open_authority(directory).certificate_for(HOST, NOW)
        assert verify(directory, HOST, certificate.file).endswith("OK\n")


def test_a_certificate_of_another_host_under_this_name_is_made_anew(directory: Path) -> None:
    authority = open_authority(directory)
    other = Path(authority.certificate_for("other.example.com", NOW).file)
    other.rename(directory / "certificates" / f"{HOST}.pem")
    assert verify(directory, HOST, authority.certificate_for(HOST, NOW).file).endswith("OK\n")


def test_a_creation_that_was_killed_is_completed(directory: Path) -> None:
    root = open_authority(directory).root_file
    root.unlink()
    certificate = open_authority(directory).certificate_for(HOST, NOW)
    assert verify(directory, HOST, certificate.file).endswith("OK\n")


def test_several_creations_at_once_end_with_one_authority(directory: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        authorities = list(pool.map(lambda _: open_authority(directory), range(8)))
    assert len({authority.root for authority in authorities}) == 1
    assert sorted(path.name for path in (directory / "authority").iterdir()) == ["root.crt", "root.key"]


def test_a_pair_that_does_not_belong_together_is_refused_with_a_way_out(directory: Path, tmp_path: Path) -> None:
    open_authority(directory)
    other = tmp_path / "other"
    other.mkdir()
    Authority.open(other, other, NOW)
    (other / "root.key").replace(directory / "authority" / "root.key")
    with pytest.raises(Environment, match=r"(?s)don't belong together.*backup"):
        open_authority(directory)


@pytest.mark.parametrize("name", ["root.key", "root.crt"])
def test_a_damaged_file_is_refused_and_not_overwritten(directory: Path, name: str) -> None:
    open_authority(directory)
    (directory / "authority" / name).write_bytes(b"junk")
    with pytest.raises(Environment, match="can't be read"):
        open_authority(directory)
    assert (directory / "authority" / name).read_bytes() == b"junk"


def test_a_root_without_its_key_is_refused(directory: Path) -> None:
    open_authority(directory)
    (directory / "authority" / "root.key").unlink()
    with pytest.raises(Environment, match=r"root\.key is missing"):
        open_authority(directory)


def test_an_expired_root_is_refused(directory: Path) -> None:
    open_authority(directory)
    with pytest.raises(Environment, match="expired on"):
        open_authority(directory, NOW + timedelta(days=3650))


@pytest.mark.parametrize("host", ["", "../x", "a/b", "UPPER.example.com", "a b", ".x", "x\n"])
def test_what_is_no_host_name_never_becomes_a_file(directory: Path, host: str) -> None:
    with pytest.raises(Invalid):
        open_authority(directory).certificate_for(host, NOW)
    assert not list((directory / "certificates").iterdir())
