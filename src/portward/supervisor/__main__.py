"""`python -m portward.supervisor --config FILE --state DIR`."""

import sys

if __name__ == "__main__":
    # The supervisor speaks no TLS, and asyncio does without where there is none: that saves 4 MB for months.
    sys.modules["ssl"] = None  # type: ignore[assignment]

    from portward.supervisor.command import main

    sys.exit(main())
