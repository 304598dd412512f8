"""What a supervisor that was killed left behind: processes and sockets, found by the notes that it made.

    note(state, "edge", child.pid, launch)    # at each start of a program
    clear(state)                              # at the next start of a supervisor

A process is ours when it is exactly the noted one (number, start time and boot), or when it belongs to that one's
session and carries our launch mark in its environment. No other process is ever touched.
"""

import os
import select
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from portward.host.files import replace
from portward.host.paths import State
from portward.host.proc import Identity, environment_of, members_of_session

LAUNCH = "PORTWARD_LAUNCH"
"""The environment variable with the supervisor's random mark, which its programs pass on to theirs."""
_GRACE = 1.5


def note(state: State, name: str, pid: int, launch: str) -> None:
    """Write down a program's process; a process that is already gone leaves no note."""
    if identity := Identity.of(pid):
        replace(state.pid_file(name), f"{identity}\n{launch}\n".encode())


def forget(state: State, name: str) -> None:
    state.pid_file(name).unlink(missing_ok=True)


def clear(state: State) -> list[int]:
    """Stop every noted process that still runs (SIGTERM, then SIGKILL) and remove notes and sockets.

    Returns the numbers of the processes that were stopped. The caller holds the state's lock; blocks for up to 3 s.
    """
    notes = list(state.run.glob("*.pid"))
    with ExitStack() as stack:
        found = {process.pid: _open(process, stack) for path in notes for process in _processes(path)}
        handles = [handle for handle in found.values() if handle is not None]
        for number in (signal.SIGTERM, signal.SIGKILL):
            for handle in handles:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(handle, number)
            handles = _wait_for_end(handles, _GRACE)
    for path in (*notes, *state.sockets()):
        path.unlink(missing_ok=True)
    return [pid for pid, handle in found.items() if handle is not None]


def _open(process: Identity, stack: ExitStack) -> int | None:
    """A handle of this very process: the number may go to another one before we look, but not after."""
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    stack.callback(os.close, handle)
    return handle if process.alive() else None


def _wait_for_end(handles: list[int], seconds: float) -> list[int]:
    """The handles of processes that still run when the time is over."""
    deadline = time.monotonic() + seconds
    poll = select.poll()
    for handle in handles:
        poll.register(handle, select.POLLIN)
    running = set(handles)
    while running and (left := deadline - time.monotonic()) > 0:
        for handle, _ in poll.poll(left * 1000):
            poll.unregister(handle)
            running.discard(handle)
    return list(running)


def _processes(path: Path) -> list[Identity]:
    first, _, launch = path.read_text(errors="replace").strip().partition("\n")
    leader = Identity.parse(first)
    if leader is None:
        return []
    mark = f"{LAUNCH}={launch}".encode()
    session = (pid for pid in members_of_session(leader.pid) if launch and mark in environment_of(pid).split(b"\0"))
    members = (Identity.of(pid) for pid in session if pid != leader.pid)
    return [process for process in (leader, *members) if process and process.alive()]
