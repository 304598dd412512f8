"""One order of one certificate, from the key to the chain; it goes on where it was cut off.

    order = Order.open(client, home, wanted, job)     # the key is on the disk, then the order, then its address
    for task in order.tasks(): ...                    # challenges that wait for us
    order.answer(task)
    order.wait_for_validation()
    order.collect()                                   # leaf and chain, then the key

`home` holds `key.pem` and `order.json`. Whoever is killed in between finds them again: a finished order is fetched, an
open one is carried on, a dead one is ordered anew. Terms: RFC 8555 section 7.4.
"""

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acme import messages
from acme.crypto_util import make_csr
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from josepy.json_util import encode_b64jose

from portward.host.files import private_directory, replace
from portward.pki.acme import renewal
from portward.pki.acme.chains import choose
from portward.pki.acme.job import Job, Wanted
from portward.pki.acme.keys import new_key
from portward.pki.acme.network import Client, links, said, spell_json
from portward.pki.acme.troubles import Interrupted, Refused

_VALIDATION_SECONDS = 120.0
_ISSUANCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Task:
    """A challenge to present: `value` is the key authorization (RFC 8555 section 8.1)."""

    host: str
    token: str
    value: str
    url: str


class Order:
    """Raises the kinds of `troubles`, and `OSError` when something can't be kept."""

    def __init__(self, client: Client, home: Path, url: str, job: Job) -> None:
        self._client, self._home, self._url, self._job = client, home, url, job
        self._authorizations: list[str] = []
        self._look_by = 0.0

    @classmethod
    def open(cls, client: Client, home: Path, wanted: Wanted, job: Job) -> "Order":
        """Carry on with the order in `home`, or make one."""
        private_directory(home)
        terms = {"names": [wanted.name], "key-type": job.key_type, "profile": _profile(client, job)}
        order = cls._left_over(client, home, terms, job) or cls._new(client, home, terms, wanted, job)
        order._authorizations = client.read(order._url)["authorizations"]
        return order

    @classmethod
    def _left_over(cls, client: Client, home: Path, terms: dict[str, Any], job: Job) -> "Order | None":
        """The order that was begun before, if the authority still knows it and it is the one that is wanted."""
        file = home / "order.json"
        if not file.exists():
            return None
        noted = json.loads(file.read_text())
        order = cls(client, home, noted["url"], job)
        if noted["terms"] != terms:
            order.drop()
            return None
        try:
            status = client.read(noted["url"])["status"]
        except Refused:  # it is too old, and forgotten
            status = "invalid"
        if status == "invalid":
            order.drop()
            return None
        return order

    @classmethod
    def _new(cls, client: Client, home: Path, terms: dict[str, Any], wanted: Wanted, job: Job) -> "Order":
        private_directory(home)
        if not (home / "key.pem").exists():
            replace(home / "key.pem", new_key(job.key_type))
        request: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in terms["names"]]}
        if terms["profile"]:
            request["profile"] = terms["profile"]
        url = _place(client, request, _replaced(client, wanted))
        replace(home / "order.json", spell_json({"url": url, "terms": terms}))
        return cls(client, home, url, job)

    def tasks(self) -> list[Task]:
        """What the authority still wants to see. Raises `Refused` where it does not offer our kind of challenge."""
        found = []
        for url in self._authorizations:
            authorization = self._client.read(url)
            if authorization["status"] == "pending":
                found.append(self._task(authorization))
            elif authorization["status"] != "valid":
                raise self._failed(authorization)
        return found

    def answer(self, task: Task) -> None:
        """Tell the authority that it may look (RFC 8555 section 7.5.1)."""
        self._client.post(task.url, {})
        self._look_by = time.monotonic() + _VALIDATION_SECONDS

    def wait_for_validation(self) -> None:
        """Return when every name is seen to be ours; the time counts from the answer, while others are waited for."""
        for url in self._authorizations:
            left = max(0.0, self._look_by - time.monotonic())
            seen = self._client.poll(url, lambda one: one["status"] != "pending", left)
            if seen["status"] != "valid":
                raise self._failed(seen)

    def collect(self) -> bytes:
        """Have the certificate made, and fetch it: leaf, issuers, key. The key stays in `home` until `drop`."""
        key = (self._home / "key.pem").read_bytes()
        order = self._client.poll(self._url, lambda one: one["status"] != "pending", _ISSUANCE_SECONDS)
        if order["status"] == "ready":
            names = [one["value"] for one in order["identifiers"]]
            csr = x509.load_pem_x509_csr(make_csr(key, names)).public_bytes(Encoding.DER)
            self._client.post(order["finalize"], {"csr": encode_b64jose(csr)})
        order = self._client.poll(
            self._url, lambda one: one["status"] not in {"processing", "ready"}, _ISSUANCE_SECONDS
        )
        if order["status"] != "valid":
            raise self._failed(order)
        return self._chain(order["certificate"]).strip().encode() + b"\n" + key

    def drop(self) -> None:
        """Forget the order and its key."""
        shutil.rmtree(self._home)

    def _task(self, authorization: dict[str, Any]) -> Task:
        host, kind = authorization["identifier"]["value"], self._job.challenge
        offered = {one["type"]: one for one in authorization["challenges"]}
        if kind not in offered:
            raise Refused(
                f"the authority offers no {kind} for {host}, only {', '.join(sorted(offered)) or 'nothing'}",
                way_out="choose another `tls.challenge`, or another authority",
            )
        token = offered[kind]["token"]
        return Task(host, token, f"{token}.{self._client.thumbprint()}", offered[kind]["url"])

    def _chain(self, url: str) -> str:
        answer = self._client.post(url, None)
        chains = [answer.text]
        if self._job.chain:
            chains += [self._client.post(other, None).text for other in links(answer, "alternate")]
        try:
            return str(choose(chains, self._job.chain))
        except ValueError as error:
            raise Interrupted("the authority sent something else than certificates") from error

    def _failed(self, resource: dict[str, Any]) -> Refused:
        """The authority's own reason; a failed order can't be carried on."""
        self.drop()
        errors = [one["error"] for one in (resource, *resource.get("challenges", ())) if one.get("error")]
        reasons = [said(messages.Error.from_json(error)) for error in errors]
        return Refused(
            "; ".join(reasons) or f"the authority calls it {resource['status']}, and gives no reason",
            way_out="`portward certificate check` shows what the authority meets",
        )


def _place(client: Client, request: dict[str, Any], replaces: str | None) -> str:
    """Make an order. One that says which certificate it replaces may pass rate limits (RFC 9773 section 5)."""
    if replaces:
        try:
            return str(client.post(client.directory["newOrder"], {**request, "replaces": replaces}).headers["Location"])
        except Refused as refusal:
            if not refusal.message.startswith(("alreadyReplaced", "malformed", "unauthorized", "conflict")):
                raise
    return str(client.post(client.directory["newOrder"], request).headers["Location"])


def _replaced(client: Client, wanted: Wanted) -> str | None:
    if not wanted.renews or not wanted.current or "renewalInfo" not in client.directory:
        return None
    return renewal.identifier(Path(wanted.current).read_bytes())


def _profile(client: Client, job: Job) -> str:
    """The profile to ask for: only one that the authority offers."""
    offered = client.meta.get("profiles") or {}
    if job.profile and job.profile not in offered:
        names = ", ".join(sorted(offered)) or "none"
        raise Refused(
            f"{client.authority.directory} has no profile {job.profile!r}, it offers {names}",
            way_out="change `tls.profile`, or take it away",
        )
    return job.profile or ""
