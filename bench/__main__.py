"""`python -m bench`: see `--help`. scripts/bench installs what it needs and calls it."""

import sys

from bench import certificates, defence, judging, limits, run, tunnels

OTHERS = {
    "certificates": certificates.main,
    "defence": defence.main,
    "judging": judging.main,
    "limits": limits.main,
    "tunnels": tunnels.main,
}

first, rest = sys.argv[1:2], sys.argv[2:]
sys.exit(OTHERS[first[0]](rest) if first and first[0] in OTHERS else run.main(sys.argv[1:]))
