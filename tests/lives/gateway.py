"""A gateway of the tests: the real programs, on free ports of the loopback, in a directory of their own.

with Gateway(directory, services={"wiki": {"upstream": "http://127.0.0.1:3000"}}) as gateway:
    ann = gateway.visitor()
    gateway.add_account("ann")
    ann.log_in("ann")
    ann.arrive("wiki", "/page").text

Hosts are written in short: `wiki` is wiki.gate.test. They resolve without DNS; TLS is verified against the gateway's
own authority. The directory's path must be short, for the Unix sockets in it.

`at=network.host("45.90.0.1")` has it on a machine of the test's own network instead, at the ports that everybody knows;
visitors come from one, too: `gateway.visitor(at=network.host("91.7.7.7"))`. `before=journal.prefix` puts these words
before the supervisor's command line.
"""

import json
import os
import random
import secrets
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tomlkit
from tests.lives.network import Host
from tests.lives.output import Output
from tests.lives.processes import MARK, Pids, survivors
from tests.lives.visitor import PASSWORD, Visitor
from tests.lives.waiting import PATIENCE, wait_for

from portward.cli.client import Keeper, keeper
from portward.errors import NotRunning
from portward.host.paths import State

DOMAIN = "gate.test"
LOOPBACK = "127.0.0.1"
_FIRST_PORT, _PORTS = 10_000, 2_500
OWNER = "owner"
_PLENTY = {"connections": 10_000, "new-connections": 1_000_000, "requests": 1_000_000, "session-requests": 1_000_000}


