"""Which facts speak against whom. Pure: no clock, no store.

    signs_of(LoginFailed(time=now, address="203.0.113.7", reason="password"), detectors, knowledge)
    # (Sign(detector="login", source="203.0.113.7", ...),)

Only what a gate itself has seen of an address counts: a fact blames the address that it carries, and nothing that a
client wrote can put another one there. A request of somebody who is logged in is never a sign: apps for photos and
files ask for much that is not there.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from portward.defense.detectors import Detector
from portward.defense.probes import Probes
from portward.defense.sources import source_of
from portward.facts import ErrorAnswered, Fact, HostLoginFailed, KeyRefused, LoginFailed, LogMatched, RequestRefused


@dataclass(frozen=True, slots=True)
class Sign:
    """One mark against `source`, spelt as in `model.Ban`; `account` is whose login was tried, where one is known.

    Of signs with the same `what`, only the first one counts: a browser that asks again and again for one thing is no
    scanner. Empty: each counts. `weight` is as how many it counts.
    """

    detector: str
    source: str
    account: str
    fact: Fact
    what: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What a detector must know besides the fact. `may_be_asked_for`: a host that honest people may still want."""

    probes: Probes
    may_be_asked_for: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Mark:
    """A sign, before it is known whether its detector is on; fields as in `Sign`."""

    detector: str
    what: str = ""
    weight: int = 1


_WRONG_PROOFS = ("totp", "recovery", "passkey", "passkey-copied")
_KEYS_OF_STRANGERS = ("unknown", "certificate", "disapproved", "denied")
"""Not `expired` and `source`: those are keys of ours, at a wrong time or place."""
_MISSING = (400, 403, 404, 405, 406, 410, 414)
"""What a service answers to those who look for what it might have. Others are part of a protocol (WebDAV: 409, 423)."""
_OF_FILE_MANAGERS = ("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH")
"""Methods of WebDAV: whoever has mounted a share asks there for `.DS_Store`, `._*`, `.git`, in every directory anew."""


def signs_of(fact: Fact, detectors: Mapping[str, Detector], knowledge: Knowledge) -> tuple[Sign, ...]:
    """Every mark that a fact leaves; none where its address can't be read."""
    return tuple(
        Sign(mark.detector, source, fact.account, fact, mark.what, mark.weight)
        for mark in _marks(fact, knowledge)
        if (detector := detectors.get(mark.detector)) and (source := source_of(fact.address, detector.scope))
    )


def _marks(fact: Fact, knowledge: Knowledge) -> Iterator[_Mark]:
    match fact:
        case RequestRefused():
            yield from _refused(fact, knowledge)
        case ErrorAnswered():
            yield from _answered(fact, knowledge)
        case LoginFailed():
            yield _Mark("second-factor" if fact.reason in _WRONG_PROOFS else "login")
            if fact.account:
                yield _Mark("account")
        case KeyRefused():
            if fact.why in _KEYS_OF_STRANGERS or (fact.why == "silent" and fact.version):
                yield _Mark("ssh-key", fact.fingerprint)
        case HostLoginFailed():
            yield _Mark("host-ssh")
        case LogMatched():
            yield _Mark("log")


def _refused(fact: RequestRefused, knowledge: Knowledge) -> Iterator[_Mark]:
    """`denied` is none: a banned source that goes on knocking must not make its ban grow."""
    if fact.account or fact.rule == "denied":
        return
    match fact.rule:
        case "tls_unknown_name":
            if not knowledge.may_be_asked_for(fact.sni.lower()):
                yield _Mark("unknown-host")
        case "unknown_host":
            if not knowledge.may_be_asked_for(fact.host.lower()):
                yield _Mark("unknown-host")
        case "tls_no_name":
            yield _Mark("tls")
        case "tls_failed":
            if not _hung_up(fact.detail):
                yield _Mark("tls")
        case "slow":
            yield _Mark("slow")
        case "crowded":
            yield _Mark("rate", weight=fact.count)
        case _ if fact.status == 429:
            yield _Mark("rate")
    if fact.credential:
        yield _Mark("token", fact.credential)
    if fact.path and fact.method not in _OF_FILE_MANAGERS and (probe := knowledge.probes.name(fact.path)):
        yield _Mark("probe", probe)


def _answered(fact: ErrorAnswered, knowledge: Knowledge) -> Iterator[_Mark]:
    """A service that mostly gives what is asked for is being used, and some of its pictures are missing."""
    if fact.account:
        return
    if fact.status == 401:
        if fact.credential:
            yield _Mark("token", fact.credential)
        return
    if fact.method in _OF_FILE_MANAGERS:
        return
    if probe := knowledge.probes.name(fact.path):
        yield _Mark("probe", probe)
    if fact.status in _MISSING and 2 * fact.errors > fact.requests:
        yield _Mark("errors", blake2b(fact.path.encode(errors="replace"), digest_size=8).hexdigest())


def _hung_up(detail: str) -> bool:
    """The client ended the handshake, as browsers do that distrust a certificate; scanners are told by us."""
    return " alert " in detail
