"""What the edge should be: a pure function from settings to the files and the memory of HAProxy.

    wanted = plan(settings, state, engine, addresses={"nas.lan": "10.0.0.7"})
    wanted.skeleton           # haproxy.cfg without its servers; only a change of this needs a reload
    wanted.routes             # {'hello.example.com/': 'm1n|hello-5f1c2a90|services|hello||'}

What the fields of a route's line mean is said in haproxy.cfg.j2, where they are read.
"""

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from portward.config import Settings
from portward.config.settings import ServiceSettings
from portward.defense.geo.borders import Borders
from portward.edge.bounds import Bounds, bounds_of
from portward.edge.doors import Door, doors
from portward.edge.engine import Engine
from portward.edge.render import BACKENDS, BUNDLE, Skeleton, render
from portward.edge.trust import NOBODY, Trust, asking_hosts, flag, reserved_flag, revoked_file
from portward.host.paths import State
from portward.identity.access import may
from portward.model import Access, Account, EdgeSession, Route, Upstream

RESERVED = "/.portward/"
"""The path of every host that belongs to the portal."""


@dataclass(frozen=True, slots=True)
class Server:
    """One upstream, as a server of weight 0 in one of the generic backends."""

    name: str
    backend: str
    address: str
    options: str

    @property
    def line(self) -> str:
        return f"  server {self.name} {self.address} weight 0{self.options}"


@dataclass(frozen=True, slots=True)
class Plan:
    skeleton: Skeleton
    servers: dict[str, Server]
    routes: dict[str, str]
    access: tuple[Route, ...]
    hosts: tuple[str, ...]
    doors: tuple[Door, ...]
    allow: dict[str, str]
    deny: dict[str, str]
    sources: dict[str, str]
    """The networks that services name in lists of their own (see bounds.py)."""
    owners: dict[str, str]
    """From where owners are logged in: no rule about countries shuts these out."""
    tls_options: dict[str, str]
    """What stands before a host in the crt-list; hosts that ask for no device are not in it."""

    def configuration(self) -> str:
        """The whole haproxy.cfg."""
        return self.skeleton.with_servers(
            {backend: [s.line for s in self.servers.values() if s.backend == backend] for backend in BACKENDS}
        )


def plan(
    settings: Settings,
    state: State,
    engine: Engine,
    *,
    addresses: Mapping[str, str],
    deny_lists: Sequence[bytes] = (),
    trust: Trust = NOBODY,
    borders: Borders | None = None,
    owners: Mapping[str, str] = MappingProxyType({}),
    alpn: bool = False,
) -> Plan:
    """Decide everything that does not depend on who is logged in.

    `addresses` resolves upstream host names; a name that is missing there gets no server, and its visitors a 503 page.
    `deny_lists` are the contents of `defence.deny-files`, a network a line. `trust` says whose devices count.
    `borders` is what the rules about countries come down to, and `owners` the networks for which they do not hold.
    With `alpn`, connections that offer `acme-tls/1` go to who answers an authority.
    """
    by_host: dict[str, list[Route]] = {settings.portal_host: []}
    for route in settings.routes:
        by_host.setdefault(route.host, []).append(route)
    servers = {s.name: s for route in settings.routes if (s := _server(route, state, addresses))}
    tcp = {name: _tcp_address(name, service, state, addresses) for name, service in settings.tcp_services.items()}
    bounds = bounds_of(settings)
    routes = {key: value for host, group in by_host.items() for key, value in _routes_of(host, group, settings, bounds)}
    own = doors(settings.listen.https, settings.proxies.proxy_protocol, ipv6=engine.ipv6)
    skeleton = render(settings, state, engine, deny_lists, tcp, trust, bounds, borders, alpn=alpn)
    bundle = state.edge / skeleton.fingerprint / BUNDLE
    return Plan(
        skeleton=skeleton,
        servers=servers,
        routes=routes,
        access=settings.routes,
        hosts=tuple(by_host),
        doors=own,
        allow={str(network): "allow" for network in (*settings.defence.allow, *(door.source for door in own))},
        deny={str(network): "deny" for network in settings.defence.deny},
        sources=dict(bounds.sources),
        owners=dict(owners) if borders and borders.has_gateway_rule else {},
        tls_options={
            host: trust.options(manner, bundle, revoked_file(state))
            for host, manner in asking_hosts(settings.routes).items()
        },
    )


def names_to_resolve(settings: Settings) -> frozenset[str]:
    """Upstream hosts that are names, not addresses."""
    upstreams = [route.upstream for route in settings.routes]
    upstreams += [service.upstream for service in settings.tcp_services.values() if service.upstream]
    return frozenset(upstream.host for upstream in upstreams if is_name(upstream.host))


