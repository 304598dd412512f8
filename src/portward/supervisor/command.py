"""The command line of the supervisor.

    main(["--config", "portward.toml", "--state", "/var/lib/portward"])      # until SIGTERM

See `python -m portward.supervisor --help`.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from portward.errors import PortwardError
from portward.host.paths import State
from portward.supervisor.programs import all_programs
from portward.supervisor.supervision import supervise


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM. Returns 0 then, or the exit code of what prevented the start (see errors.py)."""
    parser = argparse.ArgumentParser(prog="portward.supervisor", description="Run all programs of Portward.")
    parser.add_argument("--config", type=Path, required=True, help="portward.toml")
    parser.add_argument("--state", type=Path, required=True, help="the state directory")
    options = parser.parse_args(argv)
    try:
        state = State(options.state)
        return asyncio.run(supervise(state, all_programs(options.config, state)))
    except PortwardError as error:
        print(f"portward: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:  # before the supervisor listens for it, so nothing has been started
        return 0
