"""install and uninstall: what the command line adds to portward.host.installation."""

from collections.abc import Callable

import pytest
from typer.testing import Result

from portward.host.installation import Installation

Portward = Callable[..., Result]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, object]]:
    """What would have been done to the machine."""
    made: list[tuple[str, object]] = []

    def install(self: Installation, domain: str | None = None) -> list[str]:
        made.append((str(self.root), domain))
        return ["made it"]

    def uninstall(self: Installation) -> list[str]:
        made.append((str(self.root), "uninstall"))
        return ["took it away"]

    monkeypatch.setattr(Installation, "install", install)
    monkeypatch.setattr(Installation, "uninstall", uninstall)
    return made


def test_install_says_what_it_did_and_what_comes_next(portward: Portward, calls: list[tuple[str, object]]) -> None:
    result = portward("install", "--domain", "Example.com")
    assert calls == [("/", "example.com")]
    assert "made it" in result.stdout
    assert "systemctl start portward" in result.stdout


def test_a_bad_domain_never_reaches_the_file(portward: Portward, calls: list[tuple[str, object]]) -> None:
    assert portward("install", "--domain", 'x"\n[evil]').exit_code == 6
    assert calls == []


def test_uninstall_asks_first(portward: Portward, calls: list[tuple[str, object]]) -> None:
    assert portward("uninstall").exit_code == 6
    assert calls == []
    assert "took it away" in portward("uninstall", "--yes", "--root", "/image").stdout
    assert calls == [("/image", "uninstall")]
