"""Puts a plan into force: over the runtime socket where that is enough, by a seamless reload where it is not.

    publisher = Publisher(state, engine, runtime, ShownCertificates(runtime, state))
    how = await publisher.publish(plan, certificates)       # 'runtime', 'reload' or 'start'

Files are written first, so that a restart of HAProxy agrees with its memory. What HAProxy really has is asked for
each time and only the difference is sent, so publishing the same plan again mends whatever has gone astray.
"""

import asyncio
import logging
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from portward.edge.certificates import ShownCertificates, crt_line
from portward.edge.engine import Engine
from portward.edge.mapfile import MapFile
from portward.edge.plan import Plan
from portward.edge.render import crt_list, map_file
from portward.edge.runtime import Runtime
from portward.edge.servers import Servers
from portward.errors import EdgeError
from portward.host import files
from portward.host.paths import State
from portward.model import Certificate

How = Literal["start", "reload", "runtime"]
_PLANNED_MAPS = ("routes", "allow", "deny", "sources", "owners")
_LEARNED_MAPS = ("sessions", "accounts", "grants", "streams", "challenges", "listed", "bans", "stream_sources")
_RELOAD_SECONDS = 30.0
_COUNT = re.compile(r"^\S+ \((.+?)\) .* entry_cnt=(\d+)$", re.MULTILINE)

log = logging.getLogger(__name__)


