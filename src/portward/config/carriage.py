"""How services are reached, as far as no single value shows a mistake: upstream or tunnel, HTTP or raw TCP.

list(check_carriage(settings))      # [] when all is well
"""

from collections.abc import Iterator

from portward.config.findings import Finding
from portward.config.lines import KeyPath
from portward.config.settings import ServiceSettings, Settings
from portward.model import Upstream

_TCP_ONLY = ("listen", "allow", "proxy_protocol")
_TCP_KEYS = frozenset(
    {*_TCP_ONLY, "countries", "kind", "upstream", "tunnel", "balance", "timeout", "deny_from", "limits"}
)


def check_carriage(settings: Settings) -> Iterator[Finding]:
    """Every contradiction, service by service."""
    for name, service in settings.services.items():
        path: KeyPath = ("services", name)
        yield from _source(path, service)
        yield from _tcp(path, service) if service.kind == "tcp" else _http(path, service)
    yield from _repeated_ports(settings)
    if settings.asks_for_tunnels and settings.tunnel_policy.hold >= settings.timeouts.server:
        yield Finding(
            ("tunnels", "hold"),
            "is not shorter than timeouts.server, so that it never counts",
            "less than timeouts.server",
            "make `hold` shorter; a visitor who waits longer than some seconds has left",
        )


def _source(path: KeyPath, service: ServiceSettings) -> Iterator[Finding]:
    if service.upstream is None and not service.tunnel:
        yield Finding(
            (*path, "upstream"),
            "is missing",
            "where requests go, such as http://127.0.0.1:3000; or `tunnel = true` for a service that dials in",
            f"add `upstream = …` to [{'.'.join(map(str, path))}]",
        )
    if service.upstream is not None and service.tunnel:
        yield Finding(
            (*path, "tunnel"),
            f"says that the service dials in, and `upstream` says that it is {service.upstream}",
            "one of the two",
            "take `upstream` away, or `tunnel`",
        )
    if service.balance and not service.tunnel:
        yield Finding(
            (*path, "balance"),
            "spreads visitors over tunnels, and this service has an upstream",
            "balance together with tunnel",
            "take `balance` away",
        )


def _http(path: KeyPath, service: ServiceSettings) -> Iterator[Finding]:
    for field in _TCP_ONLY:
        if field in service.model_fields_set:
            yield Finding(
                (*path, _key(field)),
                "is for raw TCP, and this service is HTTP",
                'this key together with kind = "tcp"',
                f'add `kind = "tcp"`, or take `{_key(field)}` away',
            )
    for place, upstream in _upstreams(path, service):
        if upstream and upstream.scheme == "tcp":
            yield Finding(
                (*place, "upstream"),
                f"{upstream} is raw TCP, and this service is HTTP",
                "http://HOST:PORT and the like",
                'add `kind = "tcp"` and `listen`, or write http:// or https://',
            )


def _upstreams(path: KeyPath, service: ServiceSettings) -> Iterator[tuple[KeyPath, Upstream | None]]:
    yield path, service.upstream
    for number, part in enumerate(service.routes):
        yield (*path, "routes", number), part.upstream


def _tcp(path: KeyPath, service: ServiceSettings) -> Iterator[Finding]:
    if service.listen is None:
        yield Finding(
            (*path, "listen"),
            "is missing",
            "the port at which raw TCP comes in, such as 5432",
            f"add `listen = …` to [{'.'.join(map(str, path))}]",
        )
    if not service.allow:
        yield Finding(
            (*path, "allow"),
            "is missing, and no login stands before raw TCP",
            'networks that may connect, such as ["10.0.0.0/8"]',
            'add `allow = […]`; ["0.0.0.0/0", "::/0"] lets everybody in',
        )
    if service.upstream is not None and service.upstream.scheme not in {"tcp", "unix"}:
        yield Finding(
            (*path, "upstream"),
            f"{service.upstream} is no raw TCP",
            "tcp://HOST:PORT or unix:/PATH",
            "write tcp://HOST:PORT",
        )
    for field in sorted(service.model_fields_set - _TCP_KEYS):
        yield Finding(
            (*path, _key(field)),
            "means nothing to raw TCP, which has no requests and no login",
            f"one of {', '.join(map(_key, sorted(_TCP_KEYS)))}",
            f"take `{_key(field)}` away",
        )


def _repeated_ports(settings: Settings) -> Iterator[Finding]:
    taken: dict[int, str] = {}
    for name, service in settings.services.items():
        if service.tunnel is False or service.tunnel is True:
            continue
        earlier = taken.setdefault(service.tunnel, name)
        if earlier != name:
            yield Finding(
                ("services", name, "tunnel"),
                f"`ssh -R {service.tunnel}:…` means the service {earlier} already",
                "a port of its own for each service",
                "choose another port, or write true and publish by name",
            )


def _key(field: str) -> str:
    return field.replace("_", "-")
