from pathlib import Path

import pytest

from portward.errors import ConfigError
from portward.tunnels.client.gate import Gate, parse_gate, read, save
from portward.tunnels.client.targets import parse_all
from portward.tunnels.profiles.profile import Jump


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("gate.example.com", Jump("gate.example.com", 2222)),
        ("gate.example.com:22", Jump("gate.example.com", 22)),
        ("ann@gate.example.com:443", Jump("gate.example.com", 443, "ann")),
        ("ssh://gate.example.com/", Jump("gate.example.com", 2222)),
        ("[2001:db8::1]:22", Jump("2001:db8::1", 22)),
        ("[2001:db8::1]", Jump("2001:db8::1", 2222)),
    ],
)
def test_the_port_is_2222_unless_it_is_said(text: str, server: Jump) -> None:
    assert parse_gate(text) == server


def test_what_is_remembered_is_read_back(tmp_path: Path) -> None:
    file = tmp_path / "portward" / "connect.toml"
    assert read(file) is None
    gate = Gate(Jump("gate.example.com", 22, "ann"), parse_all(["blog=1313", "app=unix:/run/a.sock"]), "/home/ann/key")
    save(file, gate)
    assert read(file) == gate


def test_comments_of_the_file_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "connect.toml"
    file.write_text('# my own\ngate = "old.example.com" # here\n\n[publish]\nblog = "1313"\n')
    save(file, Gate(Jump("gate.example.com", 2222)))
    text = file.read_text()
    assert "# my own" in text
    assert "# here" in text
    assert "blog" not in text


def test_every_mistake_is_named(tmp_path: Path) -> None:
    file = tmp_path / "connect.toml"
    file.write_text('gates = "x"\n[publish]\nBlog = "1313"\nhooks = "nowhere at all"\n')
    with pytest.raises(ConfigError) as error:
        read(file)
    assert [mistake.key for mistake in error.value.mistakes] == ["gates", "gate", "publish.Blog", "publish.hooks"]


@pytest.mark.parametrize("text", ["gate = ", "\xff", 'gate = "a b"'])
def test_a_file_that_says_nothing_is_a_mistake(tmp_path: Path, text: str) -> None:
    file = tmp_path / "connect.toml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"connect\.toml"):
        read(file)
