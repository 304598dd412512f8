"""Goes and looks: what DNS says of a name, and who answers at its public addresses.

    look = Look(job, keeper, resolver)
    look.at(wanted, date)               # Seen(...)

Whether it is this very gateway that answers is told by a token that the edge was given just before (http-01), or by the
certificate that it serves (tls-alpn-01).
"""

import http.client
import secrets
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from portward.config.addresses import is_own
from portward.pki.acme.job import Job, Wanted
from portward.pki.acme.keeper import Keeper
from portward.pki.acme.preflight import Seen, Visit
from portward.pki.acme.resolver import Resolver
from portward.pki.acme.troubles import Interrupted

_SECONDS = 5.0
_PATH = "/.well-known/acme-challenge/"


class Look:
    def __init__(self, job: Job, keeper: Keeper, resolver: Resolver) -> None:
        self._job, self._keeper, self._resolver = job, keeper, resolver

    def at(self, wanted: Wanted, date: datetime | None) -> Seen:
        """Everything that can be seen of a name; `date` is the authority's own. Raises `Interrupted`."""
        off = datetime.now(UTC) - date if date else timedelta()
        name = wanted.name.removeprefix("*.")
        try:
            caa = self._resolver.caa(name)
            if self._job.challenge == "dns-01":
                return Seen(wanted.name, caa=caa, clock_off=off)
            a, aaaa = self._resolver.addresses(name, "A"), self._resolver.addresses(name, "AAAA")
        except Interrupted as trouble:
            return Seen(wanted.name, clock_off=off, problem=trouble.message)
        return Seen(wanted.name, a, aaaa, caa, self._visits(wanted, (*a, *aaaa)), off)

    def _visits(self, wanted: Wanted, addresses: tuple[str, ...]) -> tuple[Visit, ...]:
        if self._job.challenge == "tls-alpn-01":
            return tuple(self._handshake(wanted, address) for address in addresses if wanted.current)
        token, value = secrets.token_urlsafe(16), secrets.token_urlsafe(32)
        self._keeper.ask("present", host=wanted.name, token=token, value=value)
        try:
            return tuple(self._fetch(wanted.name, address, token, value) for address in addresses)
        finally:
            self._keeper.ask("withdraw", host=wanted.name, token=token)

    def _fetch(self, host: str, address: str, token: str, value: str) -> Visit:
        connection = http.client.HTTPConnection(address, self._job.port, timeout=_SECONDS)
        own = is_own(address)
        try:
            connection.request("GET", _PATH + token, headers={"Host": host})
            answer = connection.getresponse()
            body = answer.read(len(value) + 80)
        except OSError as error:
            return _closed(address, error, own=own)
        except http.client.HTTPException as error:
            return Visit(address, "other", f"it speaks no HTTP ({type(error).__name__})", own)
        finally:
            connection.close()
        if body.strip() == value.encode():
            return Visit(address, "here", own=own)
        server = answer.getheader("Server") or answer.getheader("Location") or ""
        said = f"status {answer.status}{f' ({server})' if server else ''}, {body[:60]!r}"
        return Visit(address, "other", said, own)

    def _handshake(self, wanted: Wanted, address: str) -> Visit:
        own = is_own(address)
        try:
            with socket.create_connection((address, self._job.port), _SECONDS) as raw:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                with context.wrap_socket(raw, server_hostname=wanted.served) as talk:
                    shown = talk.getpeercert(binary_form=True) or b""
        except ssl.SSLError as error:
            return Visit(address, "other", f"no TLS for that name ({error.reason})", own)
        except OSError as error:
            return _closed(address, error, own=own)
        served = x509.load_pem_x509_certificate(Path(wanted.current or "").read_bytes()).public_bytes(Encoding.DER)
        if shown == served:
            return Visit(address, "here", own=own)
        issuer = x509.load_der_x509_certificate(shown).issuer.rfc4514_string()
        return Visit(address, "other", f"it shows another certificate (of {issuer})", own)


def _closed(address: str, error: OSError, *, own: bool) -> Visit:
    reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
    unknown = ":" in address and not own and not isinstance(error, TimeoutError | ConnectionError)
    return Visit(address, "unknown" if unknown else "closed", reason, own)
