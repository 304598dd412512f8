"""Certificates in HAProxy's memory: swapped without a reload, compared, and seen by a handshake after every change.

    shown = ShownCertificates(runtime, state)
    await shown.present("wiki.example.com", pem)        # pki's Presenter
    await shown.mend(certificates)                      # ['the certificate of wiki.example.com'] where it differed

Each host has a file and a line of the crt-list of its own. HAProxy's answer alone proves nothing: a certificate may be
committed and served to nobody (haproxy issues 2148, 2219). One transaction at a time, as HAProxy has but one.
"""

import asyncio
import hashlib
import re
import ssl
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from portward.edge.doors import Door
from portward.edge.render import crt_list
from portward.edge.runtime import Runtime
from portward.errors import EdgeError
from portward.host.paths import State
from portward.model import Certificate

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_LOOKS = 100
"""Handshakes in one turn where nothing has changed, so that a start with a thousand hosts is not held up."""
_AT_ONCE = 40
"""Files that one command asks for; HAProxy reads a command into 16 KB."""


class ShownCertificates:
    def __init__(self, runtime: Runtime, state: State) -> None:
        self._runtime, self._state = runtime, state
        self._changing = asyncio.Lock()
        self._doors: tuple[Door, ...] = ()
        self._seen: dict[str, str] = {}

    def follow(self, doors: tuple[Door, ...]) -> None:
        """From now on, look through these listeners."""
        if doors != self._doors:
            self._doors = doors
            self._seen.clear()

    async def present(self, host: str, pem: bytes) -> None:
        async with self._changing:
            file = self._file(host)
            if not await self._facts([file]):
                return
            await self._swap(file, pem.decode())
            await self._see(host, pem.decode())

    async def add(self, certificates: Mapping[str, Certificate], options: Mapping[str, str]) -> list[str]:
        """Show what is missing, and what differs from its file. Returns a sentence fragment for each, once seen.

        `options` are what hosts that ask for devices have in the crt-list (`edge/trust.py`).
        """
        async with self._changing:
            await self._abort_others()
            listed = await self._listed()
            there = await self._facts([one.file for one in certificates.values()])
            mended = []
            for host, certificate in certificates.items():
                line = crt_line(certificate, host, options)
                if what := await self._bring(host, certificate, there.get(certificate.file), line, listed):
                    mended.append(what)
            return mended

    async def look(self, certificates: Mapping[str, Certificate]) -> list[str]:
        """See what was not seen yet, such as after a start. What shows another one is swapped, seen again and told."""
        new = [host for host, one in certificates.items() if self._seen.get(host) != one.fingerprint][:_LOOKS]
        mended = []
        for host in new:
            async with self._changing:
                pem = Path(certificates[host].file).read_text()
                if await self._shows_another(host, pem):
                    await self._swap(certificates[host].file, pem)
                    await self._see(host, pem)
                    mended.append(f"what {host} shows")
        return mended

    async def drop(self, certificates: Mapping[str, Certificate]) -> list[str]:
        """Take away every name that is not among these."""
        async with self._changing:
            wanted = {(certificate.file, host) for host, certificate in certificates.items()}
            surplus = await self._listed() - wanted
            for file, host in surplus:
                await self._runtime.order(f"del ssl crt-list {crt_list(self._state)} {file}")
                await self._runtime.order(f"del ssl cert {file}")
                self._seen.pop(host, None)
            return [f"the surplus name {host}" for _, host in surplus]

    async def _bring(
        self,
        host: str,
        certificate: Certificate,
        there: tuple[int, int] | None,
        line: str,
        listed: set[tuple[str, str]],
    ) -> str:
        what, pem = "", Path(certificate.file).read_text()
        if there is None:
            await self._runtime.order(f"new ssl cert {certificate.file}")
        if there != (int(certificate.serial, 16), len(_BLOCK.findall(pem)) - 1):
            await self._swap(certificate.file, pem)
            what = f"the certificate of {host}"
        if (certificate.file, host) not in listed:
            await self._runtime.order(f"add ssl crt-list {crt_list(self._state)}", line)
            what = what or f"the name {host}"
        if what:
            await self._see(host, pem)
        return what

    async def _swap(self, file: str, pem: str) -> None:
        """Set and commit. Open connections keep what they have; a handshake under way ends with either."""
        await self._abort_others()
        try:
            await self._runtime.order(f"set ssl cert {file}", re.sub(r"\n+", "\n", pem))
            await self._runtime.order(f"commit ssl cert {file}")
        except EdgeError:
            await self._abort_others()
            raise

    async def _abort_others(self) -> None:
        """End what a keeper that was killed between `set` and `commit` left open; it would shut us out for good."""
        for line in (await self._runtime.ask("show ssl cert")).splitlines():
            if line.startswith("*"):
                await self._runtime.order(f"abort ssl cert {line[1:]}")

    async def _see(self, host: str, pem: str) -> None:
        """Raises `EdgeError` when a listener shows another certificate or chain for this host, or none."""
        if what := await self._shows_another(host, pem):
            raise EdgeError(f"HAProxy took the certificate of {host}, but {what}")

    async def _shows_another(self, host: str, pem: str) -> str:
        """Who shows what else; '' where every listener that can be reached shows what is in `pem`.

        Raises `EdgeError` when none can be reached.
        """
        wanted = tuple(ssl.PEM_cert_to_DER_cert(block) for block in _BLOCK.findall(pem))
        self._seen.pop(host, None)
        unreached: list[EdgeError] = []
        for door in self._doors:
            try:
                shown = await door.chain(host)
            except EdgeError as error:
                unreached.append(error)
                continue
            if shown != wanted:
                return (
                    f"{door} shows {'another chain' if shown[:1] == wanted[:1] else 'another one' if shown else 'none'}"
                )
        if unreached and len(unreached) == len(self._doors):
            raise unreached[0]
        self._seen[host] = hashlib.sha256(wanted[0]).hexdigest()
        return ""

    async def _facts(self, names: Sequence[str]) -> dict[str, tuple[int, int]]:
        """What HAProxy holds of these: serial number, and how many issuers come with it."""
        found: dict[str, tuple[int, int]] = {}
        for start in range(0, len(names), _AT_ONCE):
            asked = names[start : start + _AT_ONCE]
            answer = await self._runtime.ask("; ".join(f"show ssl cert {name}" for name in asked))
            found |= _parse(answer.split("Filename: ")[1:])
        return found

    async def _listed(self) -> set[tuple[str, str]]:
        lines = (await self._runtime.ask(f"show ssl crt-list {crt_list(self._state)}")).splitlines()
        return {(parts[0], parts[-1]) for line in lines if len(parts := line.split()) > 1 and not line.startswith("#")}

    def _file(self, host: str) -> str:
        return str(self._state.certificates / f"{host}.pem")


def crt_line(certificate: Certificate, host: str, options: Mapping[str, str]) -> str:
    """A line of the crt-list (HAProxy's Configuration Manual, "crt-list"). `options` by host end with a space."""
    return f"{certificate.file} {options.get(host, '')}{host}"


def _parse(answers: Iterable[str]) -> dict[str, tuple[int, int]]:
    found = {}
    for answer in answers:
        serial = re.search(r"^Serial: ([0-9A-F]+)$", answer, re.MULTILINE)
        if serial:
            issuers = len(re.findall(r"^Chain Subject: ", answer, re.MULTILINE))
            found[answer.partition("\n")[0]] = int(serial[1], 16), issuers
    return found
