"""`python -m portward.tunnels.server STATE`; the supervisor starts it."""

import asyncio
import logging
import os
import sys
from pathlib import Path

from portward.errors import PortwardError
from portward.host.paths import State
from portward.tunnels.server.program import run


def main() -> int:
    logging.basicConfig(
        level=os.environ.get("PORTWARD_LOG", "WARNING").upper(),
        format="%(asctime)s tunnels %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    logging.getLogger("asyncssh").setLevel(os.environ.get("ASYNCSSH_LOG", "ERROR"))
    try:
        asyncio.run(run(State(Path(sys.argv[1]))))
    except PortwardError as error:
        sys.stderr.write(f"portward tunnels: {error}\n")
        return error.exit_code
    return 0


sys.exit(main())
