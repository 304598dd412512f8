"""Sockets that the supervisor holds for its programs."""

import os
import socket
import stat
from pathlib import Path

import pytest

from portward.host.listeners import VARIABLE, bequest, discard, lasting, listen, listening
from portward.host.notify import NotifySocket


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


def test_a_lasting_socket_is_left_with_the_supervisor(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with NotifySocket(Path("shelf.sock")) as shelf:
        monkeypatch.setenv("NOTIFY_SOCKET", "shelf.sock")
        with lasting(path):
            assert [message["FDNAME"] for message in shelf.messages()] == ["portal.sock"]
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.connect(str(path))  # somebody listens still
        discard(path)
        list(shelf.messages())
        assert shelf.stored == {}
        assert not path.exists()


def test_a_lasting_socket_without_a_supervisor_goes_with_its_program(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with lasting(path):
        assert path.stat().st_mode & 0o777 == 0o600
    assert not path.exists()


def test_an_inherited_socket_can_be_discarded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    with listen(path) as kept, listen(Path("b.sock")) as other:
        handle = os.dup(kept.fileno())
        environment = bequest({Path("b.sock"): other}, {path.name: handle})
        monkeypatch.setenv(VARIABLE, environment[VARIABLE])
        with lasting(path) as again:
            assert again.getsockname() == str(path)
        discard(path)
        assert os.environ[VARIABLE] == f"b.sock={other.fileno()}"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)
