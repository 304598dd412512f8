"""What no single value of portward.toml shows: settings that contradict each other, or lead back to the gateway.

    list(check(settings, surroundings))     # [] when all is well

Pure: what the machine is like comes in as `Surroundings`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from portward.config.carriage import check_carriage
from portward.config.checklogs import check_logs
from portward.config.checkmail import check_mail
from portward.config.country_checks import check_countries
from portward.config.detectors import contradictions
from portward.config.devices import check_devices
from portward.config.findings import Finding
from portward.config.limit_checks import check_limits
from portward.config.lines import KeyPath
from portward.config.named import check_names
from portward.config.settings import ServiceSettings, Settings
from portward.config.tls import Tls
from portward.config.values import Address
from portward.model import Route, Upstream

_EVERYWHERE = {"", "0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks must know of the machine: its addresses, and where the gateway's own sockets are."""

    is_own: Callable[[str], bool]
    """Whether a literal address, or `localhost`, is one of this machine."""
    run: Path
    """The run directory, absolute."""


def check(settings: Settings, around: Surroundings) -> Iterator[Finding]:
    """Every contradiction, in the order of the file."""
    yield from check_names(settings)
    yield from _listeners(settings)
    yield from check_carriage(settings)
    yield from check_limits(settings)
    yield from check_countries(settings)
    yield from _trusted(settings)
    yield from _lifetimes(settings)
    yield from _acme(settings)
    yield from _hosts(settings)
    yield from _detectors(settings)
    yield from check_logs(settings)
    yield from check_mail(settings)
    yield from _repeated_routes(settings)
    yield from check_devices(list(placed_routes(settings)))
    for path, route in placed_routes(settings):
        yield from _route(path, route)
        yield from _loop(path, route.upstream, settings, around)
    for name, service in settings.tcp_services.items():
        if service.upstream:
            yield from _loop(("services", name), service.upstream, settings, around)


def _detectors(settings: Settings) -> Iterator[Finding]:
    for name, key, problem in contradictions(settings.defence.detectors):
        expected = "address, prefix or network" if key == "scope" else "a cap no shorter than `ban`"
        yield Finding(("defence", "detectors", name, key), problem, expected)


def placed_routes(settings: Settings) -> Iterator[tuple[KeyPath, Route]]:
    """Every route with the path of the table that makes it."""
    routes = iter(settings.routes)
    for name, service in settings.services.items():
        if service.kind != "http":
            continue
        yield ("services", name), next(routes)
        for number in range(len(service.routes)):
            yield ("services", name, "routes", number), next(routes)


def _listeners(settings: Settings) -> Iterator[Finding]:
    for (first_path, first), (path, second) in combinations(placed_listeners(settings), 2):
        if not _overlap(first, second):
            continue
        shares_https = path[0] == "tunnels" and first_path[:2] == ("listen", "https")
        yield Finding(
            path,
            f'"{second.text}" is taken already by "{first.text}"',
            "an address that HTTPS does not use: another port, or the same one on an address of its own"
            if shares_https
            else "each address and port once",
            'choose another port; or give HTTPS and SSH an address each, as in "192.0.2.1:443" and "192.0.2.2:443"'
            if shares_https
            else "choose another port, or take one of the two away",
        )


def placed_listeners(settings: Settings) -> list[tuple[KeyPath, Address]]:
    """Every address at which something of the gateway listens, with the path of its key."""
    listen = settings.listen
    placed: list[tuple[KeyPath, Address]] = [
        (("listen", "https", n), address) for n, address in enumerate(listen.https)
    ]
    placed += [(("listen", "http", n), address) for n, address in enumerate(listen.http)]
    if settings.asks_for_tunnels:
        placed += [(("tunnels", "listen", n), address) for n, address in enumerate(settings.tunnel_policy.listen)]
    placed += [
        (("services", name, "listen"), service.listen)
        for name, service in settings.tcp_services.items()
        if service.listen
    ]
    return placed


def _overlap(one: Address, other: Address) -> bool:
    if one.port != other.port:
        return False
    if one.host == other.host or "" in (one.host, other.host):
        return True
    same_family = (":" in one.host) == (":" in other.host)
    return same_family and not _EVERYWHERE.isdisjoint({one.host, other.host})


def _trusted(settings: Settings) -> Iterator[Finding]:
    proxies = {"forwarded-for": settings.proxies.forwarded_for, "proxy-protocol": settings.proxies.proxy_protocol}
    for key, networks in proxies.items():
        for number, network in enumerate(networks):
            if network.prefixlen == 0:
                yield Finding(
                    ("proxies", key, number),
                    f'"{network}" lets every client choose the address that it is known by',
                    "the networks of your own load balancers",
                    "name the load balancer's address, or the private network that it is in, such as 10.0.0.0/8",
                )


def _lifetimes(settings: Settings) -> Iterator[Finding]:
    if settings.sessions.idle > settings.sessions.absolute:
        yield Finding(
            ("sessions", "idle"),
            "is longer than sessions.absolute, so that it never counts",
            "at most sessions.absolute",
            "make idle shorter, or absolute longer",
        )


