"""One conversation with an authority: signed requests, nonces, and its refusals as the kinds that we act upon.

    client = Client(authority, key)
    answer = client.post(client.directory["newOrder"], {"identifiers": [...]})
    answer.headers["Location"]

Signing and the refusals' grammar are certbot's (`acme.client.ClientNetwork`); every request is bounded in time, and a
nonce is tried anew so many times and no more.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from acme import errors, messages
from acme.client import ClientNetwork
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.errors import Error as JoseError
from josepy.interfaces import JSONDeSerializable
from josepy.json_util import encode_b64jose
from josepy.jwa import ES256
from josepy.jwk import JWK, JWKEC

from portward import __version__
from portward.pki.acme.job import Authority
from portward.pki.acme.troubles import Interrupted, Limited, Refused, Trouble

NONCES = 40
"""How often one request is signed anew when its nonce is refused (RFC 8555 section 6.5)."""
_SECONDS = 30
_SLOWEST_POLL = 10.0
_HOUR = 3600.0


class _Network(ClientNetwork):
    """Keeps the last answer, since certbot's exceptions carry no headers."""

    def __init__(self, key: JWK | None, ca_file: str | None) -> None:
        super().__init__(key, alg=ES256, user_agent=f"portward/{__version__}", timeout=_SECONDS)
        self.last: Any = None
        if ca_file:
            self.session.verify = ca_file
            self.verify_ssl = ca_file  # type: ignore[assignment]  # requests takes the path of a bundle here too

    def _send_request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        self.last = None
        self.last = super()._send_request(method, url, *args, **kwargs)
        return self.last

    def post(self, *args: Any, **kwargs: Any) -> Any:
        for _ in range(NONCES):
            try:
                return self._post_once(*args, **kwargs)
            except messages.Error as error:
                if error.code != "badNonce":
                    raise
                if self.REPLAY_NONCE_HEADER in self.last.headers:
                    self._add_nonce(self.last)
        raise Interrupted(f"the authority refused {NONCES} nonces in a row")


