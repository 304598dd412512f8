"""The stores of trusted authorities that a machine has, and what changes them."""

import subprocess
from pathlib import Path

import pytest

from portward.host.trust import TrustStore, stores


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a Firefox profile, a Chromium, and a directory that is neither."""
    for place in (".pki/nssdb", ".mozilla/firefox/abc.default"):
        directory = tmp_path / place
        directory.mkdir(parents=True)
        subprocess.run(["certutil", "-N", "-d", f"sql:{directory}", "--empty-password"], check=True)
    (tmp_path / ".mozilla/firefox/Crash Reports").mkdir()
    return tmp_path


def test_the_stores_of_system_and_browsers_are_found(home: Path, tmp_path: Path) -> None:
    debian = tmp_path / "debian"
    (debian / "usr/local/share/ca-certificates").mkdir(parents=True)
    found = list(stores(home, debian))
    assert [(store.kind, store.place.name) for store in found] == [
        ("system", "ca-certificates"),
        ("browser", "nssdb"),
        ("browser", "abc.default"),
    ]
    assert [store.kind for store in stores(home, tmp_path / "nothing")] == ["browser", "browser"]


def test_the_system_gets_a_file_of_its_own_and_gives_it_back(tmp_path: Path) -> None:
    store = TrustStore("system", tmp_path, ("update-ca-certificates",))
    install, update = store.trust("Portward local authority 01234567", tmp_path / "root.crt")
    assert install[-1] == str(tmp_path / "portward-local-authority-01234567.crt")
    assert update == ("update-ca-certificates",)
    assert store.untrust("Portward local authority 01234567") == []
    (tmp_path / "portward-local-authority-01234567.crt").touch()
    assert [command[0] for command in store.untrust("Portward local authority 01234567")] == [
        "rm",
        "update-ca-certificates",
    ]
