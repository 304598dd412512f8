"""`python -m portward.keeper --config FILE --state DIR`; the supervisor starts it."""

import asyncio
import logging
import os
import sys

from portward.errors import PortwardError
from portward.keeper.keeper import paths_of, run


def main() -> int:
    logging.basicConfig(
        level=os.environ.get("PORTWARD_LOG", "WARNING").upper(),
        format="%(asctime)s keeper %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    try:
        asyncio.run(run(*paths_of(sys.argv[1:])))
    except PortwardError as error:
        sys.stderr.write(f"portward: {error}\n")
        return error.exit_code
    return 0


sys.exit(main())