class Publisher:
    def __init__(self, state: State, engine: Engine, runtime: Runtime, shown: ShownCertificates) -> None:
        self._state = state
        self._engine = engine
        self._runtime = runtime
        self._shown = shown
        self._servers = Servers(runtime)

    async def publish(self, plan: Plan, certificates: Mapping[str, Certificate]) -> How:
        """Bring `plan` into force. Raises `EdgeError`, with the previous state in force, when HAProxy refuses it."""
        running = await self.running()
        before = self._snapshot()
        try:
            return await self._publish(plan, certificates, running)
        except BaseException:
            self._restore(before)
            if running is not None and await self.running() not in (running, None):
                await self._runtime.master("reload")
            raise

    async def running(self) -> str | None:
        """The fingerprint of the configuration that the current worker runs; None where no HAProxy answers."""
        try:
            answer = await self._runtime.ask("show env PORTWARD_PLAN")
        except EdgeError:
            return None
        return answer.partition("=")[2]

    async def wait_for_answer(self, seconds: float = 2.0) -> bool:
        """Whether a HAProxy answers now or soon, worker and master: one that died is back within a second."""
        deadline = asyncio.get_running_loop().time() + seconds
        while await self.running() is None or not await self._runtime.master_answers():
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(0.05)
        return True

    async def wait_for_edge(self, fingerprint: str, *, failures: int = 0) -> None:
        """Return when the current worker runs this configuration.

        Raises `EdgeError` when it never does, at once when HAProxy's master counts more failed reloads than `failures`.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_RELOAD_SECONDS):
                while await self.running() != fingerprint or not await self._runtime.master_answers():
                    if await self._runtime.failed_reloads() > failures:
                        break
                    await asyncio.sleep(0.02)
                else:
                    return
        raise EdgeError(
            "HAProxy did not come up with the new configuration",
            way_out="its own words are in what `portward up` printed, or in the journal",
        )

    async def _publish(self, plan: Plan, certificates: Mapping[str, Certificate], running: str | None) -> How:
        self._write(plan, certificates)
        if running == plan.skeleton.fingerprint:
            self._shown.follow(plan.doors)
            try:
                await self.mend(plan, certificates)
            except EdgeError as error:
                log.warning("a change over the runtime socket failed, reloading instead: %s", error)
            else:
                return "runtime"
        await self._check()
        if running is not None:
            await self._reload(plan)
        self._shown.follow(plan.doors)
        return "start" if running is None else "reload"

    async def mend(self, plan: Plan, certificates: Mapping[str, Certificate]) -> list[str]:
        """Make the running worker's memory equal to the plan; no route ever stands without its server.

        Returns a sentence fragment for each thing that was not as it should be.
        """
        mended = await self._servers.add_missing(plan.servers)
        mended += await self._shown.add(certificates, plan.tls_options)
        for name in _PLANNED_MAPS:
            mended += await self._mend_map(map_file(self._state, name), getattr(plan, name))
        mended += await self._shown.drop(certificates)
        return mended + await self._servers.retire_surplus(plan.servers)

    async def look(self, certificates: Mapping[str, Certificate]) -> list[str]:
        """Shake hands for what was not seen yet; the rest as `mend`."""
        return await self._shown.look(certificates)

    async def _mend_map(self, path: Path, wanted: Mapping[str, str]) -> list[str]:
        there = await self.entries(path)
        await self._runtime.add_entries(path, ((k, v) for k, v in wanted.items() if k not in there))
        changed = [f"set map {path} {k} {v}" for k, v in wanted.items() if k in there and there[k] != v]
        surplus = [f"del map {path} {k}" for k in there if k not in wanted]
        await self._runtime.order_everywhere(changed + surplus)
        missing = sum(key not in there for key in wanted)
        count = missing + len(changed) + len(surplus)
        return [f"{count} lines of {path.name}"] if count else []

    async def entries(self, path: Path) -> dict[str, str]:
        """A map as it stands in the current worker's memory."""
        lines = (await self._runtime.ask(f"show map {path}")).splitlines()
        parts = (line.split(" ", 2) for line in lines if line.startswith("0x"))
        return {part[1]: part[2] if len(part) > 2 else "" for part in parts}

    async def counts(self) -> dict[str, int]:
        """How many lines each map has in the current worker's memory, by its path; cheap, however many they are."""
        return {path: int(count) for path, count in _COUNT.findall(await self._runtime.ask("show map"))}

    def _write(self, plan: Plan, certificates: Mapping[str, Certificate]) -> None:
        home = self._state.edge / plan.skeleton.fingerprint
        for name, content in plan.skeleton.files.items():
            files.private_directory((home / name).parent)
            _put(home / name, content)
        for name in _LEARNED_MAPS:
            MapFile(map_file(self._state, name)).begin()
        for name in _PLANNED_MAPS:
            MapFile(map_file(self._state, name)).write(getattr(plan, name))
        lines = [crt_line(certificate, host, plan.tls_options) + "\n" for host, certificate in certificates.items()]
        _put(crt_list(self._state), "".join(lines).encode())
        _put(self._state.haproxy_cfg, plan.configuration().encode())

    async def _check(self) -> None:
        process = await asyncio.create_subprocess_exec(
            self._engine.path,
            *("-c", "-f", str(self._state.haproxy_cfg)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise EdgeError(f"HAProxy refuses the configuration:\n{output.decode(errors='replace').strip()}")

    async def _reload(self, plan: Plan) -> None:
        failures = await self._runtime.failed_reloads()
        await self._runtime.master("reload")
        await self.wait_for_edge(plan.skeleton.fingerprint, failures=failures)
        for path in self._state.edge.iterdir():
            if path.is_dir() and path.name != plan.skeleton.fingerprint:
                shutil.rmtree(path)

    def _snapshot(self) -> dict[Path, bytes]:
        paths = [self._state.haproxy_cfg, crt_list(self._state), *(map_file(self._state, n) for n in _PLANNED_MAPS)]
        return {path: path.read_bytes() for path in paths if path.exists()}

    def _restore(self, before: Mapping[Path, bytes]) -> None:
        for path, content in before.items():
            files.replace(path, content)


def _put(path: Path, content: bytes) -> None:
    """Write what is not there yet: a change touches few files, and each costs a wait for the disk."""
    if not path.exists() or path.read_bytes() != content:
        files.replace(path, content)
