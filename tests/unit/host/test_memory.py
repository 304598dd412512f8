"""Memory is given back to the system."""

import subprocess
import sys

PROGRAM = """
from pathlib import Path
from portward.host.memory import give_back, spend_little

def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

spend_little()
pieces = [bytes(100_000) for _ in range(1000)]
del pieces[:-1]
before = resident()
give_back()
print(before - resident())
"""


def test_what_was_freed_goes_back_to_the_system() -> None:
    told = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60)
    assert int(told.stdout) > 50_000_000
