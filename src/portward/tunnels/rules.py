"""What the program `tunnels` may let in: the keeper writes it down, the program reads it.

    replace(state.tunnel_rules, spell(Rules(policy=Policy(domain="example.com"), keys=(ann_laptop,))))
    read(state.tunnel_rules.read_bytes()).policy.domain          # 'example.com'

Plain values and JSON: whoever reads them needs neither the store nor pydantic.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from portward.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What holds for every key. Changing `listen` moves the listeners; nothing here touches a live tunnel."""

    listen: tuple[tuple[str, int], ...] = (("", 2222),)
    """Addresses and ports; the address "" means every one."""
    domain: str = "portward.localhost"
    public_port: int = 443
    """Where visitors reach the edge: what stands in the URL of a service made on the spot."""
    portal: str = ""
    """URL of the portal without a path, `https://auth.example.com`: where unknown keys are approved."""
    naming: Literal["prefix", "any"] = "prefix"
    """How a key may call services that it makes on the spot: `ACCOUNT-…` only, or as its `publish` says."""
    approve_unknown_keys: bool = False
    hold: timedelta = timedelta(seconds=5)
    """How long a visitor waits for a tunnel that is away."""
    allow: tuple[str, ...] = ()
    """Networks that neither `deny` nor a limit of connections shuts out."""
    deny: tuple[str, ...] = ()
    """Networks whose connections are dropped before a word of SSH."""
    own: tuple[str, ...] = ()
    """Networks that are the gateway's: reachable by a jump only where a key's `reach` names an address or network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRule:
    """A service of portward.toml that declares a tunnel."""

    name: str
    host: str = ""
    url: str = ""
    """What a person types: `https://blog.example.com`, or `db.example.com:5432` for `tcp`."""
    kind: Literal["http", "tcp"] = "http"
    port: int = 0
    """`tunnel = 3000`: `-R 3000:…` without a name means this service. 0: by name only."""
    public_port: int = 0
    """For `tcp`, the port that visitors use: `-R db:5432:…` names the service and this port."""
    balance: bool = False
    """Several tunnels of one key may carry it together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRule:
    """One key and what it may do. Everything empty means: nothing."""

    name: str
    account: str
    fingerprint: str
    """`SHA256:…`, as ssh-keygen -l prints it."""
    public: str
    """One line in OpenSSH's format, without options: `ssh-ed25519 AAAA…`."""
    publish: tuple[str, ...] = ()
    """Services it may carry: a name, `prefix-*` or `*`. A name that no service has is made on the spot."""
    reach: tuple[str, ...] = ()
    """Destinations of -L, -W, -J and -D: `db.internal:5432`, `*.lab:22`, `10.0.0.0/8:22`, `[2001:db8::]/32:*`."""
    sources: tuple[str, ...] = ()
    """Networks it may come from; empty: any."""
    expires_at: datetime | None = None
    deadline: timedelta | None = None
    """How long one connection may last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityRule:
    """An authority whose OpenSSH certificates are let in, for the principals that are accounts.

    `publish` and `reach` are as a key's; `{account}` in them stands for the account.
    """

    name: str
    fingerprint: str
    public: str
    publish: tuple[str, ...] = ("{account}-*",)
    reach: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of it. `accounts` are those that may log in; a certificate's principal must be one of them.

    `taken` are names that can't be made on the spot: those of services in portward.toml without a tunnel, and first
    labels of other hosts in the domain. A name that was made on the spot is never among them.
    """

    policy: Policy = field(default_factory=Policy)
    keys: tuple[KeyRule, ...] = ()
    services: tuple[ServiceRule, ...] = ()
    authorities: tuple[AuthorityRule, ...] = ()
    accounts: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()


def spell(rules: Rules) -> bytes:
    """`rules` as JSON. Durations are seconds, times are RFC 3339."""
    return json.dumps(asdict(rules), default=_spell_value, indent=1).encode() + b"\n"


def read(document: bytes) -> Rules:
    """What `spell` wrote. Raises `Invalid` for anything else."""
    try:
        fields = json.loads(document)
        return Rules(
            policy=Policy(**_policy(fields["policy"])),
            keys=tuple(KeyRule(**_key(key)) for key in fields["keys"]),
            services=tuple(ServiceRule(**service) for service in fields["services"]),
            authorities=tuple(AuthorityRule(**_frozen(authority)) for authority in fields["authorities"]),
            accounts=tuple(fields["accounts"]),
            taken=tuple(fields["taken"]),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Invalid(f"the rules of tunnels can't be read: {error}", way_out="the keeper writes them anew") from error


def _spell_value(value: Any) -> str | float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"not a value of rules: {value!r}")


def _frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def _policy(fields: Mapping[str, Any]) -> dict[str, Any]:
    listen = tuple((str(host), int(port)) for host, port in fields["listen"])
    return {**_frozen(fields), "listen": listen, "hold": timedelta(seconds=fields["hold"])}


def _key(fields: Mapping[str, Any]) -> dict[str, Any]:
    expires, deadline = fields["expires_at"], fields["deadline"]
    return {
        **_frozen(fields),
        "expires_at": None if expires is None else datetime.fromisoformat(expires),
        "deadline": None if deadline is None else timedelta(seconds=deadline),
    }
