"""Upgrades a file in a process of its own, which takes Alembic's 12 MB away with it when it ends.

    upgrade_apart(path)                         # runs `python -m portward.store.migrations PATH`

The keeper runs for months and needs Alembic once.
"""

import subprocess
import sys
from pathlib import Path

from portward.errors import StoreError


def upgrade_apart(path: Path) -> None:
    """As `migrate.upgrade`; blocks. Raises `StoreError` with the last words of the process."""
    command = [sys.executable, "-m", "portward.store.migrations", str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)  # noqa: S603
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise StoreError(f"the tables of {path} could not be made: {words[-1]}")
