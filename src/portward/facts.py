"""What happened, in the past tense. Facts are kept as events, and `portward events` shows them.

LoginFailed(time=now, account="ann", address="203.0.113.7", reason="password")

The program `tunnels` sends its facts to the keeper as lines: `to_line(TunnelOpened(…))` there, `from_line(line)` here.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime

_COLUMNS = {"time", "gate", "rule", "request_id", "address", "host", "sni", "account"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Base of all facts. `kind` is the class name; columns are what every fact can be searched by."""

    time: datetime
    request_id: str = ""
    address: str = ""
    account: str = ""

    @property
    def kind(self) -> str:
        return type(self).__name__

    def columns(self) -> dict[str, str | datetime]:
        """The values that the store keeps in columns of their own, by column name."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name in _COLUMNS}

    def fields(self) -> dict[str, str | int]:
        """Everything else that this fact carries, empty values left out."""
        others = ((name, getattr(self, name)) for name in self.__dataclass_fields__ if name not in _COLUMNS)
        return {name: value for name, value in others if value != ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused(Fact):
    """A gate refused a connection or a request; `rule` names which one (see edge/refusals.py).

    `credential` as in `ErrorAnswered`.
    """

    gate: str
    rule: str
    host: str = ""
    sni: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    count: int = 1
    detail: str = ""
    credential: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIn(Fact):
    session: str
    factors: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFailed(Fact):
    """`reason` is for the operator alone.

    It is password, unknown, disabled, totp, recovery, passkey, passkey-copied (its counter went back) or throttled.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondFactorPassed(Fact):
    session: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRevoked(Fact):
    """`by` is the account or `cli` or `policy`.

    `reason` is logout, revoked, password, passkey, disabled, removed or expired.
    """

    session: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanged(Fact):
    """An account or a group was changed.

    `change` is added, removed, disabled, enabled, enrolled, details, groups, password, reset, totp, passkey,
    second-factor or recovery-codes.
    """

    change: str
    by: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAdded(Fact):
    """An account has one more SSH key. `rights` says in words what it may do."""

    key: str
    fingerprint: str
    by: str
    rights: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChanged(Fact):
    """A key may do something else from now on."""

    key: str
    fingerprint: str
    by: str
    rights: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRemoved(Fact):
    """A key opens nothing any more."""

    key: str
    fingerprint: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyApproved(Fact):
    """An account let a waiting connection in, in the browser. `address` is where that connection comes from."""

    key: str
    fingerprint: str
    wish: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChanged(Fact):
    """A device of `account` was changed; `by` is the account, or `cli`.

    `change` is requested, approved, refused, enrolled, renewed, renamed or revoked.
    """

    device: str
    name: str
    change: str
    by: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceExpiring(Fact):
    """A device's certificate ends within so many days, and no newer one was made; 0 when it has ended."""

    device: str
    name: str
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorAnswered(Fact):
    """A service answered a request of nobody who is logged in with an error. Judged at once, and not kept.

    `errors` of `requests` of this source were answered so in the last 10 s. `credential` marks what the request brought
    to prove itself, without telling it: the same for the same, empty for none.
    """

    host: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    errors: int = 0
    requests: int = 0
    credential: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostLoginFailed(Fact):
    """A log of this machine tells of a login at the machine itself that failed. `user` is what the client typed.

    `program` is sshd or sudo; `log` names the source as `LogMatched.log` does. sudo tells no address.
    """

    program: str
    log: str
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMatched(Fact):
    """A line of the log `log` ([[defence.logs]], `name`) speaks against `address`, as `pattern` reads it.

    `user` is what the client typed, not an account of ours, so it stands apart from `account`.
    """

    log: str
    pattern: str
    user: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogUnreadable(Fact):
    """A log that should be judged can't be read, or can be read again where `problem` is empty."""

    log: str
    place: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBanned(Fact):
    """A source is shut out from now on. `source`, `reason`, `by`, `count` as in `model.Ban`; no `until`: for good."""

    source: str
    by: str
    reason: str = ""
    until: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BanLifted(Fact):
    """A source may come again; `by` is `time` where its ban was over, an account, `cli`, or what made it."""

    source: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceReleased(Fact):
    """Somebody who was banned got free as `account`; `way` is passkey or mail."""

    source: str
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRefused(Fact):
    """Somebody who is banned did not get free; `reason` is passkey, link, or often: the ban is final then."""

    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFailed(Fact):
    """A mail of the gateway for `account` was not taken by the mail server."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowBan(Fact):
    """A detector in shadow mode would have banned this source until then, and did not."""

    source: str
    detector: str
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigApplied(Fact):
    """A configuration took effect; `how` is reload, runtime or start."""

    how: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigRejected(Fact):
    """A configuration was not used; the last good one goes on."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeMended(Fact):
    """The edge did not have what it should have, and the reconciler put it right."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogDropped(Fact):
    """The edge had to drop log lines because their reader was away or slow."""

    ring: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsDropped(Fact):
    """A flood of refusals was counted instead of kept one by one; `rules` says how many of each."""

    count: int
    rules: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelOpened(Fact):
    """A key publishes a service. `made`: on the spot, so portward.toml has none of this name; `host` is its host."""

    service: str
    key: str
    protocol: str = "http"
    host: str = ""
    version: str = ""
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelClosed(Fact):
    """`reason` is client, silence, evicted, key, deadline, cut or restart."""

    service: str
    key: str
    reason: str
    host: str = ""
    made: bool = False
    seconds: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    requests: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelFailing(Fact):
    """A tunnel stands, but what it leads to does not answer; of several it is left out until it does."""

    service: str
    key: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelRecovered(Fact):
    """What a failing tunnel leads to answers again."""

    service: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TunnelRefused(Fact):
    """A key asked for what it may not do. `what` is in SSH's words: `-R db:5432`, `-L 10.0.0.1:22`, `exec`."""

    what: str
    why: str
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRefused(Fact):
    """Somebody can't log in by SSH.

    `why` is unknown, source, expired, certificate, disapproved, denied, banned or silent.
    """

    why: str
    user: str = ""
    fingerprint: str = ""
    version: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JumpOpened(Fact):
    """A key opened a connection through the gateway; `resolved` is the address that its name stood for."""

    key: str
    destination: str
    resolved: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInstalled(Fact):
    """A host shows another certificate from now on, and the gateway has seen that; `source` as in `model.Source`."""

    host: str
    source: str
    serial: str
    issuer: str
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateExpiring(Fact):
    """The certificate of a host ends in less than `days` days (21, 7, 1), and nothing better has come."""

    host: str
    source: str
    serial: str
    days: int
    expires: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRenewalFailed(Fact):
    """The first attempt to renew a certificate failed; later ones are told when the end draws near."""

    host: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRefused(Fact):
    """A certificate was not put in force, and the one before stays; `what` is the file, or the name it was for."""

    what: str
    source: str
    reason: str
    host: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocklistRefreshed(Fact):
    """A block list says something else than before, and that is in force; counts are of networks."""

    name: str
    entries: int
    added: int
    removed: int
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class BlocklistFailed(Fact):
    """A block list could not be had, or can't be used; what it said before stays in force. Told once a failure."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountriesUpdated(Fact):
    """New data about `what` (countries, networks) are in use; `date` is the day of which they are."""

    what: str
    source: str
    date: str
    ranges: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CountriesFailed(Fact):
    """New data about `what` were refused, and those in use stay."""

    what: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerAbroad(Fact):
    """The rule of [defence.countries] refuses the address from which an owner is logged in.

    It stays open to that address while the session lives; afterwards, or from elsewhere there, the owner is shut out.
    """

    why: str


_SENT = {
    kind.__name__: kind
    for kind in (
        *(TunnelOpened, TunnelClosed, TunnelFailing, TunnelRecovered, TunnelRefused),
        *(KeyRefused, JumpOpened, EventsDropped),
    )
}


def to_line(fact: Fact) -> bytes:
    """A fact as one line of JSON, empty values left out; its time is RFC 3339."""
    fields = {name: value for name, value in asdict(fact).items() if value not in ("", None)}
    return json.dumps({"fact": fact.kind, **fields, "time": fact.time.isoformat()}).encode() + b"\n"


def from_line(line: bytes) -> Fact:
    """What `to_line` wrote. Raises `ValueError`, `TypeError`, `KeyError`, `AttributeError` for anything else."""
    fields = json.loads(line)
    return _SENT[fields.pop("fact")](**{**fields, "time": datetime.fromisoformat(fields["time"])})
