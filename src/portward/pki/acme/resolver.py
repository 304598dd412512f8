"""DNS as the public sees it: addresses, CAA, and what the servers of a zone say themselves.

resolver = Resolver(("1.1.1.1",))
resolver.addresses("wiki.example.com", "A")       # ('203.0.113.7',)
"""

from typing import Any

import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rdatatype
import dns.resolver

from portward.pki.acme.preflight import Rule
from portward.pki.acme.troubles import Interrupted

_SECONDS = 5.0
_NOTHING = (dns.resolver.NoAnswer, dns.resolver.NXDOMAIN)


class Resolver:
    """Raises `Interrupted` when no server answers."""

    def __init__(self, servers: tuple[str, ...] = ()) -> None:
        self._resolver = dns.resolver.Resolver(configure=not servers)
        self._resolver.lifetime = _SECONDS
        if servers:
            self._resolver.nameservers = [_server(text) for text in servers]
        self._own = bool(servers)

    def be_the_default(self) -> None:
        """Have libraries of this process ask the same servers."""
        dns.resolver.default_resolver = self._resolver

    def addresses(self, host: str, kind: str) -> tuple[str, ...]:
        return tuple(sorted(record.to_text() for record in self._ask(host, kind)))

    def caa(self, host: str) -> tuple[Rule, ...]:
        """The records that count for a name: its own, else those of the nearest parent that has some."""
        name = dns.name.from_text(host)
        while name != dns.name.root:
            owner = name.to_text(omit_final_dot=True)
            if found := [
                Rule(owner, record.flags, record.tag.decode().lower(), record.value.decode())
                for record in self._ask(owner, "CAA")
            ]:
                return tuple(found)
            name = name.parent()
        return ()

    def alias_of(self, record: str) -> str:
        """Where a name leads by CNAME; itself where it is none."""
        try:
            answer = self._resolver.resolve(record, "TXT", raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN as error:
            return str(error.canonical_name.to_text(omit_final_dot=True))
        except dns.exception.DNSException as error:
            raise _away(record, error) from error
        return str(answer.canonical_name.to_text(omit_final_dot=True))

    def zone_of(self, record: str) -> str:
        """The zone that holds a name."""
        try:
            return str(dns.resolver.zone_for_name(record, resolver=self._resolver).to_text(omit_final_dot=True))
        except dns.exception.DNSException as error:
            raise _away(record, error) from error

    def servers_without(self, record: str, value: str) -> list[str]:
        """Which of the zone's name servers do not know a TXT record yet. With `resolvers` given, those are asked."""
        servers = {str(one): [one] for one in self._resolver.nameservers} if self._own else self._authoritative(record)
        return [name for name, server in servers.items() if not self._knows(server, record, value)]

    def _authoritative(self, record: str) -> dict[str, list[str]]:
        names = [str(server.target) for server in self._ask(self.zone_of(record), "NS")]
        return {name: [*self.addresses(name, "A"), *self.addresses(name, "AAAA")][:1] for name in names} or {
            "the resolver": []
        }

    def _knows(self, server: list[Any], record: str, value: str) -> bool:
        asked = dns.resolver.Resolver(configure=False)
        asked.lifetime = _SECONDS
        asked.nameservers = server or self._resolver.nameservers
        try:
            found = asked.resolve(record, "TXT", raise_on_no_answer=False).rrset or ()
        except dns.exception.DNSException:
            return False
        return any(value.encode() in text.strings for text in found)

    def _ask(self, name: str, kind: str) -> list[Any]:
        try:
            return list(self._resolver.resolve(name, kind))
        except _NOTHING:
            return []
        except dns.exception.DNSException as error:
            raise _away(name, error) from error


def _server(text: str) -> dns.nameserver.Nameserver:
    host, _, port = text.rpartition(":") if text.startswith("[") or text.count(":") == 1 else (text, "", "53")
    return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _away(name: str, error: Exception) -> Interrupted:
    return Interrupted(f"DNS does not answer for {name}: {error}", way_out="see `tls.resolvers`, and the network")
