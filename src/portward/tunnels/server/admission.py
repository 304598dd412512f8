"""Whose key this is, and whether it may come in. Pure.

judge(rules, "SHA256:…", "192.0.2.1", now)      # KeyRule(name="laptop", account="ann", …)
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from ipaddress import ip_network
from typing import Literal

from portward.model import own_prefix
from portward.tunnels.rules import AuthorityRule, KeyRule, Rules
from portward.tunnels.server.reaching import literal, plain


@dataclass(frozen=True, slots=True)
class Denied:
    """`why` is for the operator: a client only learns that its key was not accepted."""

    why: Literal["unknown", "source", "expired", "certificate"]


def judge(rules: Rules, fingerprint: str, address: str, now: datetime) -> KeyRule | Denied:
    """The rule of a key that may come in from `address` now."""
    key = next((key for key in rules.keys if key.fingerprint == fingerprint), None)
    if key is None:
        return Denied("unknown")
    if key.expires_at is not None and key.expires_at <= now:
        return Denied("expired")
    return key if comes_from(key.sources, address) else Denied("source")


def judge_certificate(
    rules: Rules, authority: str, user: str, principals: Iterable[str], address: str, key_id: str, fingerprint: str
) -> KeyRule | Denied:
    """What a certificate of this authority (its fingerprint) permits; its signature and dates are looked at elsewhere.

    The user that the client names must be a principal of it and an account. A certificate for nobody in particular,
    without principals, is refused: it would be one for everybody.
    """
    rule = next((rule for rule in rules.authorities if rule.fingerprint == authority), None)
    if rule is None or user not in set(principals) or user not in rules.accounts:
        return Denied("certificate")
    return _of_certificate(rule, user, key_id, fingerprint) if comes_from(rule.sources, address) else Denied("source")


def comes_from(networks: tuple[str, ...], address: str) -> bool:
    """Whether `address` is in one of the networks; no networks are all of them."""
    client = literal(address.partition("%")[0])
    if not networks:
        return True
    return client is not None and any(plain(client) in ip_network(network, strict=False) for network in networks)


def _of_certificate(rule: AuthorityRule, account: str, key_id: str, fingerprint: str) -> KeyRule:
    key = KeyRule(
        name=key_id or rule.name,
        account=account,
        fingerprint=fingerprint,
        public="",
        publish=rule.publish,
        reach=rule.reach,
        sources=rule.sources,
    )
    return replace(key, publish=_for(key.publish, own_prefix(account)[:-1]), reach=_for(key.reach, account))


def _for(patterns: tuple[str, ...], account: str) -> tuple[str, ...]:
    return tuple(pattern.replace("{account}", account) for pattern in patterns)
