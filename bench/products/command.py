"""Where a product's program is, and which version it says that it is.

version_of("haproxy", "-v")                         # '2.6.12'
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path


def find(program: str) -> str:
    """The path of a program: from this Python's environment first (PyPI), then from PATH and /usr/sbin (Debian).

    Raises FileNotFoundError when it is not installed.
    """
    for places in (str(Path(sys.executable).parent), None, "/usr/sbin"):
        if path := shutil.which(program, path=places):
            return path
    raise FileNotFoundError(f"{program} is not installed; scripts/bench installs it")


def version_of(program: str, *arguments: str) -> str:
    """The first thing like a version number that the program prints."""
    done = subprocess.run([find(program), *arguments], capture_output=True, text=True, timeout=20, check=True)
    found = re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)
    return found[0] if found else "unknown"
