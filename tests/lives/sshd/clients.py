"""The six clients that are tested, each started in the same way.

with Client("plink", server, "ann", ["blog:80:127.0.0.1:1313"]) as client: ...
"""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lives.gateway import free_ports
from tests.lives.output import Output
from tests.lives.sshd.server import TunnelServer
from tests.lives.waiting import PATIENCE

NODE = Path(__file__).parents[1] / "node"
ALIVE = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=2")

Arguments = Callable[[TunnelServer, str, Sequence[str]], Sequence[str]]


def openssh(server: TunnelServer, key: str, forwards: Sequence[str], *more: str) -> tuple[str, ...]:
    """OpenSSH's command line, without any configuration of this machine's. `-N` is the caller's."""
    known = server.directory / "known_hosts"
    host_key = (server.state.tunnels / "ssh_host_ed25519_key.pub").read_text().split()[:2]
    known.write_text(f"[{server.address}]:{server.port} {' '.join(host_key)}\n")
    remote = [part for forward in forwards for part in ("-R", forward)]
    options = ("-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes")
    return (
        *("ssh", *options, "-p", str(server.port), "-i", str(server.key_file(key)), *more, *remote),
        f"{key}@{server.address}",
    )


def _ssh(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    return openssh(server, key, forwards, "-N")


def _autossh(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    return ("autossh", "-M", "0", *openssh(server, key, forwards, "-N", *ALIVE)[1:])


def _autossh_monitoring(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    port = next(port for port in (free_ports(1)[0] for _ in range(100)) if port < 65_000)
    return ("autossh", "-M", str(port), *openssh(server, key, forwards, "-N")[1:])


def _plink(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    private = server.directory / f"{key}.ppk"
    subprocess.run(("puttygen", server.key_file(key), "-o", private, "-O", "private"), check=True)
    public = server.state.tunnels / "ssh_host_ed25519_key.pub"
    printed = subprocess.run(("ssh-keygen", "-l", "-f", public), check=True, capture_output=True, text=True).stdout
    remote = [part for forward in forwards for part in ("-R", forward)]
    where = ("-P", str(server.port), "-i", str(private), "-hostkey", printed.split()[1])
    return ("plink", "-ssh", "-batch", "-N", *where, *remote, f"{key}@{server.address}")


def _dbclient(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    private = server.directory / f"{key}.dropbear"
    subprocess.run(
        ("dropbearconvert", "openssh", "dropbear", server.key_file(key), private), check=True, capture_output=True
    )
    remote = [part for forward in forwards for part in ("-R", forward)]
    return ("dbclient", "-y", "-N", "-p", str(server.port), "-i", str(private), *remote, f"{key}@{server.address}")


_PARAMIKO = """
    import paramiko, socket, sys, threading
    address, port, user, key, *forwards = sys.argv[1:]
    transport = paramiko.Transport((address, int(port)))
    transport.connect(username=user, pkey=paramiko.Ed25519Key(filename=key))
    transport.set_keepalive(5)

    def copy(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(1)

    def serve(target):
        def handle(channel, origin, server):
            sink = socket.create_connection(target)
            for ends in ((channel, sink), (sink, channel)):
                threading.Thread(target=copy, args=ends, daemon=True).start()
        return handle

    for forward in forwards:
        name, remote, host, local = forward.split(":")
        transport.request_port_forward(name, int(remote), serve((host, int(local))))
    threading.Event().wait()
"""


def _paramiko(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    where = (server.address, str(server.port), key, str(server.key_file(key)))
    return (sys.executable, "-W", "ignore", "-c", textwrap.dedent(_PARAMIKO), *where, *forwards)


_NODE = """
    const { Client } = require("ssh2"), net = require("net"), fs = require("fs");
    const [address, port, user, key, ...forwards] = process.argv.slice(1);
    const client = new Client(), targets = new Map();
    client.on("ready", () => forwards.forEach(forward => {
      const [name, remote, host, local] = forward.split(":");
      client.forwardIn(name, Number(remote), (error, given) => {
        if (error) throw error;
        targets.set(name, [Number(local), host]);
      });
    }));
    client.on("tcp connection", (info, accept, reject) => {
      const target = targets.get(info.destIP);
      if (!target) return reject();
      const channel = accept(), socket = net.connect(...target);
      channel.pipe(socket).pipe(channel);
      socket.on("error", () => channel.close());
    });
    client.connect({ host: address, port: Number(port), username: user, privateKey: fs.readFileSync(key),
                     keepaliveInterval: 5000 });
"""


def _node(server: TunnelServer, key: str, forwards: Sequence[str]) -> Sequence[str]:
    return ("node", "-e", _NODE, server.address, str(server.port), key, str(server.key_file(key)), *forwards)


CLIENTS: dict[str, Arguments] = {
    "openssh": _ssh,
    "autossh -M 0": _autossh,
    "autossh -M N": _autossh_monitoring,
    "plink": _plink,
    "dbclient": _dbclient,
    "paramiko": _paramiko,
    "ssh2": _node,
}


class Client:
    """One client, running in a process group of its own."""

    def __init__(self, name: str, server: TunnelServer, key: str, forwards: Sequence[str]) -> None:
        self.argv = tuple(CLIENTS[name](server, key, forwards))
        self._home = server.directory

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.argv,
            env={
                **os.environ,
                "HOME": str(self._home),
                "NODE_PATH": str(NODE / "node_modules"),
                "AUTOSSH_GATETIME": "0",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        assert self.process.stdout
        self.out = Output(self.process.stdout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self.out.close()
        if kind is not None:
            print(self.argv[0], self.out.text, file=sys.stderr)