def _acme(settings: Settings) -> Iterator[Finding]:
    tls = settings.tls
    if tls.mode != "acme":
        return
    if tls.challenge == "http-01" and not settings.listen.http:
        yield Finding(
            ("tls", "challenge"),
            "http-01 is answered at port 80, and listen.http is empty",
            "a listener for plain HTTP, or another challenge",
            'add an address to listen.http, or write challenge = "tls-alpn-01"',
        )
    if tls.wildcards and tls.challenge != "dns-01":
        yield Finding(
            ("tls", "wildcards"),
            f"authorities give wildcards for dns-01 alone, not for {tls.challenge}",
            'challenge = "dns-01"',
            'write challenge = "dns-01" and a table [tls.dns], or take `wildcards` away',
        )
    if tls.challenge == "dns-01":
        yield from _dns(settings.tls)
    for number, authority in enumerate(tls.authorities):
        if (authority.eab_kid is None) != (authority.eab_hmac_file is None):
            yield Finding(
                ("tls", "authorities", number),
                "has half of an external account binding",
                "eab-kid together with eab-hmac-file",
            )


def _dns(tls: Tls) -> Iterator[Finding]:
    if tls.dns is None or (tls.dns.provider is None) == (tls.dns.hook is None):
        yield Finding(
            ("tls", "dns"),
            "does not say how to write into the zone",
            "either a `provider` or a `hook`",
            'write [tls.dns] with provider = "NAME" and credentials-file, or with hook = "PROGRAM"',
        )
    elif tls.dns.provider is not None and tls.dns.credentials_file is None:
        yield Finding(
            ("tls", "dns", "credentials-file"),
            "is missing, and the provider wants to know who asks",
            "a file with the provider's options, such as auth_token",
        )


def _hosts(settings: Settings) -> Iterator[Finding]:
    for name, service in settings.services.items():
        if (service.host or f"{name}.{settings.domain}") == settings.portal_host:
            yield Finding(
                _host_key(name, service),
                f"{settings.portal_host} is where people log in, and can't be a service too",
                "any other host",
                "choose another `host`, or another name for the service",
            )


def _host_key(name: str, service: ServiceSettings) -> KeyPath:
    return ("services", name, "host") if service.host else ("services", name)


def _repeated_routes(settings: Settings) -> Iterator[Finding]:
    taken: dict[tuple[str, str], Route] = {}
    for path, route in placed_routes(settings):
        earlier = taken.setdefault((route.host, route.path), route)
        if earlier is not route:
            yield Finding(
                path,
                f"{route.host}{route.path} belongs to the service {earlier.service} already",
                "each host and path once",
                "choose another `host` or `path`",
            )


def _route(path: KeyPath, route: Route) -> Iterator[Finding]:
    if route.strip and route.path == "/":
        yield Finding(
            (*path, "strip"),
            "there is nothing to strip from the path /",
            "strip together with a path such as /app1",
            "take `strip` away, or give a `path`",
        )
    if route.access.public and route.access.second_factor:
        yield Finding(
            (*path, "second-factor"),
            "public asks nobody to log in, so nobody can show a second factor",
            "a second factor together with members, owners, groups or accounts",
            "change `access`, or take `second-factor` away",
        )
    if route.paths and not any(route.path.startswith(part) or part.startswith(route.path) for part in route.paths):
        yield Finding(
            path,
            f"{route.path} is shut out by `paths`, so that nobody can reach it",
            f"`paths` that hold {route.path} or a part of it",
            f"add {route.path} to `paths`",
        )


def _loop(path: KeyPath, upstream: Upstream, settings: Settings, around: Surroundings) -> Iterator[Finding]:
    if _leads_back(upstream, settings, around):
        yield Finding(
            (*path, "upstream"),
            f"{upstream} is this gateway itself",
            "the address of the service behind the gateway",
            "give the service a port of its own, and name that one",
        )


def _leads_back(upstream: Upstream, settings: Settings, around: Surroundings) -> bool:
    if upstream.scheme in {"demo", "tunnel"}:
        return False
    if upstream.scheme == "unix":
        socket = Path(upstream.path)
        return socket.is_relative_to(around.run) and socket.name != "demo.sock"
    if upstream.host in _public_hosts(settings):
        return upstream.port in _ports(settings)
    return any(
        listener.port == upstream.port and _reaches(upstream.host, listener.host, around)
        for _, listener in placed_listeners(settings)
    )


def _public_hosts(settings: Settings) -> set[str]:
    return {settings.portal_host, settings.domain, *(route.host for route in settings.routes)}


def _ports(settings: Settings) -> set[int]:
    return {settings.public_port, *(address.port for _, address in placed_listeners(settings))}


def _reaches(host: str, listener: str, around: Surroundings) -> bool:
    if not around.is_own(host):
        return False
    everywhere = listener in _EVERYWHERE or host in _EVERYWHERE
    return everywhere or host == listener or (host == "localhost" and listener in {"127.0.0.1", "::1"})
