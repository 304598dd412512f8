"""What holds for every test: the machine is noisy, so no made-up example fails because it took long.

A shell that runs something in the background has it ignore Ctrl-C, and every program started from here would inherit
that.
"""

import signal

from hypothesis import settings

settings.register_profile("noisy", deadline=None)
settings.load_profile("noisy")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
