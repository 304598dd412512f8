"""Child processes that die with their parent, and leave nothing of themselves behind.

async with Children() as children:
    child = children.start(["/usr/sbin/haproxy", "-W", "-f", "haproxy.cfg"])
    code = await child.wait()             # 0, or 143 after SIGTERM, as a shell counts
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from portward.errors import Environment
from portward.host.proc import members_of_session

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_LOWER = 3
CAP_NET_ADMIN = 12
"""Numbers of capabilities: linux/capability.h."""
_SYSTEM_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def find_program(name: str) -> str:
    """The full path of a program. Looks into the system directories too, which an ordinary user's PATH leaves out.

    Raises `Environment` when it is not installed.
    """
    for directory in ("",) if "/" in name else (*os.get_exec_path(), *_SYSTEM_DIRECTORIES):
        path = os.path.join(directory, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise Environment(
        f"the program {name!r} is not installed", way_out=f"scripts/up installs it; or: sudo apt-get install {name}"
    )


class Child:
    """One running child, and whatever else runs in its session."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.pid = process.pid
        self.started = time.monotonic()
        self._process = process
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Wait for its end. Returns the exit code, 128 + N for signal N; safe to cancel and to call again."""
        return await asyncio.shield(self._ended)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the child itself; nothing happens when it has ended."""
        if not self._ended.done():
            os.kill(self.pid, number)

    async def stop(self, grace: float = 5.0) -> int:
        """SIGTERM, then SIGKILL after `grace` seconds. Returns the exit code when all of its session is gone."""
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace):
                return await self.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)
            return await self.wait()

    def finish(self, code: int) -> None:
        """Called by `Children` alone, when the kernel has told the exit code."""
        self._process.returncode = code
        self._ended.set_result(code)


class Children:
    """All children of this process. Entered in the main thread, by one owner, inside the running loop.

    The process becomes a subreaper: an orphan of a child falls to it instead of to init (prctl(2)). When a child
    ends, whatever remains of its session is killed, such as the workers of a HAProxy master that was killed.
    """

    def __init__(self) -> None:
        self._running: dict[int, Child] = {}

    async def __aenter__(self) -> Self:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._running.copy().values()):
            await child.stop()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)
        _prctl(_PR_SET_CHILD_SUBREAPER, 0)

    def start(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
        death_signal: signal.Signals = signal.SIGKILL,
        without: Sequence[int] = (),
    ) -> Child:
        """Start a program in a session of its own, with no stdin, our stdout and stderr, and these descriptors.

        `without` names capabilities of ours that an ordinary user's program would inherit, and must not have.
        It gets `death_signal` when this process dies, however it dies. The kernel forgets that wish at a fork, and
        when a program with setuid or file capabilities is executed; such a program outlives a killed parent.
        `preexec_fn` is safe here, since this process has one thread, and it alone can look, after the wish is made,
        whether the parent is still there. `setpriv --pdeathsig` can't.
        """
        parent = os.getpid()

        def die_with_parent() -> None:
            _prctl(_PR_SET_PDEATHSIG, death_signal)
            for capability in without:
                _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_LOWER, capability)
            if os.getppid() != parent:
                os.kill(os.getpid(), death_signal)

        process = subprocess.Popen(  # noqa: S603 - programs that we name ourselves, and no shell
            argv,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=descriptors,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
        child = Child(process)
        self._running[child.pid] = child
        return child

    def _reap(self) -> None:
        """Take note of every child that has ended, ours and adopted ones."""
        while pid := _ended_child():
            child = self._running.pop(pid, None)
            if child:
                _kill_session(pid)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if child:
                child.finish(code if code >= 0 else 128 - code)


def _ended_child() -> int:
    """The number of a child that has ended and still awaits its reaping; 0 when there is none."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return 0
    return ended.si_pid if ended else 0


def _kill_session(leader: int) -> None:
    """Kill the rest of a session whose leader is dead and not reaped yet, so that its number can't be another's."""
    for pid in members_of_session(leader):
        if pid != leader:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


_libc = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int, second: int = 0) -> None:
    if _libc.prctl(option, value, second, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
