"""The programs stay small: what they must not import before somebody needs it."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

_HEAVY = ("pydantic", "sqlalchemy", "cryptography", "_hashlib", "asyncssh", "typer", "rich")
_RARELY = (
    "sqlalchemy.orm",
    "greenlet",
    "alembic",
    "segno",
    "xml",
    "urllib.request",
    "webauthn",
    "zxcvbn",
    "httpx",
)


@pytest.mark.parametrize("program", ["portward.watch.recorder", "portward.supervisor.supervision"])
def test_a_small_program_imports_nothing_heavy(program: str) -> None:
    assert imported(program, among=_HEAVY) == []


def test_the_keeper_imports_what_few_requests_need_when_they_come() -> None:
    assert imported("portward.keeper.keeper", among=_RARELY) == []


def imported(program: str, among: Sequence[str]) -> list[str]:
    code = f"import sys, {program}; print(*(name for name in {among!r} if name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return told.stdout.split()
