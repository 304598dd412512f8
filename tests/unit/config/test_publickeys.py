"""Public keys as people paste them, made by the programs that people have."""

import subprocess
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.config.publickeys import NoPublicKey, PublicKey, public_keys, read_public_key
from portward.config.reading import parse
from portward.errors import ConfigError, Invalid


def run(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def keygen(directory: Path, kind: str, *more: str, name: str = "id") -> Path:
    """A fresh pair. Returns the private key's file."""
    file = directory / name
    run("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "ann@laptop", "-f", file, *more)
    return file


def public(file: Path) -> str:
    return file.with_name(f"{file.name}.pub").read_text()


def string(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


@pytest.fixture(scope="module")
def ed25519(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keygen(tmp_path_factory.mktemp("ed25519"), "ed25519")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("ed25519", ()),
        ("ecdsa", ("-b", "256")),
        ("ecdsa", ("-b", "384")),
        ("ecdsa", ("-b", "521")),
        ("rsa", ("-b", "3072")),
    ],
)
def test_what_ssh_keygen_makes_is_read_as_ssh_keygen_names_it(tmp_path: Path, kind: str, more: tuple[str, ...]) -> None:
    file = keygen(tmp_path, kind, *more)
    key = read_public_key(public(file))
    assert key.line + "\n" == public(file)
    assert key.comment == "ann@laptop"
    assert run("ssh-keygen", "-l", "-f", f"{file}.pub").split()[1] == key.fingerprint


def test_keys_on_a_security_key_are_read(ed25519: Path) -> None:
    point = b64decode(public(ed25519).split()[1])[-32:]
    kind = "sk-ssh-ed25519@openssh.com"
    blob = string(kind.encode()) + string(point) + string(b"ssh:")
    assert read_public_key(f"{kind} {b64encode(blob).decode()} token").text.split()[0] == kind


def test_what_puttygen_saves_is_the_same_key(ed25519: Path, tmp_path: Path) -> None:
    run("puttygen", ed25519, "-O", "public", "-C", "a: very \\ odd comment", "-o", tmp_path / "id.txt")
    block = (tmp_path / "id.txt").read_text()
    assert block.startswith("---- BEGIN SSH2 PUBLIC KEY ----\n")
    wanted = read_public_key(public(ed25519))
    key = read_public_key(block.replace("\n", "\r\n"))
    assert (key.text, key.fingerprint) == (wanted.text, wanted.fingerprint)


def test_a_line_that_a_terminal_has_broken_is_whole_again(ed25519: Path) -> None:
    line = public(ed25519).strip()
    broken = "\n".join(line[start : start + 37] for start in range(0, len(line), 37))
    assert read_public_key(f"\n {broken} \r\n").text == " ".join(line.split()[:2])


def test_a_weak_rsa_key_is_refused_with_its_size(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="2048 bits"):
        read_public_key(public(keygen(tmp_path, "rsa", "-b", "2048")))


def private_texts(ed25519: Path, directory: Path) -> dict[str, str]:
    """The private keys that people have, in every shape of file."""
    rsa = keygen(directory, "rsa", "-b", "3072", "-m", "PEM", name="pem")
    pkcs8 = keygen(directory, "ecdsa", "-m", "PKCS8", name="pkcs8")
    run("puttygen", ed25519, "-O", "private", "-o", directory / "id.ppk")
    run("puttygen", rsa, "-O", "private-sshcom", "-o", directory / "sshcom")
    files = {
        "openssh": ed25519,
        "pem": rsa,
        "pkcs8": pkcs8,
        "ppk": directory / "id.ppk",
        "ssh.com": directory / "sshcom",
    }
    texts = {name: file.read_text() for name, file in files.items()}
    body = "".join(texts["openssh"].splitlines()[1:-1])
    return {**texts, "without its first line": body, "both": public(ed25519) + texts["openssh"]}


def test_a_private_key_is_refused_and_not_repeated(ed25519: Path, tmp_path: Path) -> None:
    for name, text in private_texts(ed25519, tmp_path).items():
        with pytest.raises(Invalid, match="that is a private key") as refused:
            read_public_key(text)
        assert not any(word in str(refused.value) for word in text.split() if len(word) > 12), name


def test_a_certificate_is_told_from_a_key(ed25519: Path, tmp_path: Path) -> None:
    authority = keygen(tmp_path, "ed25519", name="ca")
    (tmp_path / "id.pub").write_text(public(ed25519))
    run("ssh-keygen", "-q", "-s", authority, "-I", "ann", "-n", "ann", tmp_path / "id.pub")
    with pytest.raises(Invalid, match="a certificate, and not a key"):
        read_public_key((tmp_path / "id-cert.pub").read_text())


def changed(line: str, at: int) -> str:
    kind, body, comment = line.split()
    blob = bytearray(b64decode(body))
    blob[at] ^= 0x80
    return f"{kind} {b64encode(blob).decode()} {comment}"


def test_a_point_that_lies_on_no_curve_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="damaged"):
        read_public_key(changed(public(keygen(tmp_path, "ecdsa")), -1))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda line: "", "no key in it"),
        (lambda line: "hello there", "no public SSH key"),
        (lambda line: line.split()[0], "cut off"),
        (lambda line: line[:60], "damaged"),
        (lambda line: line.replace("AAAA", "AA-A"), "damaged"),
        (lambda line: f"ssh-rsa {line.split()[1]}", "holds something else"),
        (lambda line: f'command="sh" {line}', "something stands before the key"),
        (lambda line: f"{line}\n{line}", "several keys"),
        (lambda line: "ssh-dss AAAAB3NzaC1kc3MAAACB", "ssh-dss are not accepted"),
        (lambda line: line + "x" * 17_000, "too long"),
        (lambda line: "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----", "no public SSH key"),
    ],
)
def test_what_is_no_public_key_is_refused_in_plain_words(ed25519: Path, spoil, sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence) as refused:
        read_public_key(spoil(public(ed25519).strip()))
    assert refused.value.way_out


