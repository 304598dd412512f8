"""Child processes that die with their parent, and leave nothing of themselves behind."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from portward.errors import Environment
from portward.host.proc import Identity, environment_of, members_of_session
from portward.host.processes import Child, Children, find_program

SLEEP = [find_program("sleep"), "60"]


async def wait_until(holds: Callable[[], object], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


def with_children(life: Callable[[Children], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        async with Children() as children:
            await life(children)

    asyncio.run(run())


def gone(pid: int) -> bool:
    identity = Identity.of(pid)
    return identity is None or not identity.alive()


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 3", 3), ("kill -9 $$", 137)])
def test_a_child_ends_with_the_code_that_a_shell_would_give(script: str, code: int) -> None:
    async def life(children: Children) -> None:
        assert await children.start(["/bin/sh", "-c", script]).wait() == code

    with_children(life)


def test_stopping_asks_first_and_kills_then() -> None:
    async def life(children: Children) -> None:
        assert await children.start(SLEEP).stop() == 128 + signal.SIGTERM
        deaf = children.start([sys.executable, "-c", _DEAF], environment={"OUT": str(os.getpid())})
        await wait_until(lambda: b"\0" in _ignored(deaf))
        assert await deaf.stop(grace=0.1) == 128 + signal.SIGKILL

    with_children(life)


_DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def _ignored(child: Child) -> bytes:
    """A NUL once the child ignores SIGTERM."""
    status = Path(f"/proc/{child.pid}/status").read_text()
    mask = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn")), 16)
    return b"\0" if mask & 1 << (signal.SIGTERM - 1) else b""


def test_leaving_stops_all_children() -> None:
    pids: list[int] = []

    async def life(children: Children) -> None:
        pids.extend(children.start(SLEEP).pid for _ in range(3))

    with_children(life)
    assert all(gone(pid) for pid in pids)


def test_the_rest_of_a_killed_childs_session_is_killed_too_and_leaves_no_zombie(tmp_path: Path) -> None:
    async def life(children: Children) -> None:
        child = children.start(["/bin/sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; wait"])
        await wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        worker = int((tmp_path / "pid").read_text())
        child.signal(signal.SIGKILL)
        await child.wait()
        await wait_until(lambda: Identity.of(worker) is None)

    with_children(life)


def test_children_die_when_their_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from portward.host.processes import Children\n"
        "async def main():\n"
        "    async with Children() as children:\n"
        f"        print(children.start({SLEEP!r}).pid, flush=True)\n"
        "        await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        assert not gone(child)
        parent.kill()
    asyncio.run(wait_until(lambda: gone(child)))


def test_a_child_has_no_terminal_input_and_a_session_of_its_own() -> None:
    async def life(children: Children) -> None:
        child = children.start(SLEEP, environment={"PORTWARD_LAUNCH": "x"})
        assert members_of_session(child.pid) == [child.pid]
        assert environment_of(child.pid) == b"PORTWARD_LAUNCH=x\0"
        assert Path(f"/proc/{child.pid}/fd/0").readlink() == Path("/dev/null")

    with_children(life)


def test_a_process_is_told_from_another_of_the_same_number() -> None:
    me = Identity.of(os.getpid())
    assert me
    assert me.alive()
    assert Identity.parse(str(me)) == me
    assert not Identity(me.pid, me.started + 1, me.boot).alive()
    assert not Identity(me.pid, me.started, "another-boot").alive()
    assert Identity.parse("junk") is None


def test_a_missing_program_is_named_with_a_way_out() -> None:
    with pytest.raises(Environment, match=r"(?s)no-such-program.*scripts/up"):
        find_program("no-such-program")


def test_system_directories_are_searched_that_an_ordinary_users_path_leaves_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert find_program("haproxy") == "/usr/sbin/haproxy"


def test_a_child_lacks_the_capabilities_that_it_must_not_have() -> None:
    """As a service has them: an ordinary user with ambient capabilities. Needs root."""
    assert os.geteuid() == 0, "only root can become a user with capabilities: run this test as root"
    ambient = ["--ambient-caps", "+net_admin,+net_bind_service", "--inh-caps", "+net_admin,+net_bind_service"]
    command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *ambient]
    done = subprocess.run(
        [*command, sys.executable, "-c", _PASSES_ON], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.split() == ["CapEff:", f"{1 << 10:016x}", "CapEff:", f"{1 << 10 | 1 << 12:016x}"], done.stderr


_PASSES_ON = """
import asyncio
from portward.host.processes import CAP_NET_ADMIN, Children
async def life():
    async with Children() as children:
        for without in ((CAP_NET_ADMIN,), ()):
            await children.start(["/bin/grep", "CapEff", "/proc/self/status"], without=without).wait()
asyncio.run(life())
"""
