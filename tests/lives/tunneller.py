"""Somebody who uses `portward tunnel` and `portward connect` on a machine of their own: a home of their own.

ann = Tunneller(directory)
ann.run("tunnel", "add", "db", "bastion.example.com", "-L", "5432:db:5432")
with ann.up("tunnel", "up", "db") as tunnel:
    tunnel.wait_for("db", "up")
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lives.output import Output
from tests.lives.waiting import PATIENCE, wait_for

PROGRAM = Path(sys.prefix) / "bin" / "portward"


class Tunneller:
    """`prefix` is a command to run everything by, such as `ip netns exec NAME`."""

    def __init__(self, home: Path, prefix: tuple[str, ...] = (), **environment: str) -> None:
        self.home, self.prefix = home, prefix
        (home / "run").mkdir(mode=0o700)
        inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        self.environment = {
            **inherited,
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home / "run"),
            "PYTHONWARNINGS": "error",
            **environment,
        }

    @property
    def known_hosts(self) -> Path:
        return self.home / ".config" / "portward" / "known_hosts"

    def knows(self, line: str) -> None:
        """Of a host key, as known_hosts spells it."""
        self.known_hosts.parent.mkdir(parents=True, exist_ok=True)
        self.known_hosts.write_text(f"{line.strip()}\n")

    def run(self, *words: str, code: int = 0, said: str = "") -> subprocess.CompletedProcess[str]:
        """One verb, to its end, which must be `code`."""
        done = subprocess.run(
            [*self.prefix, PROGRAM, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            input=said,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def ask(self, *words: str) -> Any:
        """What a verb says with --json."""
        return json.loads(self.run(*words, "--json").stdout)

    def up(self, *words: str) -> "Up":
        return Up(self, words)


class Up:
    """A verb in the foreground, ended by Ctrl-C after the block."""

    def __init__(self, whose: Tunneller, words: tuple[str, ...]) -> None:
        self._whose, self._words = whose, words

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*self._whose.prefix, PROGRAM, *self._words, "--json"],
            env=self._whose.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.out, self.err = Output(self.process.stdout), Output(self.process.stderr)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        for stream in (self.out, self.err):
            stream.close()
        if kind:
            print(self.out.text, self.err.text, sep="\n", file=sys.stderr)
        else:
            assert code == 0, self.err.text

    def said(self, name: str) -> list[dict[str, Any]]:
        """Each change of this tunnel so far."""
        lines = [json.loads(line) for line in self.out.text.splitlines()]
        return [line for line in lines if line["name"] == name]

    def wait_for(self, name: str, state: str, reconnects: int = 0, seconds: float = PATIENCE) -> dict[str, Any]:
        """The first time that it was so."""

        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None, f"it has ended: {self.err.text}"
            lines = self.said(name)
            return next((one for one in lines if one["state"] == state and one["reconnects"] >= reconnects), None)

        return wait_for(look, f"{name} to be {state}", seconds)
