"""What would go wrong if an authority were asked now: judged from what was seen, before an attempt is burnt. Pure.

judge(Seen(name="wiki.example.com", a=("203.0.113.7",), visits=(Visit("203.0.113.7", "other", "nginx"),)), …)
# [Finding(problem="203.0.113.7 port 80 answered with …", expected="…", way_out="…")]
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from typing import Literal

TOLERANCE = timedelta(minutes=10)
"""A clock that is off by more makes new certificates look not yet valid, or old ones still good."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A CAA record (RFC 8659) and the name that has it."""

    owner: str
    flags: int
    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class Visit:
    """What was met at one public address. `here`: this gateway. `other`: something else, `detail` says what.

    `closed`: refused, or no answer in time. `unknown`: this machine has no way there. `own` says whether the address
    is one of this machine's.
    """

    address: str
    met: Literal["here", "other", "closed", "unknown"]
    detail: str = ""
    own: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that was looked at for one name. `clock_off` is how far this machine's clock is ahead."""

    name: str
    a: tuple[str, ...] = ()
    aaaa: tuple[str, ...] = ()
    caa: tuple[Rule, ...] = ()
    visits: tuple[Visit, ...] = ()
    clock_off: timedelta = timedelta()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What will be asked of whom. `identities` are the names by which CAA records know the authority."""

    challenge: Literal["http-01", "tls-alpn-01", "dns-01"]
    port: int
    identities: tuple[str, ...] = ()
    public: bool = True
    account: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """`blocks` is False where it may still work: then it is a warning."""

    problem: str
    expected: str
    way_out: str
    blocks: bool = True

    def __str__(self) -> str:
        return f"{self.problem}; expected: {self.expected}"


def judge(seen: Seen, question: Question) -> list[Finding]:
    """Every mistake and warning, the gravest first."""
    found = [*_dns(seen, question), *_caa(seen, question), *_visits(seen, question), *_clock(seen)]
    return sorted(found, key=lambda finding: not finding.blocks)


def _dns(seen: Seen, question: Question) -> Iterator[Finding]:
    if seen.problem:
        yield Finding(seen.problem, "an answer from DNS", "see `tls.resolvers`, and this machine's network")
    elif question.challenge == "dns-01":
        return
    elif not seen.a and not seen.aaaa:
        yield Finding(
            f"DNS knows no address of {seen.name} (no A, no AAAA)",
            "an A or AAAA record with the public address of this gateway",
            f"add the record for {seen.name}, or take the service out",
        )
    if question.public and question.challenge != "dns-01":
        for address in (*seen.a, *seen.aaaa):
            if not ip_address(address).is_global:
                yield Finding(
                    f"DNS says that {seen.name} is {address}, which nobody can reach from the internet",
                    "a public address",
                    'correct the record; for a private name use tls.mode = "local", or challenge = "dns-01"',
                )


def _caa(seen: Seen, question: Question) -> Iterator[Finding]:
    """RFC 8659 section 4.2; the parameters are those of RFC 8657."""
    wild = seen.name.startswith("*.") and any(rule.tag == "issuewild" for rule in seen.caa)
    rules = [rule for rule in seen.caa if rule.tag == ("issuewild" if wild else "issue")]
    if not rules or not question.identities or any(_permits(rule, question) for rule in rules):
        return
    said = ", ".join(f'{rule.tag} "{rule.value}"' for rule in rules)
    yield Finding(
        f"the CAA records of {rules[0].owner} forbid it: {said}",
        f'one that names the authority: issue "{question.identities[0]}"',
        f"add that record at {rules[0].owner}, or choose an authority that it names",
    )


def _permits(rule: Rule, question: Question) -> bool:
    authority, *parameters = (part.strip() for part in rule.value.split(";"))
    given = {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in parameters)}
    methods = given.get("validationmethods")
    account = given.get("accounturi")
    return (
        authority.lower() in {name.lower() for name in question.identities}
        and (methods is None or question.challenge in methods.split(","))
        and (account is None or account == question.account)
    )


def _visits(seen: Seen, question: Question) -> Iterator[Finding]:
    for visit in seen.visits:
        place = f"{seen.name} at {visit.address} port {question.port}"
        if visit.met == "other":
            yield Finding(
                f"{place} is not this gateway: {visit.detail}",
                "the answer that this gateway had prepared",
                _FOREIGN if visit.own else f"{_FOREIGN}; {_HAIRPIN}",
            )
        elif visit.met == "closed":
            yield Finding(
                f"{place} can't be reached: {visit.detail}",
                "this gateway",
                f"forward port {question.port} to this gateway and open it in every firewall on the way",
                blocks=visit.own,
            )
        elif visit.met == "unknown":
            yield Finding(
                f"{place} can't be tried from here: {visit.detail}",
                "this gateway",
                "an authority prefers IPv6: take the AAAA record away unless it leads here",
                blocks=False,
            )


def _clock(seen: Seen) -> Iterator[Finding]:
    if abs(seen.clock_off) > TOLERANCE:
        minutes = round(abs(seen.clock_off).total_seconds() / 60)
        way = "ahead" if seen.clock_off > timedelta() else "behind"
        yield Finding(
            f"this machine's clock is {minutes} minutes {way} of the authority's",
            "the same time",
            "set the clock, and keep it right with systemd-timesyncd or chrony",
        )


_FOREIGN = "point the name's A and AAAA records, and the router's forwarding, at this gateway"
_HAIRPIN = "or, where a router answers its own address from inside, write preflight = false under [tls]"
