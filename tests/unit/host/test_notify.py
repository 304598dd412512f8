"""How a program tells its supervisor that it is ready."""

import threading
from pathlib import Path

import pytest

from portward.host.notify import NotifySocket, notify, parse, wait_for_delivery


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify.sock"))
    return tmp_path / "notify.sock"


def test_what_a_program_reports_reaches_its_supervisor(address: Path) -> None:
    with NotifySocket(address) as inbox:
        assert notify(STATUS="a = b", READY=1)
        assert notify(X_EDGE="configured")
        assert list(inbox.messages()) == [{"STATUS": "a = b", "READY": "1"}, {"X_EDGE": "configured"}]
        assert list(inbox.messages()) == []


def test_without_a_supervisor_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not notify(READY=1)
    assert not wait_for_delivery()


def test_a_supervisor_that_went_away_does_no_harm(address: Path) -> None:
    assert not notify(READY=1)


def test_a_supervisor_that_hangs_does_not_stop_the_program(address: Path) -> None:
    with NotifySocket(address):
        while notify(STATUS="x"):
            pass
        assert not wait_for_delivery(0.01)


def test_delivery_is_known_when_the_message_was_acted_upon(address: Path) -> None:
    acted: list[dict[str, str]] = []
    waited: list[tuple[bool, int]] = []
    with NotifySocket(address) as inbox:
        notify(STATUS="step")
        waiting = threading.Thread(target=lambda: waited.append((wait_for_delivery(10), len(acted))))
        waiting.start()
        while waiting.is_alive():
            acted.extend(inbox.messages())
        waiting.join()
    assert acted[0] == {"STATUS": "step"}
    assert waited[0][0]
    assert waited[0][1] >= 1


def test_the_socket_is_private_and_goes_away_with_its_owner(address: Path) -> None:
    with NotifySocket(address):
        assert address.stat().st_mode & 0o777 == 0o600
    assert not address.exists()


def test_lines_that_are_no_fields_are_left_out() -> None:
    assert parse(b"READY=1\nnonsense\n=x\nSTATUS=\xff") == {"READY": "1", "STATUS": "\ufffd"}
