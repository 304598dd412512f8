"""The shape of portward.toml: frozen values, checked when they are made.

    settings = Settings.model_validate({"domain": "example.com"})
    settings.url("hello.example.com")           # 'https://hello.example.com:8443'

Keys are written with dashes in the file (`second-factor`) and with underscores here. Durations are strings such as
`30s`, `15m`, `12h`, `30d`; sizes are `64KB`, `10MB`.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork

from portward.config.values import (
    AccessRule,
    Address,
    Duration,
    Host,
    ListenAddress,
    PathPrefix,
    ServiceName,
    UpstreamUrl,
)
from portward.model import Access, Route, Upstream

Count = Annotated[int, Field(ge=1, le=10_000_000)]


class Section(BaseModel):
    """Base of every table of the file: unknown keys are mistakes, and nothing changes after reading."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: name.replace("_", "-"),
        validate_by_name=False,
        validate_by_alias=True,
        arbitrary_types_allowed=True,
    )


class Listen(Section):
    """Where the edge listens: `ADDRESS:PORT`, `[IPV6]:PORT` or `:PORT` for every address."""

    https: tuple[ListenAddress, ...] = (Address(":8443"),)
    http: tuple[ListenAddress, ...] = (Address(":8080"),)
    public_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The port that visitors use, where it differs from `https` (a router forwards 443 to 8443)."""


class Tls(Section):
    mode: Literal["local"] = "local"
    minimum: Literal["1.2", "1.3"] = "1.2"
    hsts: Duration = timedelta(days=730)
    """How long a browser may remember to use HTTPS only; `0s` sends no such header."""


class Proxies(Section):
    """Load balancers in front of the edge. Empty lists trust nobody."""

    forwarded_for: tuple[IPvAnyNetwork, ...] = ()
    """Networks whose X-Forwarded-For is believed (its last entry)."""
    proxy_protocol: tuple[IPvAnyNetwork, ...] = ()
    """Networks that must send PROXY protocol v1 or v2."""


class Limits(Section):
    """Per source: an IPv4 address or an IPv6 /64."""

    connections: Count = 200
    """Open connections."""
    new_connections: Count = 300
    """New connections in 10 s."""
    requests: Count = 2000
    """Requests in 10 s, over all services."""
    session_requests: Count = 2000
    """Requests in 10 s of one session."""
    max_connections: Count = 4000
    """Open connections of all sources together."""


class Timeouts(Section):
    connect: Duration = timedelta(seconds=2)
    headers: Duration = timedelta(seconds=10)
    """A client must have sent its headers, and the first 16 KB of its body, within this time."""
    client: Duration = timedelta(seconds=60)
    server: Duration = timedelta(seconds=60)
    """Silence of an upstream after which a visitor gets 504; a service may have its own `timeout`."""
    keep_alive: Duration = timedelta(seconds=60)
    tunnel: Duration = timedelta(hours=1)
    """Silence after which a WebSocket is closed."""
    drain: Duration = timedelta(minutes=30)
    """How long old connections may live on after a reload."""


class SessionPolicy(Section):
    idle: Duration = timedelta(days=7)
    """A session ends when it was not used for this long."""
    absolute: Duration = timedelta(days=30)
    """A session ends this long after its login, however much it is used."""
    second_factor: Duration = timedelta(hours=24)
    """How long a second factor counts for services that demand one."""


class Defence(Section):
    """Address lists of gate 2. `allow` is looked at first."""

    allow: tuple[IPvAnyNetwork, ...] = ()
    deny: tuple[IPvAnyNetwork, ...] = ()


class Log(Section):
    keep: Duration = timedelta(days=30)
    """How long access logs and events are kept."""
    rotate: Annotated[int, Field(ge=1, le=10_000)] = 100
    """Size of one access log file, in MB, at which the next one begins."""


class RouteSettings(Section):
    """A path prefix of a service's host that goes elsewhere, or has an access rule of its own."""

    path: PathPrefix
    upstream: UpstreamUrl | None = None
    strip: bool = False
    access: AccessRule | None = None
    second_factor: bool | None = None


class ServiceSettings(Section):
    host: Host | None = None
    """Default: the service's name before the domain."""
    path: PathPrefix = "/"
    """Only this prefix of the host; another service may have the rest."""
    upstream: UpstreamUrl
    access: AccessRule = Access(members=True)
    second_factor: bool = False
    strip: bool = False
    paths: tuple[PathPrefix, ...] = ()
    """Only these prefixes are served, anything else is 404. Empty: all."""
    compress: bool = False
    verify: bool | str = True
    """Check an https upstream's certificate: against the system's authorities, against a CA file, or not at all."""
    timeout: Duration | None = None
    routes: tuple[RouteSettings, ...] = ()


class Settings(Section):
    domain: Host = "portward.localhost"
    listen: Listen = Listen()
    tls: Tls = Tls()
    proxies: Proxies = Proxies()
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    sessions: SessionPolicy = SessionPolicy()
    defence: Defence = Defence()
    log: Log = Log()
    services: dict[ServiceName, ServiceSettings] = {}

    @property
    def portal_host(self) -> str:
        """Where people log in. The console will live there too."""
        return f"auth.{self.domain}"

    @property
    def public_port(self) -> int:
        return self.listen.public_port or self.listen.https[0].port

    def url(self, host: str, path: str = "") -> str:
        """The public address of a host, with the port only where it is not 443."""
        port = "" if self.public_port == 443 else f":{self.public_port}"
        return f"https://{host}{port}{path}"

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route of every service, in the order of the file."""
        return tuple(route for name, service in self.services.items() for route in self._routes_of(name, service))

    def _routes_of(self, name: str, service: ServiceSettings) -> tuple[Route, ...]:
        host = service.host or f"{name}.{self.domain}"

        def route(path: str, upstream: Upstream, access: Access, *, strip: bool) -> Route:
            label = name if path == service.path else f"{name}:{path.strip('/')}"
            return Route(
                name=label,
                service=name,
                host=host,
                path=path,
                upstream=upstream,
                access=access,
                strip=strip,
                compress=service.compress,
                verify=service.verify,
                timeout=service.timeout,
                paths=service.paths,
            )

        def rule(access: Access, *, second_factor: bool) -> Access:
            return Access(
                public=access.public,
                members=access.members,
                owners=access.owners,
                groups=access.groups,
                accounts=access.accounts,
                second_factor=second_factor,
            )

        own = route(
            service.path,
            service.upstream,
            rule(service.access, second_factor=service.second_factor),
            strip=service.strip,
        )
        parts = (
            route(
                part.path,
                part.upstream or service.upstream,
                rule(
                    part.access or service.access,
                    second_factor=service.second_factor if part.second_factor is None else part.second_factor,
                ),
                strip=part.strip,
            )
            for part in service.routes
        )
        return (own, *parts)