class Gateway:
    """Services as in portward.toml, by name; every other table by its key (`limits={...}`), underscores for dashes."""

    def __init__(self, directory: Path, services: Mapping[str, Any], **tables: Any) -> None:
        self.directory = directory
        self.at: Host | None = tables.pop("at", None)
        self.before: Sequence[str] = tables.pop("before", ())
        self.domain = tables.pop("domain", DOMAIN)
        self.https_port, self.http_port, self.ssh_port = (443, 80, 22) if self.at else free_ports(3)
        where = "" if self.at else LOOPBACK
        if "tunnels" in tables:
            tables["tunnels"] = {"listen": f"{where}:{self.ssh_port}", **tables["tunnels"]}
        self.config, self.state = directory / "portward.toml", directory / "state"
        addresses = {"https": [f"{where}:{self.https_port}"], "http": [f"{where}:{self.http_port}"]}
        self._document: dict[str, Any] = {
            "domain": self.domain,
            "listen": addresses | tables.pop("listen", {}),
            "defence": {"kernel": self.at is not None} | tables.pop("defence", {}),
            "limits": _PLENTY | tables.pop("limits", {}),
            **{name.replace("_", "-"): table for name, table in tables.items()},
        }
        self.configure(services)

    # ---- life ------------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.stop()
        else:
            self.kill()
            print(f"---- stdout\n{self.out.text}\n---- stderr\n{self.err.text}", file=sys.stderr)

    def start(self, *command: str) -> None:
        """Run the supervisor, or another command line, and wait until it says `ready`."""
        self.launch(*command)
        self.out.wait_for_line(r"^ready$")

    def launch(self, *command: str) -> None:
        """The same, without waiting."""
        self.mark = secrets.token_hex(8)
        program = (
            *self._prefix,
            *self.before,
            *(command or (sys.executable, "-m", "portward.supervisor", *self._places)),
        )
        self.process = subprocess.Popen(
            program,
            cwd=self.directory,
            env={**os.environ, MARK: self.mark, "PYTHONWARNINGS": "error::ResourceWarning"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        self.out, self.err = Output(self.process.stdout), Output(self.process.stderr)

    def stop(self) -> None:
        """End it as Ctrl-C does; it must go cleanly, and leave no process and no socket behind."""
        if self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(PATIENCE)
        self._close()
        assert code == 0, f"exit code {code}\n{self.err.text}"
        assert survivors(self.mark) == []
        assert [path for path in (self.state / "run").rglob("*") if path.is_socket()] == []

    def kill(self) -> None:
        """End it without a word; its programs die with it."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._close()

    def _close(self) -> None:
        self.out.close()
        self.err.close()

    # ---- where things are ------------------------------------------------------------------------------------------

    @property
    def pids(self) -> Pids:
        return wait_for(lambda: Pids.of(self.process.pid, self.state / "run"), "all programs to run")

    @property
    def root(self) -> Path:
        """The certificate of its authority."""
        return self.state / "authority" / "root.crt"

    @property
    def access_log(self) -> list[dict[str, Any]]:
        """The requests of the access log so far."""
        log = State(self.state).access_log
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def address(self, visitor: Host | None = None) -> str:
        """Where it is reached, from the loopback or from another host of its network."""
        if self.at is None:
            return LOOPBACK
        other = (self.at if visitor is None else visitor).address
        return next(own for own in self.at.addresses if (":" in own) == (":" in other))

    def host(self, name: str) -> str:
        return name if "." in name else f"{name}.{self.domain}"

    def url(self, host: str, path: str = "/", *, scheme: str = "https") -> str:
        port = self.https_port if scheme == "https" else self.http_port
        return f"{scheme}://{self.host(host)}:{port}{path}"

    def tls(self, *protocols: str) -> ssl.SSLContext:
        """A client's context that trusts this gateway alone."""
        context = ssl.create_default_context(cafile=str(self.root))
        if protocols:
            context.set_alpn_protocols(protocols)
        return context

    # ---- talking to it ---------------------------------------------------------------------------------------------

    def configure(self, services: Mapping[str, Any]) -> None:
        """Write portward.toml; a running gateway applies it by itself (`apply` waits for that)."""
        self._services = dict(services)
        text = tomlkit.dumps({**self._document, "services": self._services})
        new = self.config.with_suffix(".new")
        new.write_text(text)
        new.replace(self.config)

    def apply(self, services: Mapping[str, Any]) -> None:
        """Put these services in the place of all others; they are in force when this returns."""
        self.configure(services)
        with self.admin() as admin:
            admin.post("/reload")

    def change(self, **tables: Any) -> None:
        """Change keys of these tables (`limits={"requests": 5}`), and bring that into force."""
        for name, table in tables.items():
            self._document[name] = {**self._document.get(name, {}), **table}
        self.apply(self._services)

    def configure_table(self, name: str, table: Mapping[str, Any]) -> None:
        """Put this table in the place of one that was, before the start."""
        self._document[name] = dict(table)
        self.configure(self._services)

    @property
    def services(self) -> dict[str, Any]:
        """The services as they were configured last."""
        return dict(self._services)

    def kill_keeper(self) -> None:
        """End the keeper without a word; another one is there when this returns."""
        old = self.pids.keeper
        os.kill(old, signal.SIGKILL)
        wait_for(lambda: self.pids.keeper != old and self._answers(), "the next keeper")

    def _answers(self) -> bool:
        with suppress(NotRunning):
            return bool(self.status())
        return False

    def drop(self, table: str) -> None:
        """Take a table out of the file, and bring that into force."""
        del self._document[table]
        self.apply(self._services)

    def status(self) -> dict[str, Any]:
        with self.admin() as admin:
            return dict(admin.get("/status"))

    def runtime(self, command: str) -> str:
        """Tell HAProxy's current worker something behind the keeper's back. Returns the answer."""
        with socket.socket(socket.AF_UNIX) as worker:
            worker.connect(str(State(self.state).edge_socket))
            worker.sendall(command.encode() + b"\n")
            worker.shutdown(socket.SHUT_WR)
            with worker.makefile() as answer:
                return answer.read().strip()

    def map(self, name: str) -> dict[str, str]:
        """A map as it stands in the worker's memory."""
        rows = (row.split(" ", 2) for row in self.runtime(f"show map {self.map_file(name)}").splitlines())
        return {row[1]: row[2] for row in rows if len(row) == 3}

    def map_file(self, name: str) -> Path:
        return self.state / "edge" / f"{name}.map"

    def sessions(self, account: str) -> list[dict[str, Any]]:
        with self.admin() as admin:
            return list(admin.get("/sessions", account=account)["sessions"])

    def admin(self) -> AbstractContextManager[Keeper]:
        """A conversation over the admin socket: `with gateway.admin() as admin: admin.get("/status")`."""
        return keeper(self.state)

    def cli(self, *arguments: str, expect: int = 0, stdin: str = "") -> str:
        """Run `portward ARGUMENTS` against this gateway; returns what it printed. `expect`: the exit code."""
        done = self.try_cli(*arguments, stdin=stdin)
        assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def try_cli(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The same, however it ends."""
        return subprocess.run(
            [*self._prefix, Path(sys.executable).with_name("portward"), *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.directory,
            env={**os.environ, "PORTWARD_CONFIG": str(self.config), "PORTWARD_STATE": str(self.state)},
            check=False,
        )

    def visitor(self, **options: Any) -> Visitor:
        """Somebody new with an empty browser; options as `Visitor` takes them. Whoever asks closes it."""
        return Visitor(self, **options)

    def enrol_owner(self, **options: Any) -> Visitor:
        """Follow the one-time link that was printed at the start. Returns the owner, logged in at the portal."""
        owner = self.visitor(**options)
        page = owner.visit(self.out.wait_for_line(r"https://auth\S+/enrol\S+")[0])
        page = owner.follow(owner.submit(page, username=OWNER, new_password=PASSWORD))
        assert page.status_code == 200, page.text
        return owner

    def add_account(self, name: str, **details: Any) -> None:
        """An account that can log in with `PASSWORD`. Details: groups, role, email, display_name."""
        with self.admin() as admin:
            admin.post("/accounts", {"name": name, "password": PASSWORD, **details})

    def log_in(self, name: str, **options: Any) -> Visitor:
        """A new visitor who is logged in at the portal."""
        visitor = self.visitor(**options)
        visitor.log_in(name)
        return visitor

    # ---- what it tells ---------------------------------------------------------------------------------------------

    def events(self, **parameters: Any) -> list[dict[str, Any]]:
        """Events, oldest first: the newest 1000, or as `after`, `kind`, `account` say; all fields side by side."""
        with self.admin() as admin:
            return [event | event["fields"] for event in admin.lines("/events", **{"limit": 1000, **parameters})]

    def newest_event(self) -> int:
        """The id of the last event so far."""
        return max((event["id"] for event in self.events(limit=1)), default=0)

    def wait_for_events(self, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
        """At least so many events whose fields have these values."""

        def look() -> list[dict[str, Any]] | None:
            found = [event for event in self.events() if fields.items() <= event.items()]
            return found if len(found) >= count else None

        return wait_for(look, f"{count} events with {fields}")

    @property
    def _prefix(self) -> tuple[str, ...]:
        return self.at.prefix if self.at else ()

    @property
    def _places(self) -> tuple[str, ...]:
        return "--config", str(self.config), "--state", str(self.state)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on.

    They lie below those that the system gives to outgoing connections, and each process of a parallel run has a range
    of its own, so that none is taken before its program listens there.
    """
    first = _FIRST_PORT + _PORTS * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    candidates = random.sample(range(first, first + _PORTS), _PORTS)
    return [port for port in candidates if _is_free(port)][:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
