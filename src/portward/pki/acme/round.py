"""The keeper's end of a round: starts the process, does at the edge what it asks for, and collects its results.

    results = await Round(challenges).run(job, told=print)

Every name of the job has a result in the end, also when the process is killed; whatever it had shown is taken away.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from portward.errors import PortwardError
from portward.pki.acme.job import Job, Result, read_result, spell

log = logging.getLogger(__name__)
_SECONDS = 1800.0
_LINE = 1 << 20


class Challenges(Protocol):
    """What the edge does for a challenge. Raises `EdgeError`."""

    async def present(self, host: str, token: str, value: str) -> None:
        """Answer `http://HOST/.well-known/acme-challenge/TOKEN` with `value` from now on."""

    async def withdraw(self, host: str, token: str) -> None:
        """Answer it no more; one that is not there is fine."""

    async def pass_alpn(self, *, on: bool) -> None:
        """Whether connections with ALPN `acme-tls/1` go to the process of the round."""

    async def clear(self) -> None:
        """Take everything away that was shown."""


class Round:
    def __init__(self, challenges: Challenges) -> None:
        self._challenges = challenges

    async def run(self, job: Job, told: Callable[[dict[str, Any]], None]) -> list[Result]:
        """`told` hears each `step` and each `result` as it comes."""
        command = (sys.executable, "-m", "portward.pki.acme")
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, limit=_LINE)
        results: list[Result] = []
        try:
            async with asyncio.timeout(_SECONDS):
                await self._converse(process, job, told, results)
        except (TimeoutError, ValueError, ConnectionError) as error:
            log.warning("a round with the authority ended early: %r", error)
        finally:
            await _end(process)
        await self._challenges.clear()
        missing = [_missing(name, process.returncode) for name in _names(job) - {result.name for result in results}]
        for result in missing:
            told({"say": "result", "name": result.name, "outcome": result.outcome, "problem": result.problem})
        return results + missing

    async def _converse(
        self,
        process: asyncio.subprocess.Process,
        job: Job,
        told: Callable[[dict[str, Any]], None],
        results: list[Result],
    ) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the process has no pipes")
        process.stdin.write(spell(job).encode() + b"\n")
        while line := await process.stdout.readline():
            values = json.loads(line)
            say = values.pop("say")
            if say == "end":
                return
            if say == "result":
                results.append(read_result(values))
            if say in {"result", "step"}:
                told({"say": say, **values})
            else:
                answer = await self._do(say, values)
                process.stdin.write(json.dumps(answer).encode() + b"\n")
                await process.stdin.drain()

    async def _do(self, say: str, values: dict[str, Any]) -> dict[str, str]:
        try:
            if say == "present":
                await self._challenges.present(values["host"], values["token"], values["value"])
            elif say == "withdraw":
                await self._challenges.withdraw(values["host"], values["token"])
            elif say == "switch":
                await self._challenges.pass_alpn(on=values["on"])
        except PortwardError as error:
            return {"problem": error.message}
        return {}


def _names(job: Job) -> set[str]:
    if job.task == "rotate":
        return {authority.directory for authority in job.authorities}
    return {wanted.name for wanted in job.wanted}


def _missing(name: str, code: int | None) -> Result:
    return Result(name, "interrupted", f"the process that asks authorities ended early (exit code {code})")


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
    await process.wait()
