"""Bans in the kernel: packets of a banned source vanish before TLS, before SSH, before any program of this machine.

    kernel = KernelBans(Nftables())
    await kernel.follow(allowed)
    await kernel.mend(register, now)             # the table is made; `kernel.trouble` says why where it can't be
    await kernel.enforce([ban])
    await kernel.end()                           # the table is gone

One table of our own, `inet portward`, with a chain before connection tracking, so before what Docker, ufw, firewalld
and fail2ban hook in; no other table is touched. Each length of prefix has a hash set of its own (`b4_32`, `b6_64`):
nothing overlaps that way, each element has its own time-out, and to add one takes no look at the others.
"""

import asyncio
import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import islice
from typing import Any, TypeVar

from portward.defense.enforcement import Register
from portward.defense.known import Known
from portward.errors import Environment
from portward.host.nftables import TABLE, Command, Nftables, add, delete, flush, from_set, prefix, to_ports
from portward.model import Ban

log = logging.getLogger(__name__)
T = TypeVar("T")
Network = IPv4Network | IPv6Network
PRIORITY = -310
"""Before the kernel's own raw (-300) and connection tracking (-200): netfilter's hooks, linux/netfilter_ipv4.h."""
_AT_ONCE = 5000
_LOOK_CLOSELY_EVERY = 20
_KINDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_RETURN: dict[str, Any] = {"return": None}
_DROP: dict[str, Any] = {"drop": None}
_COUNT: dict[str, Any] = {"counter": None}
"""`nft list table inet portward` shows how many packets each rule has dropped."""


class KernelBans:
    """An `Enforcer`. While it can't be used it does nothing, and `trouble` is set."""

    def __init__(self, nft: Nftables) -> None:
        self.nft = nft
        self._changing = asyncio.Lock()
        self._lengths: set[tuple[int, int]] = set()
        self._known = Known()
        self._handles: dict[str, int] = {}
        self._allowed: tuple[Network, ...] = ()
        self._pages: tuple[int, ...] = ()
        self._sure = False
        self._looks = 0
        self.wanted = False
        self.trouble: Environment | None = None

    @property
    def on(self) -> bool:
        return self.wanted and self._sure and self.trouble is None

    async def follow(self, allowed: Iterable[Network], pages: Iterable[int] = (), *, wanted: bool = True) -> None:
        """Whom to let pass whatever is banned, and at which ports the edge answers banned sources with a page.

        In force when it returns, where the table stands. Not `wanted` any more, the table goes.
        """
        async with self._changing:
            allowed, pages = merged(allowed), tuple(sorted(set(pages)))
            changed = (allowed, pages) != (self._allowed, self._pages)
            self._allowed, self._pages = allowed, pages
            if self.wanted and not wanted:
                await self._remove()
            self.wanted = wanted
            if self._sure and changed:
                await self._try(self._entry())

    async def enforce(self, bans: Collection[Ban]) -> None:
        async with self._changing:
            for some in _pieces(bans, _AT_ONCE):
                if self._sure:
                    again = [ban.source for ban in some if ban.source in self._known]
                    await self._try([*self._sets(some), *_taken_out(again), *_put_in(some, datetime.now(UTC))])
                    self._known.add([ban.source for ban in some if ban.source not in self._known])

    async def lift(self, sources: Collection[str]) -> None:
        async with self._changing:
            gone = [source for source in sources if self._sure and _place(source)[:2] in self._lengths]
            for some in _pieces(gone, _AT_ONCE):
                await self._try(_taken_out(some))
            self._known.drop(gone)

    async def mend(self, register: Register, now: datetime) -> list[str]:
        async with self._changing:
            if not self.wanted or await self._stands():
                return []
            known = self._sure
            await self._make(register, now)
            return ["the packet filter's table `inet portward`"] if known and self._sure else []

    async def end(self) -> None:
        """Leave the kernel as it was."""
        async with self._changing:
            if self._sure:
                await self._remove()

    async def adopt(self) -> None:
        """Take over the table that another process has left, where there is one."""
        async with self._changing:
            try:
                self._handles = await self._chains()
                rules = json.dumps(await self.nft.ask("list", "chain", "inet", TABLE, "bans"))
            except Environment:
                return
            self._lengths = {(int(version), int(length)) for version, length in re.findall(r'"@b(\d)_(\d+)"', rules)}
            self.wanted = self._sure = bool(self._handles)

    async def _make(self, register: Register, now: datetime) -> None:
        """The whole table anew, with what the register holds; until the last element is in, the edge holds alone."""
        self._sure, self._lengths, self._known = False, set(), Known()
        if not self._claimed():
            return
        anew = [add("table", name=TABLE), delete("table", name=TABLE), add("table", name=TABLE)]
        if not await self._try([*anew, *_skeleton(), *self._entry()]):
            return
        async for page in register.pages(now):
            if not await self._try([*self._sets(page), *_put_in(page, datetime.now(UTC))]):
                return
            self._known.add([ban.source for ban in page])
        self._handles = await self._chains()
        self._sure = True

    async def _remove(self) -> None:
        self._sure, self._lengths, self._known = False, set(), Known()
        await self._try([add("table", name=TABLE), delete("table", name=TABLE)])
        self.nft.release()

    async def _stands(self) -> bool:
        self._looks += 1
        try:
            if not self._sure or await self._chains() != self._handles:
                return False
            return self._looks % _LOOK_CLOSELY_EVERY != 0 or await self._rules() == len(self._lengths)
        except Environment as error:
            log.warning("the packet filter can't be looked at: %s", error)
            return False

    async def _chains(self) -> dict[str, int]:
        """Our chains and their handles: a table that somebody removed has others when it is back."""
        answer = [one["chain"] for one in await self.nft.ask("list", "chains", "inet")]
        return {chain["name"]: chain["handle"] for chain in answer if chain["table"] == TABLE}

    async def _rules(self) -> int:
        return sum("rule" in one for one in await self.nft.ask("list", "chain", "inet", TABLE, "bans"))

    def _entry(self) -> list[Command]:
        """What is asked before a ban: the machine itself, the allowlist, and the edge's own page."""
        allowed = {version: [n for n in self._allowed if n.version == version] for version in _KINDS}
        rules: list[list[dict[str, Any]]] = [[{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}]]
        rules += [[from_set(family, f"allow{version}")] for version, (family, _) in _KINDS.items()]
        rules += [[to_ports(self._pages)]] if self._pages else []
        return [
            *(flush("set", name=f"allow{version}") for version in _KINDS),
            *(
                add("element", name=f"allow{version}", elem=[prefix(str(n)) for n in networks])
                for version, networks in allowed.items()
                if networks
            ),
            flush("chain", name="entry"),
            *(add("rule", chain="entry", expr=[*rule, _RETURN]) for rule in rules),
            add("rule", chain="entry", expr=[{"jump": {"target": "bans"}}]),
        ]

    def _sets(self, bans: Iterable[Ban]) -> list[Command]:
        """Sets, and the rules that ask them, for lengths of prefix that were not in use yet."""
        commands = []
        for version, length in sorted({_place(ban.source)[:2] for ban in bans} - self._lengths):
            family, kind = _KINDS[version]
            name, mask = f"b{version}_{length}", str(ip_network((0 if version == 4 else "::", length)).netmask)
            whole = length == (32 if version == 4 else 128)
            commands += [
                add("set", name=name, type=kind, flags=["timeout"]),
                add("rule", chain="bans", expr=[from_set(family, name, "" if whole else mask), _COUNT, _DROP]),
            ]
            self._lengths.add((version, length))
        return commands

    def _claimed(self) -> bool:
        try:
            self.nft.claim()
        except Environment as error:
            self._fail(error)
            return False
        return True

    async def _try(self, commands: Sequence[Command]) -> bool:
        """Whether it was done. What went wrong is kept, and told when it is new; mending begins anew then."""
        try:
            await self.nft.apply(commands)
        except Environment as error:
            self._fail(error)
            return False
        self.trouble = None
        return True

    def _fail(self, error: Environment) -> None:
        if self.trouble is None or self.trouble.message != error.message:
            log.warning("the kernel does not keep banned sources out: %s", error)
        self.trouble, self._sure = error, False