def test_a_comment_can_not_steer_a_terminal(ed25519: Path) -> None:
    kind, body, _ = public(ed25519).split()
    assert read_public_key(f"{kind} {body} \x1b[2Jann\u202e@laptop").comment == "[2Jann@laptop"


def test_authorities_are_a_line_each(ed25519: Path, tmp_path: Path) -> None:
    line, file = public(ed25519), tmp_path / "ca.pub"
    file.write_text(f"# the company's\n\n{line}")
    assert [key.line for key in public_keys(file)] == [line.strip()]


@pytest.mark.parametrize(
    ("text", "sentence"), [("", "holds no"), ("# nothing\n", "holds no"), ("a\n", "line 1: that is no")]
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "ca.pub"
    file.write_text(text)
    with pytest.raises(NoPublicKey, match=sentence):
        public_keys(file)


def test_a_weak_authority_is_refused_as_a_weak_key_is(tmp_path: Path) -> None:
    with pytest.raises(NoPublicKey, match="line 1: an RSA key of 2048 bits"):
        public_keys(keygen(tmp_path, "rsa", "-b", "2048").with_suffix(".pub"))


@given(st.text(max_size=400) | st.text('ssh-rd25619 AAA=\n\\:"-', max_size=200))
def test_anything_at_all_is_a_key_or_a_sentence(text: str) -> None:
    try:
        assert isinstance(read_public_key(text), PublicKey)
    except Invalid as refused:
        assert refused.way_out  # noqa: PT017 - the sentence is the other right answer


def test_an_authority_without_a_key_is_placed_at_its_file(tmp_path: Path) -> None:
    text = '[[tunnels.authorities]]\nfile = "gone.pub"\n'
    with pytest.raises(ConfigError) as caught:
        parse(text, tmp_path / "portward.toml", {})
    (mistake,) = caught.value.mistakes
    assert (mistake.line, mistake.key) == (2, "tunnels.authorities[0].file")
    assert "No such file" in mistake.problem
