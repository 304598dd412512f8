"""The process of one round: `python -m portward.pki.acme`, which the keeper starts and speaks to.

Its job is a line of JSON on standard input; see `job` for that, and `round` for the other end.
"""

import os
import signal
import sys

from portward.pki.acme.job import read_job
from portward.pki.acme.keeper import Keeper
from portward.pki.acme.work import Work


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the terminal is the supervisor's
    os.umask(0o077)
    keeper = Keeper(sys.stdin, sys.stdout)
    Work(read_job(keeper.read_job()), keeper).do()


main()
