"""What talks to authorities is not loaded until there is something to ask, and then in a process of its own."""

import subprocess
import sys

_HEAVY = ("acme", "josepy", "requests", "lexicon", "dns.resolver")


def test_an_idle_keeper_carries_none_of_it() -> None:
    program = f"import sys, portward.keeper.keeper; print([name for name in {_HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
