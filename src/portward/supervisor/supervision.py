"""The life of the supervisor: start, keep running, stop.

    asyncio.run(supervise(state, all_programs(config, state)))        # until SIGTERM

`supervise` owns the process: signals, the lock of the state directory, the notify socket and all children.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from portward.errors import Environment, PortwardError
from portward.host.listeners import bequest, listen
from portward.host.nftables import Nftables
from portward.host.notify import NotifySocket, notify
from portward.host.paths import State
from portward.host.processes import CAP_NET_ADMIN, Child, Children
from portward.supervisor import leftovers
from portward.supervisor.lock import hold
from portward.supervisor.programs import HEALTHY_AFTER, Program, pause_before_restart

PATIENCE = 5.0
"""Seconds that the keeper has to configure the edge, before the edge starts as it was configured last."""
_FIRST_TRIES = 3
_OUR_ERRORS = range(2, 10)
"""Exit codes with which a program has told the operator itself what is wrong (see errors.py)."""


class StartFailed(PortwardError):
    """A program could not be started at all, so the gate never stood; its own output says why."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"the {name} did not start (exit code {code})", way_out="see its message above")
        self.exit_code = code if code in _OUR_ERRORS else 1


class Wish:
    """Whether the keeper wants a program to run; one of the two events is set. It does not, until it says so."""

    def __init__(self) -> None:
        self.made, self.withdrawn = asyncio.Event(), asyncio.Event()
        self.withdrawn.set()

    def say(self, word: str) -> None:
        """`wanted`, or `unwanted`."""
        now, before = (self.made, self.withdrawn) if word == "wanted" else (self.withdrawn, self.made)
        before.clear()
        now.set()


async def supervise(state: State, programs: Sequence[Program]) -> int:
    """Run the programs until SIGINT or SIGTERM, then stop them in reverse order and return 0.

    Raises `Environment` when another supervisor holds the state, `StartFailed` when the gate never stood.
    """
    state.prepare()
    with hold(state):
        if stopped := leftovers.clear(state):
            complain(f"stopped what an earlier start had left running: {', '.join(map(str, stopped))}")
        try:
            with NotifySocket(state.notify_socket) as inbox, NotifySocket(state.shelf_socket) as shelf:
                async with Children() as children:
                    supervisor = Supervisor(state, programs, children, inbox, shelf)
                    await supervisor.run()
                if supervisor.left_filters:
                    await _clear_filters()
        finally:
            for path in state.sockets():
                path.unlink(missing_ok=True)
    return 0


