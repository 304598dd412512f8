"""What the keeper asks of the process of one round, and what that answers: JSON, a line each.

    read_job(spell(job)) == job
    Result("wiki.example.com", "issued", authority="https://…")

The job comes on standard input, and no secret is in it: those lie in files that it names.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Task = Literal["issue", "look", "revoke", "rotate"]
Outcome = Literal["issued", "mistaken", "refused", "limited", "interrupted", "done"]
"""`mistaken`: the preflight found why it can't work, and nobody was asked. `refused`: the authority said no.
`limited`: it wants to be asked later. `interrupted`: it went away, or this machine could not go on."""


@dataclass(frozen=True, slots=True)
class Authority:
    directory: str
    ca_file: str | None = None
    eab_kid: str | None = None
    eab_hmac_file: str | None = None


@dataclass(frozen=True, slots=True)
class Dns:
    """How records get into the zone. `wait` is in seconds."""

    provider: str | None = None
    credentials_file: str | None = None
    zone: str | None = None
    hook: str | None = None
    wait: float = 120.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate: `name` is what it is known by (`wiki.example.com` or `*.example.com`).

    `current` is the file of the certificate that is served now for `served`, a host that the name covers.
    """

    name: str
    served: str
    current: str | None = None
    renews: bool = False

    @property
    def file_name(self) -> str:
        """The name as a file may be called."""
        return self.name.replace("*", "_")


@dataclass(frozen=True, slots=True)
class Job:
    """`look` is preflight alone. `preflight` says whether an order is preceded by it."""

    task: Task
    directory: str
    wanted: tuple[Wanted, ...] = ()
    authorities: tuple[Authority, ...] = ()
    email: str | None = None
    challenge: Literal["http-01", "tls-alpn-01", "dns-01"] = "http-01"
    port: int = 80
    dns: Dns | None = None
    key_type: Literal["ecdsa", "rsa"] = "ecdsa"
    profile: str | None = None
    chain: str | None = None
    preflight: bool = True
    rehearsal: bool = False
    resolvers: tuple[str, ...] = ()
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one name. `retry_after` is in seconds; `file` holds leaf, chain and key of what was issued."""

    name: str
    outcome: Outcome
    problem: str = ""
    way_out: str = ""
    retry_after: float = 0.0
    authority: str = ""
    file: str = ""
    renew_at: str = ""
    ask_at: str = ""
    warnings: tuple[str, ...] = field(default=())


def spell(job: Job) -> str:
    return json.dumps(asdict(job))


def read_job(text: str) -> Job:
    """Raises `ValueError`, `TypeError`, `KeyError` for what is no job."""
    values = json.loads(text)
    values["wanted"] = tuple(Wanted(**one) for one in values["wanted"])
    values["authorities"] = tuple(Authority(**one) for one in values["authorities"])
    values["resolvers"] = tuple(values["resolvers"])
    values["dns"] = Dns(**values["dns"]) if values["dns"] else None
    return Job(**values)


def read_result(values: dict[str, Any]) -> Result:
    return Result(**{**values, "warnings": tuple(values.get("warnings", ()))})