def is_name(host: str) -> bool:
    """Whether an upstream's host must be resolved; an address and the empty host of a Unix socket need not be."""
    return bool(host) and not re.fullmatch(r"[0-9.]+|.*:.*", host)


def grants(routes: Collection[Route], accounts: Collection[Account]) -> dict[str, str]:
    """`account/route` for every account that may open a route which not every member may."""
    restricted = [route for route in routes if _policy(route.access) == "grant"]
    return {
        f"{account.name}/{route.name}": "1"
        for route in restricted
        for account in accounts
        if may(account, route.access)
    }


def person(account: Account) -> str:
    """An account's line in accounts.map: groups | name | e-mail, each percent-encoded."""
    groups = ",".join(sorted(account.groups))
    return "|".join(quote(part, safe=",@.-_") for part in (groups, account.display_name, account.email))


def session_line(session: EdgeSession) -> str:
    """A session's value in sessions.map: expiry | account | session | second factor until (0 where there is none)."""
    until = int(session.second_factor_until.timestamp()) if session.second_factor_until else 0
    return f"{int(session.expires_at.timestamp())}|{session.account}|{session.session_id}|{until}"


def _routes_of(host: str, group: list[Route], settings: Settings, bounds: Bounds) -> list[tuple[str, str]]:
    ours = "p1n||portal|portal||"
    if host == settings.portal_host:
        return [(f"{host}/", ours)]
    strict = any(route.path != "/" or route.paths for route in group)
    entries = [
        (f"{host}{prefix.lower()}", _route_line(route, bounds.tail(route.service), settings, strict=strict))
        for route in group
        for prefix in _prefixes(route)
    ]
    return [*entries, (f"{host}{RESERVED}", ours.replace("|", f"{reserved_flag(group)}|", 1))]


def _prefixes(route: Route) -> tuple[str, ...]:
    """`paths` narrows a route: only what is below one of them leads anywhere."""
    return tuple(path for path in route.paths if path.startswith(route.path)) if route.paths else (route.path,)


def _route_line(route: Route, tail: str, settings: Settings, *, strict: bool) -> str:
    patience = route.timeout or (settings.timeouts.server if tail else None)
    timeout = str(int(patience.total_seconds() * 1000)) if patience else ""
    flags = (
        _policy(route.access)[0] + ("2" if route.access.second_factor else "1") + ("s" if strict else "n") + flag(route)
    )
    depth = str(route.path.count("/") - 1) if route.strip else ""
    return "|".join((flags, server_name(route), _backend(route), route.name, depth, timeout)) + tail


def _policy(access: Access) -> str:
    return "public" if access.public else "members" if access.members else "grant"


def _backend(route: Route) -> str:
    return "services" + ("-strip" if route.strip else "") + ("-gzip" if route.compress else "")


def server_name(route: Route) -> str:
    """A server's name: its route, and a digest of what makes it another server when it changes."""
    digest = hashlib.sha256(f"{route.upstream}|{route.verify}|{_backend(route)}".encode()).hexdigest()[:8]
    return f"{re.sub(r'[^a-z0-9:-]', '_', route.name.lower())}-{digest}"


def _server(route: Route, state: State, addresses: Mapping[str, str]) -> Server | None:
    address = _address(route.service, route.upstream, state, addresses)
    if address is None:
        return None
    return Server(server_name(route), _backend(route), address, _options(route))


def _tcp_address(name: str, service: ServiceSettings, state: State, addresses: Mapping[str, str]) -> str | None:
    return _address(name, service.upstream or Upstream("tunnel"), state, addresses)


def _address(service: str, upstream: Upstream, state: State, addresses: Mapping[str, str]) -> str | None:
    if upstream.scheme == "tunnel":
        return f"unix@{state.service_socket(service)}"
    if upstream.scheme == "demo":
        return f"unix@{state.demo_socket}"
    if upstream.scheme == "unix":
        return f"unix@{upstream.path}"
    host = addresses.get(upstream.host) if is_name(upstream.host) else upstream.host
    if not host:
        return None
    return f"[{host}]:{upstream.port}" if ":" in host else f"{host}:{upstream.port}"


def _options(route: Route) -> str:
    if route.upstream.scheme == "h2c":
        return " proto h2"
    if route.upstream.scheme != "https":
        return ""
    if route.verify is False:
        return f" ssl verify none sni str({route.upstream.host})"
    authorities = "@system-ca" if route.verify is True else str(route.verify)
    return f" ssl verify required ca-file {authorities} sni str({route.upstream.host})"
