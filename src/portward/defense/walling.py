"""What the walls in the kernel hold, in nft's words: the program `python -m portward.defense.walling` loads it.

    echo '{"listed": "/…/listed.map", "abroad": {"file": "/…/4f1c.map", "words": ["b"], "within": false}, …}' | …

One transaction: what was in force counts until all of the new is there. Half a million networks take some seconds and
200 MB, which end with it. Each length of prefix has a hash set of its own, as bans have.
"""

import asyncio
import json
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from ipaddress import ip_network
from pathlib import Path

from portward.errors import Environment
from portward.host.nftables import FAMILY, WALLS, Nftables, removal

TABLE = f"{FAMILY} {WALLS}"
PRIORITY = -309
"""Right behind the bans, and before connection tracking (-200), as they are."""
_AT_ONCE = 1000
_KINDS = {4: ("ip", "ipv4_addr"), 6: ("ip6", "ipv6_addr")}
_ZERO = {4: "0.0.0.0", 6: "::"}  # noqa: S104 - part of a netmask
Port = tuple[str, int]
"""Address, empty for all of them, and port."""


@dataclass(frozen=True, slots=True)
class Abroad:
    """Lines of `file` with one of `words`. They are the ones who are refused; `within` says that all others are."""

    file: str
    words: tuple[str, ...]
    within: bool


@dataclass(frozen=True, slots=True)
class Passing:
    """Whom to let pass: `always`, and those for whom no country rule holds; and at which ports to look at all."""

    always: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    listed_ports: tuple[Port, ...] = ()
    abroad_ports: tuple[Port, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """`listed`: a file with lines of `NETWORK NAME`, or none."""

    listed: str | None
    abroad: Abroad | None
    passing: Passing

    def spell(self) -> str:
        return json.dumps(asdict(self))


def whole(job: Job) -> Iterator[str]:
    """The table anew, in one transaction."""
    yield removal(WALLS)
    yield f"add table {TABLE}\n"
    for version, (_, kind) in _KINDS.items():
        for name in ("pass", "owners"):
            yield f"add set {TABLE} {name}{version} {{ type {kind}; flags interval; }}\n"
    yield f"add chain {TABLE} entry {{ type filter hook prerouting priority {PRIORITY}; policy accept; }}\n"
    for name in ("listed", "abroad"):
        yield f"add counter {TABLE} {name}\nadd chain {TABLE} {name}\n"
    yield "".join(f"add rule {TABLE} abroad {family} saddr @owners{v} return\n" for v, (family, _) in _KINDS.items())
    if job.listed:
        yield from _sets("listed", _lines(job.listed, None), "counter name listed drop")
    if job.abroad:
        verdict = "return" if job.abroad.within else "counter name abroad drop"
        yield from _sets("abroad", _lines(job.abroad.file, job.abroad.words), verdict)
        if job.abroad.within:
            yield f"add rule {TABLE} abroad counter name abroad drop\n"
    yield entry(job.passing)


def entry(passing: Passing) -> str:
    """What is asked first: new connections to the gateway's own ports, from outside, by nobody who always passes.

    A part of the table that is replaced by itself; packets of open connections are not looked at.
    """
    parts = [f"flush set {TABLE} {name}{version}\n" for name in ("pass", "owners") for version in _KINDS]
    parts += [*_elements("pass", passing.always), *_elements("owners", passing.owners), f"flush chain {TABLE} entry\n"]
    rules = ["meta l4proto != tcp return", "tcp flags & (syn | ack) != syn return", "iif lo return"]
    rules += ["fib daddr type != local return"]
    rules += [f"{family} saddr @pass{version} return" for version, (family, _) in _KINDS.items()]
    rules += [f"{_to(port)} jump listed" for port in passing.listed_ports]
    rules += [f"{_to(port)} jump abroad" for port in passing.abroad_ports]
    return "".join([*parts, *(f"add rule {TABLE} entry {rule}\n" for rule in rules)])


def _to(port: Port) -> str:
    address, number = port
    family = "ip6" if ":" in address else "ip"
    return f"{family} daddr {address} tcp dport {number}" if address else f"tcp dport {number}"


def _elements(name: str, networks: Collection[str]) -> Iterator[str]:
    for version in _KINDS:
        some = [network for network in networks if (":" in network) == (version == 6)]
        if some:
            yield f"add element {TABLE} {name}{version} {{ {', '.join(some)} }}\n"


def _sets(name: str, networks: Iterable[str], verdict: str) -> Iterator[str]:
    """Sets by length of prefix, with what is in them, and the rules of the chain that ask them."""
    by_set: dict[tuple[int, int], list[str]] = {}
    for network in networks:
        address, _, prefix = network.partition("/")
        version = 6 if ":" in address else 4
        by_set.setdefault((version, int(prefix or (32 if version == 4 else 128))), []).append(address)
    for (version, length), addresses in sorted(by_set.items()):
        family, kind = _KINDS[version]
        if length == 0:
            yield f"add rule {TABLE} {name} meta nfproto ipv{version} {verdict}\n"
            continue
        place = f"{name}{version}_{length}"
        mask = str(ip_network((_ZERO[version], length)).netmask)
        yield f"add set {TABLE} {place} {{ type {kind}; }}\n"
        yield f"add rule {TABLE} {name} {family} saddr & {mask} @{place} {verdict}\n"
        for begin in range(0, len(addresses), _AT_ONCE):
            yield f"add element {TABLE} {place} {{ {', '.join(addresses[begin : begin + _AT_ONCE])} }}\n"


def _lines(file: str, words: Sequence[str] | None) -> Iterator[str]:
    """The networks of a map; of all lines, or those with one of `words`."""
    with Path(file).open() as lines:
        for line in lines:
            network, _, word = line.strip().partition(" ")
            if network and not network.startswith("#") and (words is None or word in words):
                yield network


def read(text: str) -> Job:
    said = json.loads(text)
    abroad, passing = said["abroad"], said["passing"]
    return Job(
        said["listed"],
        Abroad(abroad["file"], tuple(abroad["words"]), abroad["within"]) if abroad else None,
        Passing(
            tuple(passing["always"]),
            tuple(passing["owners"]),
            tuple((address, port) for address, port in passing["listed_ports"]),
            tuple((address, port) for address, port in passing["abroad_ports"]),
        ),
    )


def main() -> int:
    """Prints nothing where it is in force; else why it is not, as JSON."""
    try:
        asyncio.run(Nftables().load("".join(whole(read(sys.stdin.read())))))
    except Environment as error:
        print(json.dumps({"message": error.message, "way_out": error.way_out}))
        return 1
    except OSError as error:
        print(json.dumps({"message": f"a file of networks can't be read: {error}", "way_out": ""}))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
