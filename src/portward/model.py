"""The nouns of Portward: frozen values that every package may pass around.

    hello = Route(name="hello", service="hello", host="hello.example.com", path="/", ...)

All times are timezone-aware UTC; all durations are `timedelta`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Literal, NamedTuple

Source = Literal["files", "acme", "local"]
"""Where a certificate comes from: the operator's own file, a public authority, or the local one."""
DeviceRule = Literal["required", "second-factor", "ignored"]
"""What a route makes of a device's certificate: demands one, takes one for a second factor, does not ask."""
DeviceRefusal = Literal["page", "handshake"]
"""What a visitor without one gets: a page that says how to enrol, or no connection at all."""


PackageForm = Literal["p12", "p12-old", "mobileconfig"]
"""How a device takes its key: PKCS#12 with AES, PKCS#12 as Apple and older Windows read it, Apple's profile."""


class Role(StrEnum):
    """What an account may do with the gateway itself; what it may open is decided by `Access`."""

    OWNER = "owner"
    MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Account:
    """A person who may log in. `name` is the key: `[a-z0-9][a-z0-9._-]{0,31}`."""

    name: str
    role: Role = Role.MEMBER
    display_name: str = ""
    email: str = ""
    groups: frozenset[str] = frozenset()
    disabled: bool = False
    has_password: bool = False
    has_totp: bool = False
    passkeys: int = 0
    created_at: datetime | None = None
    last_login_at: datetime | None = None

    @property
    def has_second_factor(self) -> bool:
        """Whether a login asks for more than the password."""
        return self.has_totp or self.passkeys > 0


@dataclass(frozen=True, slots=True)
class Passkey:
    """A WebAuthn credential of an account. `id` is the credential's in base64url, `public_key` a COSE key (RFC 9052).

    `verifies` says whether the authenticator asked for a PIN or a finger when it was added; `synced`, whether it may be
    copied to other devices. `handle` stands for the account in the authenticator, and tells nothing about it.
    """

    id: str
    account: str
    name: str
    public_key: bytes = field(repr=False)
    handle: str
    sign_count: int
    verifies: bool
    synced: bool
    created_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of accounts. `[a-z0-9][a-z0-9._-]{0,31}`."""

    name: str
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Session:
    """One login of one account in one browser; the token itself is known to that browser alone."""

    id: str
    account: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    second_factor_at: datetime | None = None
    address: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class HostSession:
    """The part of a session that holds at one host. `key` is upper-case hex of SHA-256(token|host).

    `second_factor_at` is the session's when the host was entered: a token never gains a right after it was given out.
    """

    key: str
    session_id: str
    host: str
    created_at: datetime
    second_factor_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EdgeSession:
    """What the edge needs to know of one host session: one line of `sessions.map`."""

    key: str
    account: str
    session_id: str
    expires_at: datetime
    second_factor_until: datetime | None


@dataclass(frozen=True, slots=True)
class Access:
    """Who may open a route: `public` needs no login, `members` is any account; otherwise one match is enough."""

    public: bool = False
    members: bool = False
    owners: bool = False
    groups: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    second_factor: bool = False


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a request goes: `host`/`port` for http, https, h2c and tcp; `path` for unix; none for demo and tunnel."""

    scheme: Literal["http", "https", "h2c", "tcp", "unix", "demo", "tunnel"]
    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.scheme in ("demo", "tunnel"):
            return self.scheme
        if self.scheme == "unix":
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """One host and path prefix, and what lies behind it. `path` begins and ends with `/`."""

    name: str
    service: str
    host: str
    path: str
    upstream: Upstream
    access: Access
    strip: bool = False
    compress: bool = False
    verify: bool | str = True
    timeout: timedelta | None = None
    paths: tuple[str, ...] = ()
    device: DeviceRule = "ignored"
    device_refusal: DeviceRefusal = "page"