class Supervisor:
    """Keeps programs running. Made and run once, by `supervise`."""

    def __init__(
        self, state: State, programs: Sequence[Program], children: Children, inbox: NotifySocket, shelf: NotifySocket
    ) -> None:
        self._state = state
        self._programs = programs
        self._children = children
        self._inbox, self._shelf = inbox, shelf
        self._wishes = {program.wish: Wish() for program in programs if program.wish}
        self._launch = os.urandom(16).hex()
        self._running: dict[str, Child] = {}
        self._listeners: dict[str, dict[Path, socket.socket]] = {}
        self._stop = asyncio.Event()
        self._configured = asyncio.Event()
        self._undecided = asyncio.Event()
        """Set when it is known whether the keeper configures the edge, or dies first."""
        self.left_filters = False
        """Whether a program that may change the packet filter did not end by itself, and may have left its tables."""
        self._failure: StartFailed | None = None
        self._announced = False
        """Whether the keeper was ready once, and so has said where everything is."""
        self._stands = False
        """Whether the gate has stood once since the start."""

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        hangup: Callable[[], None] = self._stop.set if os.isatty(0) else self._reload
        handlers = {signal.SIGINT: self._stop.set, signal.SIGTERM: self._stop.set, signal.SIGHUP: hangup}
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        loop.add_reader(self._inbox.fileno(), self._hear)
        loop.add_reader(self._shelf.fileno(), self._put_on_shelf)
        try:
            with ExitStack() as stack:
                for program in self._programs:
                    own = {path: stack.enter_context(listen(path)) for path in program.listens}
                    self._listeners[program.name] = own
                await self._run_until_stopped()
        finally:
            loop.remove_reader(self._inbox.fileno())
            loop.remove_reader(self._shelf.fileno())
            for number in handlers:
                loop.remove_signal_handler(number)

    async def _run_until_stopped(self) -> None:
        """Run all programs side by side; stop them one after the other, so that nothing new comes in first."""
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._keep_while_wanted(program) if program.wish else self._keep(program))
                for program in self._programs
            ]
            await self._stop.wait()
            notify(STOPPING=1)
            for task in reversed(tasks):
                task.cancel()
                await asyncio.wait([task])
        if self._failure:
            raise self._failure

    async def _keep_while_wanted(self, program: Program) -> None:
        """Run a program whenever the keeper wants it, until cancelled."""
        wish = self._wishes[program.wish]
        while True:
            await wish.made.wait()
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep(program))
                await wish.withdrawn.wait()
                keeping.cancel()
            self._shelf.close_stored()
            for path in self._state.services.glob("*.sock"):
                path.unlink()

    async def _keep(self, program: Program) -> None:
        """Run one program until cancelled, or until the whole start has failed."""
        if program.needs:
            await self._wait_for_configuration(program)
        deaths = 0
        while True:
            started = time.monotonic()
            code = await self._run_once(program)
            deaths = 1 if time.monotonic() - started >= HEALTHY_AFTER else deaths + 1
            if not self._worth_another_try(program, code, deaths):
                self._failure = StartFailed(program.name, code)
                self._stop.set()
                return
            pause = pause_before_restart(deaths)
            complain(
                f"the {program.name} ended ({spell(code)}); starting it again {f'in {pause:g} s' if pause else 'now'}"
            )
            await asyncio.sleep(pause)

    async def _run_once(self, program: Program) -> int:
        """Start a program and wait for its end; when cancelled, stop it. Returns its exit code."""
        listeners = self._listeners[program.name]
        stored = self._shelf.stored if program.shelf else {}
        try:
            child = self._children.start(
                program.argv,
                environment=self._environment(program) | bequest(listeners, stored),
                descriptors=[*(listener.fileno() for listener in listeners.values()), *stored.values()],
                death_signal=program.death_signal,
                without=() if program.filters else (CAP_NET_ADMIN,),
            )
        except OSError as error:
            complain(f"the {program.name} can't be started: {error}")
            return 127
        self._running[program.name] = child
        try:
            leftovers.note(self._state, program.name, child.pid, self._launch)
            return await child.wait()
        finally:
            code = await child.stop(program.grace)
            self.left_filters = code != 0 if program.filters else self.left_filters
            del self._running[program.name]
            leftovers.forget(self._state, program.name)

    def _worth_another_try(self, program: Program, code: int, deaths: int) -> bool:
        """Once the gate has stood, always; before, not where only the operator can help."""
        if program.wish:
            return True
        if program.reports and any(other.needs and other.needs.exists() for other in self._programs):
            self._undecided.set()
            return True
        told_the_operator = program.reports and code in _OUR_ERRORS
        return self._stands or not (told_the_operator or deaths >= _FIRST_TRIES)

    async def _wait_for_configuration(self, program: Program) -> None:
        """Wait for X_EDGE=configured; settle for what was configured last when the keeper takes too long or dies."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._undecided.wait()
        if self._configured.is_set():
            return
        if program.needs and program.needs.exists():
            complain(f"the keeper is not up; the {program.name} starts as it was configured last")
            self._recall_wishes()
            self._stands = True
            notify(READY=1, STATUS="the keeper is not up; the edge runs as it was configured last")
            return
        await self._configured.wait()

    def _recall_wishes(self) -> None:
        for program in self._programs:
            if program.wanted_by and program.wanted_by.exists():
                self._wishes[program.wish].say("wanted")

    def _environment(self, program: Program) -> dict[str, str]:
        inherited = {
            name: value for name, value in os.environ.items() if name not in {"NOTIFY_SOCKET", "PORTWARD_ANNOUNCE"}
        }
        inherited[leftovers.LAUNCH] = self._launch
        if program.reports:
            inherited["NOTIFY_SOCKET"] = str(self._state.notify_socket)
        if program.shelf:
            inherited["NOTIFY_SOCKET"] = str(self._state.shelf_socket)
        if program.reports and not self._announced:
            inherited["PORTWARD_ANNOUNCE"] = "1"
        return inherited

    def _hear(self) -> None:
        """Act upon what the keeper reports, and pass on to systemd what concerns it."""
        for message in self._inbox.messages():
            if message.get("X_EDGE") == "configured":
                self._configured.set()
                self._undecided.set()
            for name in self._wishes.keys() & message.keys():
                self._wishes[name].say(message[name])
            if (step := message.get("STATUS")) and not self._stands:
                say(f"  ✓ {step}")
            self._announced = self._announced or message.get("READY") == "1"
            self._stands = self._stands or self._announced
            if known := {name: message[name] for name in ("READY", "STATUS") if name in message}:
                notify(**known)

    def _put_on_shelf(self) -> None:
        for _ in self._shelf.messages():
            pass  # the socket itself keeps what was sent

    def _reload(self) -> None:
        for program in self._programs:
            if program.reports and (child := self._running.get(program.name)):
                child.signal(signal.SIGHUP)


async def _clear_filters() -> None:
    with suppress(Environment):  # who may not change the packet filter has left nothing there
        await Nftables().clear()


def spell(code: int) -> str:
    """An exit code in words: `exit code 1`, `signal 9`."""
    return f"signal {code - 128}" if code > 128 else f"exit code {code}"


def say(text: str) -> None:
    """A line for the operator. Nobody needs to read it: a closed terminal must not end the gate."""
    with suppress(OSError):
        print(text, flush=True)


def complain(text: str) -> None:
    with suppress(OSError):
        print(f"portward: {text}", file=sys.stderr, flush=True)
