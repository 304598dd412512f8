"""Bans in the kernel: packets of a banned source vanish before TLS, before SSH, before any program of this machine.

    kernel = KernelBans(Nftables())
    await kernel.follow(allowed)
    await kernel.mend(register, now)             # the table is made; `kernel.trouble` says why where it can't be
    await kernel.enforce([ban.brief])
    await kernel.end()                           # the table is gone

One table of our own, `inet portward`, with a chain before connection tracking, so before what Docker, ufw, firewalld
and fail2ban hook in; no other table is touched. Each length of prefix has a hash set of its own (`b4_32`, `b6_64`):
nothing overlaps that way, each element has its own time-out, and to add one takes no look at the others.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from itertools import islice
from typing import TypeVar

from portward.defense.enforcement import Register
from portward.defense.known import Known
from portward.errors import Environment
from portward.host.nftables import BANS, FAMILY, Nftables, removal
from portward.model import BanBrief

log = logging.getLogger(__name__)
T = TypeVar("T")
Network = IPv4Network | IPv6Network
PRIORITY = -310
"""Before the kernel's own raw (-300) and connection tracking (-200): netfilter's hooks, linux/netfilter_ipv4.h."""
_AT_ONCE = 10_000
_A_LINE = 1000
_LONGEST = 100 * 365 * 86400
_LOOK_CLOSELY_EVERY = 20
_SWEEPING = "10m"
"""How often the kernel takes out what is over. A ban ends on time all the same; but to look through a million of them
takes some 50 ms of a core, each second by default."""
_KINDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_ZERO = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - part of a netmask
_TABLE = f"{FAMILY} {BANS}"
_GENERATIONS = ("b", "c")
"""Sets are filled beside those that are in force, which an earlier life may have left, and then take their place."""


class KernelBans:
    """An `Enforcer`. While it can't be used it does nothing, and `trouble` is set."""

    def __init__(self, nft: Nftables) -> None:
        self.nft = nft
        self._changing = asyncio.Lock()
        self._lengths: set[tuple[int, int]] = set()
        self._generation = _GENERATIONS[0]
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
                await self._try(_entry(self._allowed, self._pages))

    async def enforce(self, bans: Collection[BanBrief]) -> None:
        async with self._changing:
            for some in _pieces(bans, _AT_ONCE):
                if self._sure:
                    again = [ban.source for ban in some if ban.source in self._known]
                    await self._try([*self._sets(some, asked=True), *self._taken_out(again), *self._put_in(some)])
                    self._known.add([ban.source for ban in some if ban.source not in self._known])

    async def lift(self, sources: Collection[str]) -> None:
        async with self._changing:
            gone = [source for source in sources if self._sure and _place(source)[:2] in self._lengths]
            for some in _pieces(gone, _AT_ONCE):
                await self._try(self._taken_out(some))
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
            if self.nft.claimed:
                await self._remove()

    async def adopt(self) -> None:
        """Take over the table that another process has left, where there is one."""
        async with self._changing:
            try:
                self._handles = await self._chains()
                sets = await self._left()
            except Environment:
                return
            self._lengths = {(version, length) for _, version, length in sets}
            self._generation = next((generation for generation, _, _ in sets), _GENERATIONS[0])
            self.wanted = self._sure = bool(self._handles)

    async def _make(self, register: Register, now: datetime) -> None:
        """The whole of what the register holds. What an earlier life left is in force until the last one is in."""
        self._sure, self._lengths, self._known = False, set(), Known()
        if not self._claimed():
            return
        left: Sequence[tuple[str, int, int]] = ()
        with suppress(Environment):
            left = await self._left()
        self._generation = next(name for name in _GENERATIONS if name not in {generation for generation, _, _ in left})
        if not await self._try([*([] if left else [removal(BANS)]), *_skeleton(), *_entry(self._allowed, self._pages)]):
            return
        async for page in register.pages(now):
            if not await self._try([*self._sets(page, asked=False), *self._put_in(page)]):
                return
            self._known.add([ban.source for ban in page])
        rules = [self._rule(*kind) for kind in sorted(self._lengths)]
        old = [f"delete set {_TABLE} {generation}{version}_{length}\n" for generation, version, length in left]
        if await self._try([f"flush chain {_TABLE} bans\n", *rules, *old]):
            self._handles = await self._chains()
            self._sure = True

    async def _remove(self) -> None:
        self._sure, self._lengths, self._known = False, set(), Known()
        await self._try([removal(BANS)])
        self.nft.release()

    async def _left(self) -> Sequence[tuple[str, int, int]]:
        """The sets in force: generation, version and length of prefix. Raises `Environment` without a table."""
        rules = json.dumps(await self.nft.ask("list", "chain", FAMILY, BANS, "bans"))
        return [(found[0], int(found[1]), int(found[2])) for found in re.findall(r'"@([bc])(\d)_(\d+)"', rules)]

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
        answer = [one["chain"] for one in await self.nft.ask("list", "chains", FAMILY)]
        return {chain["name"]: chain["handle"] for chain in answer if chain["table"] == BANS}

    async def _rules(self) -> int:
        return sum("rule" in one for one in await self.nft.ask("list", "chain", FAMILY, BANS, "bans"))

    def _sets(self, bans: Iterable[BanBrief], *, asked: bool) -> list[str]:
        """Make sets for lengths of prefix that had none; what a life that broke off left in them goes."""
        new = sorted({_place(ban.source)[:2] for ban in bans} - self._lengths)
        self._lengths.update(new)
        return [self._set(*kind) for kind in new] + ([self._rule(*kind) for kind in new] if asked else [])

    def _set(self, version: int, length: int) -> str:
        name = f"{_TABLE} {self._generation}{version}_{length}"
        made = f"add set {name} {{ type {_KINDS[version][1]}; flags timeout; gc-interval {_SWEEPING}; }}\n"
        return f"{made}delete set {name}\n{made}"

    def _rule(self, version: int, length: int) -> str:
        """`nft list table inet portward` shows how many packets each rule has dropped."""
        mask = ip_network((_ZERO[version], length)).netmask
        source = f"{_KINDS[version][0]} saddr" + ("" if length == mask.max_prefixlen else f" & {mask}")
        return f"add rule {_TABLE} bans {source} @{self._generation}{version}_{length} counter drop\n"

    def _put_in(self, bans: Iterable[BanBrief]) -> Iterator[str]:
        now = int(time.time())
        by_set: dict[tuple[int, int], list[str]] = {}
        for ban in bans:
            version, length, address = _place(ban.source)
            if not ban.until:
                by_set.setdefault((version, length), []).append(address)
            elif ban.until >= now:
                by_set.setdefault((version, length), []).append(f"{address} timeout {_spell(ban.until - now + 1)}")
        return self._elements("add", by_set)

    def _taken_out(self, sources: Iterable[str]) -> list[str]:
        """To delete what is not there would be an error, so it is added before, in the same transaction.

        What gets another end is taken out as well: kernels before 6.12 keep an element's first time-out.
        """
        by_set: dict[tuple[int, int], list[str]] = {}
        for version, length, address in map(_place, sources):
            by_set.setdefault((version, length), []).append(address)
        return [*self._elements("add", by_set), *self._elements("delete", by_set)]

    def _elements(self, verb: str, by_set: Mapping[tuple[int, int], Sequence[str]]) -> Iterator[str]:
        for (version, length), elements in by_set.items():
            for some in _pieces(elements, _A_LINE):
                yield f"{verb} element {_TABLE} {self._generation}{version}_{length} {{ {', '.join(some)} }}\n"

    def _claimed(self) -> bool:
        try:
            self.nft.claim()
        except Environment as error:
            self._fail(error)
            return False
        return True

    async def _try(self, commands: Iterable[str]) -> bool:
        """Whether it was done. What went wrong is kept, and told when it is new; mending begins anew then."""
        try:
            await self.nft.load("".join(commands))
        except Environment as error:
            self._fail(error)
            return False
        self.trouble = None
        return True

    def _fail(self, error: Environment) -> None:
        if self.trouble is None or self.trouble.message != error.message:
            log.warning("the kernel does not keep banned sources out: %s", error)
        self.trouble, self._sure = error, False


