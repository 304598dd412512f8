"""Sockets that the supervisor holds for its programs."""

import os
import socket
import stat
from pathlib import Path

import pytest

from portward.host.listeners import VARIABLE, bequest, listen, listening


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("portal.sock")  # relative, since a Unix socket's path has room for 107 bytes only


def test_a_program_on_its_own_makes_its_socket_and_takes_it_away(path: Path) -> None:
    with listening(path) as listener:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            connection, _ = listener.accept()
            connection.close()
    assert not path.exists()


def test_who_connects_while_the_program_is_away_is_served_by_the_next_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(path) as held:
        monkeypatch.setenv(VARIABLE, bequest({path: held})[VARIABLE])
        with listening(path):
            pass
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"hello")
            with listening(path) as listener:
                connection, _ = listener.accept()
                with connection:
                    assert connection.recv(5) == b"hello"
        assert path.exists()


def test_a_socket_that_was_not_handed_down_is_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "events.sock=99")
    with listening(path) as listener:
        assert listener.getsockname() == str(path)


def test_a_failed_listen_leaves_no_descriptor_open(path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No such file"):
        listen(Path("missing") / path)
    assert len(os.listdir("/proc/self/fd")) == before