class _Body(JSONDeSerializable):
    """A payload as certbot's network wants it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def to_partial_json(self) -> Any:
        return dict(self._values)

    @classmethod
    def from_json(cls, jobj: Any) -> "_Body":
        return cls(jobj)


class Client:
    """Raises the kinds of `troubles` throughout."""

    def __init__(self, authority: Authority, key: JWKEC) -> None:
        self.authority, self.key = authority, key
        self._network = _Network(key, authority.ca_file)
        answer = self._ask(lambda: self._network.get(authority.directory))
        self.directory: dict[str, Any] = self._json(answer)
        if not {"newNonce", "newAccount", "newOrder"} <= self.directory.keys():
            raise Interrupted(f"{authority.directory} is no ACME directory", way_out="see `tls.directory`")
        self.date = _date_of(answer)

    @property
    def meta(self) -> dict[str, Any]:
        meta = self.directory.get("meta")
        return meta if isinstance(meta, dict) else {}

    def sign_as(self, account: str | None) -> None:
        """From now on requests name this account; with None they carry the public key instead."""
        resource = messages.RegistrationResource(uri=account, body=messages.Registration()) if account else None
        self._network.account = resource

    def get(self, url: str) -> Any:
        return self._ask(lambda: self._network.get(url))

    def post(self, url: str, payload: Mapping[str, Any] | None) -> Any:
        """A signed request; None is POST-as-GET (RFC 8555 section 6.3)."""
        body = None if payload is None else _Body(payload)
        nonces = self.directory["newNonce"]
        return self._ask(lambda: self._network.post(url, body, new_nonce_url=nonces))

    def read(self, url: str) -> dict[str, Any]:
        """A resource as JSON."""
        return self._json(self.post(url, None))

    def poll(self, url: str, settled: Callable[[dict[str, Any]], bool], seconds: float) -> dict[str, Any]:
        """Read a resource until it is settled, as often as Retry-After says. Raises `Interrupted` in the end."""
        deadline = time.monotonic() + seconds
        while True:
            answer = self.post(url, None)
            if settled(resource := self._json(answer)):
                return resource
            if time.monotonic() > deadline:
                raise Interrupted("the authority did not decide in time")
            time.sleep(min(retry_after(answer, 0.5), _SLOWEST_POLL))

    def revoke(self, certificate: x509.Certificate, reason: int) -> None:
        """RFC 8555 section 7.6; `reason` as in RFC 5280 section 5.3.1. One that is revoked already is fine."""
        order = {"certificate": encode_b64jose(certificate.public_bytes(Encoding.DER)), "reason": reason}
        try:
            self.post(self.directory["revokeCert"], order)
        except Refused as refusal:
            if not refusal.message.startswith("alreadyRevoked"):
                raise

    @property
    def account(self) -> str:
        """The address of the account that requests name; '' before one is known."""
        return str(self._network.account.uri) if self._network.account else ""

    def thumbprint(self) -> str:
        return encode_b64jose(self.key.thumbprint())

    def _json(self, answer: Any) -> dict[str, Any]:
        try:
            values = answer.json()
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise Interrupted(f"{answer.url} answered something else than JSON")
        return values

    def _ask(self, request: Callable[[], Any]) -> Any:
        try:
            return request()
        except messages.Error as error:
            raise trouble_of(error, self._network.last) from error
        except errors.ConflictError as error:  # certbot reads no further than the status
            raise Refused(_conflict(self._network.last)) from error
        except (OSError, errors.Error, JoseError) as error:
            status = getattr(self._network.last, "status_code", 0)
            if status == 429:
                raise Limited(
                    "the authority is asked too often", retry_after=retry_after(self._network.last)
                ) from error
            problem = f"HTTP status {status}" if status else _reason(error)
            raise Interrupted(
                f"the authority at {self.authority.directory} can't be asked: {problem}",
                retry_after=retry_after(self._network.last, 0.0) if status else 0.0,
            ) from error


def trouble_of(error: messages.Error, answer: Any) -> Trouble:
    """What a problem document (RFC 7807, RFC 8555 section 6.7) means for us."""
    words = said(error)
    if error.code == "rateLimited":
        return Limited(f"rate limit: {words}", retry_after=retry_after(answer))
    if error.code in {"badNonce", "serverInternal"} or answer.status_code >= 500:
        return Interrupted(f"the authority failed: {words}", retry_after=retry_after(answer, 0.0))
    return Refused(words)


def _conflict(answer: Any) -> str:
    try:
        return said(messages.Error.from_json(answer.json()))
    except (ValueError, JoseError):
        return "conflict: no reason given"


def said(error: messages.Error) -> str:
    """The authority's own words, with the kind of its refusal and what it says of single names."""
    kind = str(error.typ).rsplit(":", 1)[-1]
    parts = [f"{kind}: {error.detail or error.title or 'no reason given'}"]
    parts += [said(part) for part in error.subproblems or ()]
    return "; ".join(parts)


def retry_after(answer: Any, default: float = _HOUR) -> float:
    """Seconds, from a number or a date (RFC 9110 section 10.2.3)."""
    text = str(answer.headers.get("Retry-After", ""))
    if text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return default
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def links(answer: Any, relation: str) -> list[str]:
    """The targets of all Link headers of one relation (RFC 8288)."""
    found = re.findall(r"<([^>]*)>([^,<]*)", str(answer.headers.get("Link", "")))
    return [url for url, parameters in found if re.search(rf'rel="?{relation}"?(?:\s|;|$)', parameters)]


def spell_json(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values).encode()


def _date_of(answer: Any) -> datetime | None:
    try:
        return parsedate_to_datetime(str(answer.headers.get("Date", "")))
    except ValueError:
        return None


def _reason(error: BaseException) -> str:
    """The innermost reason: requests wraps its errors several times."""
    text = str(error)
    found = re.search(r"(?:\[Errno -?\d+\] |certificate verify failed: )([^'\")\]]+)", text)
    return found[1].strip() if found else text.split("\n")[0][:300] or type(error).__name__