def _skeleton() -> list[str]:
    """Where it stands already, nothing happens."""
    return [
        f"add table {_TABLE}\n",
        *(f"add set {_TABLE} allow{v} {{ type {kind}; flags interval; }}\n" for v, (_, kind) in _KINDS.items()),
        f"add chain {_TABLE} bans\n",
        f"add chain {_TABLE} entry {{ type filter hook prerouting priority {PRIORITY}; policy accept; }}\n",
    ]


def _entry(allowed: Sequence[Network], pages: Sequence[int]) -> list[str]:
    """What is asked before a ban: the machine itself, the allowlist, and the edge's own page."""
    networks = {version: [str(one) for one in allowed if one.version == version] for version in _KINDS}
    rules = ["iif lo return", *(f"{family} saddr @allow{v} return" for v, (family, _) in _KINDS.items())]
    rules += [f"tcp dport {{ {', '.join(map(str, pages))} }} return"] if pages else []
    return [
        *(f"flush set {_TABLE} allow{version}\n" for version in _KINDS),
        *(f"add element {_TABLE} allow{v} {{ {', '.join(some)} }}\n" for v, some in networks.items() if some),
        f"flush chain {_TABLE} entry\n",
        *(f"add rule {_TABLE} entry {rule}\n" for rule in (*rules, "jump bans")),
    ]


def _spell(seconds: int) -> str:
    """nft reads at most eight digits of seconds, which are three years; the kernel takes no more than 584 years."""
    seconds = min(seconds, _LONGEST)
    return f"{seconds // 86400}d{seconds % 86400}s"


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
