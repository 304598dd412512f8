"""The process of one job: `python -m portward.defense.lists`, which the keeper starts and reads.

Its job is a line of JSON on standard input, its answer one on standard output; see `job`.
"""

import os
import signal
import sys

from portward.defense.lists.job import Refresh, read, spell
from portward.defense.lists.work import compose, refresh


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is the supervisor's
    os.umask(0o077)
    os.nice(10)
    job = read(sys.stdin.readline())
    print(spell(refresh(job) if isinstance(job, Refresh) else compose(job)), flush=True)


main()
