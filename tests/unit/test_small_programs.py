"""The programs beside the keeper stay small: what they must not import."""

import subprocess
import sys

import pytest

_HEAVY = ("pydantic", "sqlalchemy", "cryptography", "_hashlib", "asyncssh", "typer", "rich")


@pytest.mark.parametrize("program", ["portward.watch.recorder", "portward.supervisor.supervision"])
def test_a_small_program_imports_nothing_heavy(program: str) -> None:
    code = f"import sys, {program}; print(*(name for name in {_HEAVY!r} if name in sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == []
