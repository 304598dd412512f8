"""Files of public keys, as OpenSSH writes them."""

import subprocess
from pathlib import Path

import pytest

from portward.config.publickeys import NoPublicKey, public_keys
from portward.config.reading import parse
from portward.errors import ConfigError


def made(directory: Path, kind: str = "ed25519") -> Path:
    file = directory / kind
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "the ca", "-f", file], check=True)
    return file.with_suffix(".pub")


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_a_fingerprint_is_what_ssh_keygen_says(tmp_path: Path, kind: str) -> None:
    file = made(tmp_path, kind)
    (key,) = public_keys(file)
    said = subprocess.run(["ssh-keygen", "-lf", file], check=True, capture_output=True, text=True).stdout
    assert key.fingerprint == said.split()[1]
    assert key.comment == "the ca"


def test_comments_and_blank_lines_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "ca.pub"
    file.write_text(f"# ours\n\n{made(tmp_path).read_text()}{made(tmp_path, 'ecdsa').read_text()}")
    assert [key.text.split()[0] for key in public_keys(file)] == ["ssh-ed25519", "ecdsa-sha2-nistp256"]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "ssh-ed25519\n", "ssh-ed25519 no!base64 x\n", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAA\n"]
)
def test_anything_else_is_no_public_key(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ca.pub"
    file.write_text(text)
    with pytest.raises(NoPublicKey):
        public_keys(file)


def test_an_authority_without_a_key_is_placed_at_its_file(tmp_path: Path) -> None:
    text = '[[tunnels.authorities]]\nfile = "gone.pub"\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, tmp_path / "portward.toml", {})
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.key) == (2, "tunnels.authorities[0].file")
    assert "No such file" in mistake.problem