@dataclass(frozen=True, slots=True)
class Key:
    """A public SSH key that tunnels come in with, and what it may do. `name` is the key: `[a-z0-9][a-z0-9._-]{0,31}`.

    `public` is type and base64 without comment; `fingerprint` is `SHA256:…` as ssh-keygen prints it. `publish` holds
    services' names, `prefix-*` or `*`; `reach` holds `host:port`, `*.lab:22`, `10.0.0.0/8:22`; `sources` holds networks
    that the key may come from, none for anywhere. A connection is ended after `deadline`.
    """

    name: str
    account: str
    public: str
    fingerprint: str
    comment: str = ""
    publish: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    created_at: datetime | None = None
    expires_at: datetime | None = None
    deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A service that a key made on the spot; `name` is the service's. portward.toml knows nothing of it.

    `key` is what the key is called that carried it last; whose name it is, the SSH server knows.
    """

    name: str
    account: str
    key: str
    made_at: datetime
    seen_at: datetime
    """When a tunnel carried it last."""


def own_prefix(account: str) -> str:
    """How the names begin that an account's keys may make on the spot: `ann-`.

    A dot or an underscore of the account is a dash there, since names of services have neither.
    """
    return f"{account.replace('.', '-').replace('_', '-')}-"


@dataclass(frozen=True, slots=True)
class Device:
    """A certificate with which a phone, a laptop or a program of one account proves itself in the TLS handshake.

    A renewed device has two for a while, of the same account and name. `fingerprint` is lower-case hex of the
    certificate's SHA-256; `certificate` and `csr` are PEM. With `own_key` the device made its key and sent a request;
    otherwise the gateway makes the key, and gives it away once. `account` is empty where that is gone.
    """

    id: str
    account: str
    name: str
    requested_at: datetime
    own_key: bool = False
    csr: str = ""
    approved_at: datetime | None = None
    issued_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    fingerprint: str = ""
    serial: str = ""
    certificate: str = ""
    reminded: int | None = None

    @property
    def state(self) -> Literal["requested", "approved", "active", "revoked"]:
        """What became of it; an active one may have expired."""
        if self.revoked_at or not self.account:
            return "revoked"
        return "active" if self.issued_at else "approved" if self.approved_at else "requested"


@dataclass(frozen=True, slots=True)
class Package:
    """A device's key and certificate in a file that is given away once, and the password that opens it."""

    content: bytes = field(repr=False)
    name: str
    media_type: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in a PEM file that holds the chain and the key, for the names it covers.

    `names` may hold wildcards (`*.example.com`); `serial` and `fingerprint` (SHA-256 of its DER) are lower-case hex.
    `staging` marks those of an authority's test service, which no browser trusts.
    """

    file: str
    names: tuple[str, ...]
    serial: str
    fingerprint: str
    issuer: str
    not_before: datetime
    not_after: datetime
    source: Source = "local"
    staging: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands with a name that an ACME authority certifies, `wiki.example.com` or `*.example.com`.

    `outcome` of the last attempt is issued, mistaken, refused, limited or interrupted, with `failures` in a row. No
    attempt begins before `not_before`. The authority wants a renewal at `renew_at`, and to be asked again at `ask_at`.
    """

    name: str
    outcome: str = ""
    failures: int = 0
    problem: str = ""
    way_out: str = ""
    authority: str = ""
    tried_at: datetime | None = None
    not_before: datetime | None = None
    renew_at: datetime | None = None
    ask_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """A fact as it is kept: `id` grows with time; `fields` holds what only this kind of fact has."""

    id: int
    time: datetime
    kind: str
    gate: str = ""
    rule: str = ""
    request_id: str = ""
    address: str = ""
    host: str = ""
    sni: str = ""
    account: str = ""
    fields: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ban:
    """A source that is shut out, or was. `source` is canonical: `203.0.113.7`, `203.0.113.0/24`, `2001:db8::/64`.

    `reason` is a detector's name, or what somebody wrote; `by` is `detector`, an account, `cli`, `import`, or
    `list:NAME`. Without `until` it is for good. `count` is how often this source was banned, this time included.
    `evidence` holds the facts that led to it as lines of JSON, 20 at most.
    """

    source: str
    reason: str
    by: str
    since: datetime
    until: datetime | None = None
    count: int = 1
    evidence: tuple[str, ...] = ()
    lifted_at: datetime | None = None
    lifted_by: str = ""

    @property
    def brief(self) -> "BanBrief":
        return BanBrief(self.source, ceil(self.until.timestamp()) if self.until else 0, self.reason, self.by)


class BanBrief(NamedTuple):
    """What it takes to keep a source out; a million of these pass through at a start."""

    source: str
    until: int
    """Seconds since 1970, rounded up; 0 is for good."""
    reason: str
    by: str
