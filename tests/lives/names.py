"""A DNS server of the tests, for the zone gate.test: every name is 127.0.0.1 unless it was told otherwise.

    with Names(directory) as names:
        names.say("blog.gate.test", "CAA", '0 issue ";"')
        names.silent.add("bad.gate.test")               # SERVFAIL

TXT records lie in files of the directory, named after the record, so that a program can write them.
"""

import contextlib
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset

ZONE = "gate.test"
_HERE = {"SOA": f"ns.{ZONE}. ann.{ZONE}. 1 3600 600 86400 60", "NS": f"ns.{ZONE}."}


class Names:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.silent: set[str] = set()
        self._said: dict[tuple[str, str], tuple[str, ...]] = {}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()

    def say(self, name: str, kind: str, *values: str) -> None:
        self._said[name, kind] = values

    def forget(self, name: str) -> None:
        self.silent.discard(name)
        self._said = {key: values for key, values in self._said.items() if key[0] != name}

    def txt(self, record: str) -> list[str]:
        file = self.directory / record
        return file.read_text().split() if file.exists() else []

    def _serve(self) -> None:
        while True:
            question, client = self._socket.recvfrom(4096)
            if not question:
                return
            with contextlib.suppress(dns.exception.DNSException):
                self._socket.sendto(self._answer(dns.message.from_wire(question)).to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        name, kind = question.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(question.rdtype)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if name in self.silent:
            answer.set_rcode(dns.rcode.SERVFAIL)
        else:
            for alias in self._said.get((name, "CNAME"), ()):
                answer.answer.append(dns.rrset.from_text(f"{name}.", 0, "IN", "CNAME", alias))
                name = alias.rstrip(".")
            if values := self._values(name, kind):
                answer.answer.append(dns.rrset.from_text_list(f"{name}.", 0, "IN", kind, values))
        return answer

    def _values(self, name: str, kind: str) -> list[str]:
        if (name, kind) in self._said:
            return list(self._said[name, kind])
        if kind == "TXT":
            return [f'"{value}"' for value in self.txt(name)]
        if kind in _HERE:
            return [_HERE[kind]] if name == ZONE else []
        return ["127.0.0.1"] if kind == "A" else []
