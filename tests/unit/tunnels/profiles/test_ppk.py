"""PuTTY's private keys, made by puttygen itself, as OpenSSH reads them; and what a changed file meets."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from portward.errors import ConfigError, Invalid
from portward.tunnels.profiles import ppk

PASSPHRASE = "sécret — пароль"
KINDS = {
    "rsa": ["-t", "rsa", "-b", "2048"],
    "dsa": ["-t", "dsa", "-b", "1024"],
    "ed25519": ["-t", "ed25519"],
    "ed448": ["-t", "ed448"],
    "ecdsa256": ["-t", "ecdsa", "-b", "256"],
    "ecdsa384": ["-t", "ecdsa", "-b", "384"],
    "ecdsa521": ["-t", "ecdsa", "-b", "521"],
}
Make = Callable[..., Path]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """A key of puttygen's: kind, version, and a key derivation where it is to have a passphrase."""
    directory = tmp_path_factory.mktemp("keys")
    (directory / "passphrase").write_text(f"{PASSPHRASE}\n")

    def puttygen(kind: str, version: int = 3, kdf: str = "", source: Path | None = None) -> Path:
        file = directory / f"{kind}-{version}-{kdf}.ppk"
        options = [str(source)] if source else KINDS[kind]
        params = f"version={version}" + (f",kdf={kdf},passes=3,memory=1024" if kdf.startswith("argon2") else "")
        subprocess.run(
            [
                "puttygen", *options, "-C", "ann's kéy", "-o", str(file),
                "--ppk-param", params, "--new-passphrase", str(directory / "passphrase") if kdf else "/dev/null",
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        return file

    return puttygen


def convert(file: Path, passphrase: str = "") -> Path:
    key = ppk.read(file.read_bytes(), file.name)
    converted = file.with_suffix(".openssh")
    converted.write_bytes(ppk.to_openssh(key, passphrase.encode(), file.name))
    converted.chmod(0o600)
    return converted


def public_by_puttygen(file: Path, passphrase_file: Path | None = None) -> list[str]:
    more = ["--old-passphrase", str(passphrase_file)] if passphrase_file else []
    out = subprocess.run(["puttygen", str(file), "-L", *more], check=True, capture_output=True, text=True)
    return out.stdout.split()[:2]


def public_by_ssh_keygen(file: Path, passphrase: str = "") -> list[str]:
    out = subprocess.run(
        ["ssh-keygen", "-y", "-P", passphrase, "-f", str(file)], check=True, capture_output=True, text=True
    )
    return out.stdout.split()[:2]


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("kind", ["rsa", "ed25519", "ecdsa256", "ecdsa384", "ecdsa521"])
def test_a_key_of_each_kind_is_one_for_openssh(make: Make, kind: str, version: int) -> None:
    file = make(kind, version)
    assert public_by_ssh_keygen(convert(file)) == public_by_puttygen(file)


@pytest.mark.parametrize(("version", "kdf"), [(3, "argon2id"), (3, "argon2i"), (3, "argon2d"), (2, "sha1")])
def test_a_key_with_a_passphrase_keeps_it(make: Make, version: int, kdf: str) -> None:
    file = make("ed25519", version, kdf)
    assert ppk.read(file.read_bytes(), file.name).encrypted
    converted = convert(file, PASSPHRASE)
    assert public_by_ssh_keygen(converted, PASSPHRASE) == public_by_puttygen(file, file.parent / "passphrase")
    refused = subprocess.run(
        ["ssh-keygen", "-y", "-P", "other", "-f", str(converted)], capture_output=True, check=False
    )
    assert refused.returncode != 0


def test_puttygen_reads_what_we_write(make: Make) -> None:
    file = make("ecdsa256", 3, "argon2id")
    converted = convert(file, PASSPHRASE)
    assert public_by_puttygen(converted, file.parent / "passphrase") == public_by_puttygen(
        file, file.parent / "passphrase"
    )


@pytest.mark.parametrize("seed", [b"\0" * 2 + b"x" * 30, b"x" * 30 + b"\0" * 2])
def test_a_key_with_zeros_at_an_end_is_not_shortened(make: Make, tmp_path: Path, seed: bytes) -> None:
    own = Ed25519PrivateKey.from_private_bytes(seed)
    source = tmp_path / "source"
    source.write_bytes(own.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    file = make(f"zeros{seed[0]}", source=source)
    made = ppk.private_key(ppk.read(file.read_bytes(), file.name), b"", file.name)
    assert isinstance(made, Ed25519PrivateKey)
    assert made.private_bytes_raw() == seed


@pytest.mark.parametrize(("version", "kdf"), [(3, "argon2id"), (2, "sha1")])
def test_a_wrong_passphrase_is_told(make: Make, version: int, kdf: str) -> None:
    file = make("ed25519", version, kdf)
    with pytest.raises(ppk.WrongPassphrase):
        convert(file, "another")


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("part", ["Comment: ann", "Private-MAC: ", "Public-Lines: 2\n", "Private-Lines: 1\n"])
def test_no_part_of_a_file_can_be_changed(make: Make, version: int, part: str) -> None:
    """Without a passphrase, too: the MAC is there to tell, and is checked before the key is used."""
    file = make("ed25519", version)
    text = file.read_text()
    at = text.index(part) + len(part) + 3
    changed = text[:at] + ("B" if text[at] != "B" else "C") + text[at + 1 :]
    key = ppk.read(changed.encode(), file.name)
    with pytest.raises(Invalid, match="was changed"):
        ppk.to_openssh(key, b"", file.name)


def test_dsa_is_refused_with_a_sentence(make: Make) -> None:
    file = make("dsa")
    with pytest.raises(Invalid, match="DSA key, and these are dead"):
        convert(file)


def test_what_openssh_does_not_know_is_refused(make: Make) -> None:
    file = make("ed448")
    with pytest.raises(Invalid, match="ssh-ed448, which OpenSSH doesn't know"):
        convert(file)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("PuTTY-User-Key-File-3", "PuTTY-User-Key-File-1", 1, "is of version 1"),
        ("PuTTY-User-Key-File-3", "PuTTY-User-Key-File-4", 1, "is of version 4"),
        ("PuTTY-User-Key-File-3", "SSH-Key", 1, "is no private key of PuTTY"),
        ("aes256-cbc", "rot13", 2, "unknown encryption 'rot13'"),
        ("Comment", "Remark", 3, "should be `Comment: …`"),
        ("Public-Lines: 2", "Public-Lines: 2000", 4, "has Public-Lines '2000'"),
        ("Argon2id", "Argon2x", 7, "unknown key derivation"),
        ("Argon2-Memory: 1024", "Argon2-Memory: 99999999", 8, "has Argon2-Memory '99999999'"),
        ("Argon2-Passes: 3", "Argon2-Passes: 0", 9, "has Argon2-Passes '0'"),
        ("Argon2-Salt: ", "Argon2-Salt: x", 11, "has no salt"),
        ("Private-Lines: 1", "Private-Lines: 9", 15, "ends too early"),
    ],
)
def test_a_malformed_file_gives_its_line(make: Make, old: str, new: str, line: int, reason: str) -> None:
    text = make("ed25519", 3, "argon2id").read_text()
    assert old in text
    with pytest.raises(ConfigError) as caught:
        ppk.read(text.replace(old, new).encode(), "key.ppk")
    assert str(caught.value).startswith(f"key.ppk:{line}: ")
    assert reason in str(caught.value)


def test_base64_without_sense_gives_its_line(make: Make) -> None:
    rows = make("ed25519").read_text().split("\n")
    rows[4] = "!" * 8
    with pytest.raises(ConfigError, match=r"key.ppk:6: ends Public-Lines, which is no Base64"):
        ppk.read("\n".join(rows).encode(), "key.ppk")


def test_lines_of_windows_are_lines(make: Make) -> None:
    file = make("ed25519")
    assert ppk.read(file.read_bytes().replace(b"\n", b"\r\n"), "k") == ppk.read(file.read_bytes(), "k")
