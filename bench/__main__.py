"""`python -m bench`: see `--help`. scripts/bench installs what it needs and calls it."""

import sys

from bench import run, tunnels

sys.exit(tunnels.main(sys.argv[2:]) if sys.argv[1:2] == ["tunnels"] else run.main(sys.argv[1:]))
