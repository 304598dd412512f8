"""Composition root of the program `tunnels`: open, wire, run, close.

await run(State(Path("/var/lib/portward")))       # until SIGTERM
"""

import asyncio
import logging
import resource
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import asyncssh

from portward.errors import Environment, Invalid
from portward.host.notify import notify
from portward.host.paths import State
from portward.tunnels.rules import Rules, read
from portward.tunnels.server.algorithms import CIPHERS, COMPRESSION, KEY_EXCHANGE, MACS, SIGNATURES
from portward.tunnels.server.connection import Connection
from portward.tunnels.server.control_server import ControlServer
from portward.tunnels.server.exchange import Exchange
from portward.tunnels.server.hostkeys import host_key
from portward.tunnels.server.peer import Peer
from portward.tunnels.server.peers import Peers
from portward.tunnels.server.ports import Ports
from portward.tunnels.server.probing import Prober
from portward.tunnels.server.reports import Reports

_LOGIN_SECONDS = 10
_LOOK_SECONDS = 0.5
_REKEY = "4G"
"""AES-GCM permits 2^32 packets under one key; RFC 4344 asks for new ones well before that."""

log = logging.getLogger(__name__)


async def run(state: State) -> None:
    """Serve until SIGTERM or SIGINT. Raises `Environment` and `Invalid` for what prevents the start."""
    _permit_many_sockets()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    rules = await _wait_for_rules(state, ended)
    if rules is None:
        return
    async with AsyncExitStack() as stack:
        reports = await stack.enter_async_context(Reports(state.events_socket))
        exchange = await stack.enter_async_context(Exchange(state, rules, reports))
        peers = Peers(state, rules, exchange, reports)
        stack.callback(peers.cut, lambda peer: True, "the gateway restarts; connect again")
        await stack.enter_async_context(ControlServer(state.tunnels_socket, peers))
        peers.recall_bans()  # after who may tell of more is heard, and before anybody can come
        ports = await stack.enter_async_context(Ports(_server_of(state, peers)))
        await ports.listen(rules.policy.listen)
        notify(READY=1)
        print("ready", flush=True)
        await _work(state, peers, ports, ended)


async def _work(state: State, peers: Peers, ports: Ports, ended: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(peers.screens.run()),
            group.create_task(Prober(peers.exchange, peers.reports).run()),
            group.create_task(_follow(state, peers, ports)),
        ]
        await ended.wait()
        for task in tasks:
            task.cancel()


async def _follow(state: State, peers: Peers, ports: Ports) -> None:
    """Take new rules as the keeper writes them, and see to it that time passes for keys and connections."""
    stamp = _stamp(state)
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        peers.expire(datetime.now(UTC))
        if (now := _stamp(state)) == stamp:
            continue
        stamp = now
        try:
            rules = read(state.tunnel_rules.read_bytes())
            await peers.follow(rules)
            await ports.listen(rules.policy.listen)
        except (OSError, Invalid, Environment) as error:
            log.error("the new rules are not in force, the old ones go on: %s", error)


async def _wait_for_rules(state: State, ended: asyncio.Event) -> Rules | None:
    """The rules, as soon as the keeper has written them. None when the program is told to end before."""
    while not state.tunnel_rules.exists():
        if ended.is_set():
            return None
        await asyncio.sleep(_LOOK_SECONDS)
    return read(state.tunnel_rules.read_bytes())


def _permit_many_sockets() -> None:
    """Each tunnel, each visitor and each service takes one; the usual soft limit of 1024 is for select(2)."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _stamp(state: State) -> tuple[int, int, int]:
    try:
        status = state.tunnel_rules.stat()
    except FileNotFoundError:
        return (0, 0, 0)
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _server_of(state: State, peers: Peers) -> Callable[[], Connection]:
    options = asyncssh.SSHServerConnectionOptions(
        server_factory=lambda: Peer(peers),
        server_host_keys=[host_key(state.tunnels)],
        server_version="Portward",
        kex_algs=KEY_EXCHANGE,
        encryption_algs=CIPHERS,
        mac_algs=MACS,
        compression_algs=COMPRESSION,
        signature_algs=SIGNATURES,
        login_timeout=_LOGIN_SECONDS,
        keepalive_interval=0,
        rekey_bytes=_REKEY,
        password_auth=False,
        kbdint_auth=False,
        host_based_auth=False,
        gss_host=None,
        agent_forwarding=False,
        x11_forwarding=False,
        line_editor=False,
        encoding=None,
        allow_scp=False,
    )
    return lambda: Connection(asyncio.get_running_loop(), options)
