"""What the SSH server is told: a pure function from settings, keys and accounts to its rules.

rules_of(settings, keys, accounts, own=("192.0.2.7",), signers={}).taken       # ('auth', 'wiki')
"""

from collections.abc import Collection, Mapping, Sequence

from portward.config import Settings
from portward.config.publickeys import PublicKey
from portward.model import Account, Key
from portward.tunnels.keys import key_rules
from portward.tunnels.rules import AuthorityRule, Policy, Rules, ServiceRule


def rules_of(
    settings: Settings,
    keys: Collection[Key],
    accounts: Collection[Account],
    *,
    own: Sequence[str],
    signers: Mapping[str, Sequence[PublicKey]],
) -> Rules:
    """`settings` are those of portward.toml alone; `own` are the machine's addresses.

    `signers` holds what was found in each authority's file; one that is missing there lets nobody in.
    """
    return Rules(
        policy=_policy(settings, own),
        keys=key_rules(keys, accounts),
        services=_services(settings),
        authorities=_authorities(settings, signers),
        accounts=tuple(account.name for account in accounts if not account.disabled),
        taken=_taken(settings),
    )


def _policy(settings: Settings, own: Sequence[str]) -> Policy:
    tunnels = settings.tunnel_policy
    return Policy(
        listen=tuple((address.host, address.port) for address in tunnels.listen),
        domain=settings.domain,
        public_port=settings.public_port,
        portal=settings.url(settings.portal_host),
        naming=tunnels.naming,
        approve_unknown_keys=tunnels.approve_unknown_keys,
        hold=tunnels.hold,
        allow=tuple(map(str, settings.defence.allow)),
        deny=tuple(map(str, settings.defence.deny)),
        own=tuple(own),
    )


def _services(settings: Settings) -> tuple[ServiceRule, ...]:
    rules = []
    for name, service in settings.services.items():
        if not service.tunnel:
            continue
        host = service.host or f"{name}.{settings.domain}"
        port = service.listen.port if service.listen else 0
        rules.append(
            ServiceRule(
                name=name,
                host=host,
                url=f"{host}:{port}" if service.kind == "tcp" else settings.url(host),
                kind=service.kind,
                port=0 if service.tunnel is True else int(service.tunnel),
                public_port=port,
                balance=service.balance,
            )
        )
    return tuple(rules)


def _authorities(settings: Settings, signers: Mapping[str, Sequence[PublicKey]]) -> tuple[AuthorityRule, ...]:
    return tuple(
        AuthorityRule(
            name=key.comment or key.fingerprint,
            fingerprint=key.fingerprint,
            public=key.text,
            publish=authority.publish,
            reach=authority.reach,
            sources=tuple(map(str, authority.sources)),
        )
        for authority in settings.tunnel_policy.authorities
        for key in signers.get(authority.file, ())
    )


def _taken(settings: Settings) -> tuple[str, ...]:
    """Names that must not be made on the spot: their host, or their name, is another service's."""
    hosts = {settings.portal_host, *(route.host for route in settings.routes)}
    suffix = f".{settings.domain}"
    labels = {host.removesuffix(suffix) for host in hosts if host.endswith(suffix)}
    declared = {name for name, service in settings.services.items() if service.tunnel}
    return tuple(sorted((labels | set(settings.services)) - declared))
