"""The data about countries and networks of one gateway, and what its rules make of them.

    geography = Geography(state.geo)
    borders = await geography.borders(rules_of(settings))      # None where there are no rules
    await geography.update(Order(kind="countries", file="countries.mmdb", …))
    geography.place(ip_address("192.0.2.1"))                   # Place(country='DE', network=3320)

Data that `portward geo update` brought lie in the state directory, and count before those that set-up installed.
Reading and compiling are work for processes of their own, which end; the keeper holds nothing of it in memory.
"""

import asyncio
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

from portward.defense.geo.atlas import Atlas, Kind
from portward.defense.geo.borders import Borders
from portward.defense.geo.order import Order
from portward.defense.geo.rules import Rule, spell
from portward.defense.geo.shipped import installed
from portward.errors import Environment, Invalid
from portward.host.files import private_directory

KINDS: tuple[Kind, ...] = ("countries", "networks")
_SECONDS = 900.0
_FORMAT = "1"
_WHAT = {"countries": "countries", "networks": "networks (AS)"}


@dataclass(frozen=True, slots=True)
class Place:
    """`country` is empty, and `network` 0, where nobody knows."""

    country: str
    network: int


class Geography:
    """`installed` says where set-up has put data of a kind."""

    def __init__(self, directory: Path, installed: Callable[[Kind], Path] = installed) -> None:
        self._directory, self._installed = directory, installed
        self._changing = asyncio.Lock()

    def own(self, kind: Kind) -> Path:
        """Where `update` puts data of a kind."""
        return self._directory / f"{kind}.geo"

    def source(self, kind: Kind) -> Path | None:
        """The data in use; None where there are none."""
        return next((path for path in (self.own(kind), self._installed(kind)) if path.exists()), None)

    def about(self) -> dict[Kind, Mapping[str, Any]]:
        """What is said of the data in use, of those kinds that are there. Raises `Invalid` for broken ones."""
        found = {kind: self.source(kind) for kind in KINDS}
        return {kind: {**Atlas.about_of(path), "file": str(path)} for kind, path in found.items() if path}

    def require(self, rules: Mapping[str, Rule]) -> None:
        """Raises `Invalid` where rules ask for data that are not there."""
        asked = {
            "countries": any(rule.asks_countries for rule in rules.values()),
            "networks": any(rule.asks_networks for rule in rules.values()),
        }
        for kind in KINDS:
            if asked[kind] and self.source(kind) is None:
                option = " --networks" if kind == "networks" else ""
                raise Invalid(
                    f"portward.toml has rules about {_WHAT[kind]}, and there are no data about {_WHAT[kind]}",
                    way_out=f"`portward geo update{option} --file FILE` takes them from a file; see docs/geo.md",
                )

    def place(self, address: IPv4Address | IPv6Address) -> Place:
        """Where an address is."""
        numbers = dict.fromkeys(KINDS, "")
        for kind in KINDS:
            if path := self.source(kind):
                with Atlas.open(path) as atlas:
                    numbers[kind] = atlas.find(address)
        return Place(numbers["countries"], int(numbers["networks"].removeprefix("AS") or 0))

    async def borders(self, rules: Mapping[str, Rule]) -> Borders | None:
        """What the rules come down to. Compiled once for the same rules and data. Raises `Invalid`, `Environment`."""
        if not rules:
            return None
        self.require(rules)
        target = self._directory / f"{self._key(rules)}.json"
        async with self._changing:
            try:
                return _sound(Borders.read(target))
            except (OSError, ValueError, KeyError):
                await self._compile(rules, target)
                return Borders.read(target)

    async def update(self, order: Order) -> Mapping[str, Any]:
        """Take over new data; compared with those in use. Raises `Invalid`, and then nothing has changed."""
        private_directory(self._directory)
        order = replace(order, target=str(self.own(order.kind)), than=str(self.source(order.kind) or ""))
        async with self._changing:
            code, out, err = await _run("portward.defense.geo.fetch", order.spell())
        answer = _answer(out)
        if code or "about" not in answer:
            message = str(answer.get("error") or _last_line(err) or f"exit code {code}")
            raise Invalid(f"the new data were not taken over: {message}", way_out=str(answer.get("way_out", "")))
        about: Mapping[str, Any] = answer["about"]
        return about

    def keep_only(self, borders: Borders | None) -> None:
        """Forget what was compiled for rules and data that are in force no longer."""
        kept = borders.map_file.stem if borders else ""
        for path in self._directory.glob("????????????????.*"):
            if path.stem != kept:
                path.unlink(missing_ok=True)

    def _key(self, rules: Mapping[str, Rule]) -> str:
        digests = {kind: about["digest"] for kind, about in self.about().items()}
        text = json.dumps([_FORMAT, digests, spell(rules)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    async def _compile(self, rules: Mapping[str, Rule], target: Path) -> None:
        private_directory(self._directory)
        sources = {kind: str(path) if (path := self.source(kind)) else None for kind in KINDS}
        order = json.dumps({**sources, "rules": spell(rules), "target": str(target)})
        code, _, err = await _run("portward.defense.geo.compiling", order)
        if code:
            raise Environment(f"the rules about countries can't be compiled: {_last_line(err) or f'exit code {code}'}")


def _sound(borders: Borders) -> Borders:
    """Raises `OSError` where the file that it names is away."""
    borders.map_file.stat()
    return borders


async def _run(module: str, order: str) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_SECONDS):
            out, err = await process.communicate(order.encode())
    except BaseException as error:
        if process.returncode is None:
            process.kill()
            await process.wait()
        if isinstance(error, TimeoutError):
            raise Environment(f"working on the data about countries took longer than {_SECONDS:.0f} s") from error
        raise
    return process.returncode or 0, out, err


def _answer(out: bytes) -> Mapping[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(out)
    except ValueError:
        return {}
    return answer


def _last_line(err: bytes) -> str:
    lines = err.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""
