"""`python -m bench`: see `--help`. scripts/bench installs what it needs and calls it."""

import sys

from bench.run import main

sys.exit(main(sys.argv[1:]))