def _skeleton() -> list[Command]:
    sets = [add("set", name=f"allow{v}", type=kind, flags=["interval"]) for v, (_, kind) in _KINDS.items()]
    entry = {"type": "filter", "hook": "prerouting", "prio": PRIORITY, "policy": "accept"}
    return [*sets, add("chain", name="bans"), add("chain", name="entry", **entry)]


def _put_in(bans: Iterable[Ban], now: datetime) -> list[Command]:
    by_set: dict[str, list[Any]] = {}
    for ban in bans:
        left = int((ban.until - now).total_seconds() + 1) if ban.until else 0
        if left >= 0:
            version, length, address = _place(ban.source)
            element = {"elem": {"val": address, "timeout": left}} if ban.until else address
            by_set.setdefault(f"b{version}_{length}", []).append(element)
    return [add("element", name=name, elem=elements) for name, elements in by_set.items()]


def _taken_out(sources: Iterable[str]) -> list[Command]:
    """To delete what is not there would be an error, so it is added before, in the same transaction.

    What gets another end is taken out as well: kernels before 6.12 keep an element's first time-out.
    """
    by_set: dict[str, list[str]] = {}
    for version, length, address in map(_place, sources):
        by_set.setdefault(f"b{version}_{length}", []).append(address)
    commands = list(by_set.items())
    return [do("element", name=name, elem=elements) for do in (add, delete) for name, elements in commands]


def _place(source: str) -> tuple[int, int, str]:
    """Version, length of prefix and first address of a source in its one spelling; without the work of a parser."""
    address, _, length = source.partition("/")
    version = 6 if ":" in address else 4
    return version, int(length) if length else (32 if version == 4 else 128), address


def merged(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Without overlaps, which an interval set refuses."""
    wanted = list(networks)
    four = collapse_addresses(n for n in wanted if isinstance(n, IPv4Network))
    six = collapse_addresses(n for n in wanted if isinstance(n, IPv6Network))
    return (*four, *six)


def _pieces(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while piece := list(islice(rest, size)):
        yield piece
