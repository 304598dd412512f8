"""The shape of portward.toml: frozen values, checked when they are made.

    settings = Settings.model_validate({"domain": "example.com"})
    settings.url("hello.example.com")           # 'https://hello.example.com:8443'

Keys are written with dashes in the file (`second-factor`) and with underscores here. Durations are strings such as
`30s`, `15m`, `12h` and `30d`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from portward.config.countries import Countries
from portward.config.defence import Defence
from portward.config.limits import Limits, ServiceLimits
from portward.config.mail import Mail
from portward.config.section import Section
from portward.config.spelling import NetworkName
from portward.config.tls import Tls
from portward.config.tunnels import Carried, PortOrAddress, Tunnels
from portward.config.values import (
    AccessRule,
    Address,
    Authority,
    CertificateFile,
    Duration,
    Flag,
    Host,
    ListenAddress,
    Network,
    NetworkLabel,
    PathPrefix,
    Port,
    ServiceName,
    Source,
    Timeout,
    UpstreamUrl,
)
from portward.model import Access, DeviceRefusal, DeviceRule, Route, Upstream


class Listen(Section):
    """Where the edge listens: `ADDRESS:PORT`, `[IPV6]:PORT` or `:PORT` for every address."""

    https: Annotated[tuple[ListenAddress, ...], Field(min_length=1)] = (Address(":8443"),)
    """Addresses for HTTPS; the port of the first one stands in every link."""
    http: tuple[ListenAddress, ...] = (Address(":8080"),)
    """Addresses for plain HTTP, which only sends visitors to HTTPS. An empty list listens nowhere."""
    public_port: Port | None = None
    """The port that visitors use, where it differs from `https` (a router forwards 443 to 8443)."""


class Proxies(Section):
    """Load balancers in front of the edge. Empty lists trust nobody."""

    forwarded_for: tuple[Network, ...] = ()
    """Networks whose X-Forwarded-For is believed (its last entry)."""
    proxy_protocol: tuple[Network, ...] = ()
    """Networks that must send PROXY protocol v1 or v2."""


class Timeouts(Section):
    """How long the edge waits for whom."""

    connect: Timeout = timedelta(seconds=2)
    """An upstream must accept a connection within this time."""
    headers: Timeout = timedelta(seconds=10)
    """A client must have sent its headers, and the first 16 KB of its body, within this time."""
    client: Timeout = timedelta(seconds=60)
    """Silence of a client, in the middle of a request, after which it is cut off."""
    server: Timeout = timedelta(seconds=60)
    """Silence of an upstream after which a visitor gets 504; a service may have its own `timeout`."""
    keep_alive: Timeout = timedelta(seconds=60)
    """How long an idle connection of a client stays open for its next request."""
    tunnel: Timeout = timedelta(hours=1)
    """Silence after which a WebSocket is closed."""
    drain: Timeout = timedelta(minutes=30)
    """How long old connections may live on after a reload."""


class SessionPolicy(Section):
    """How long people stay logged in."""

    idle: Duration = timedelta(days=7)
    """A session ends when it was not used for this long."""
    absolute: Duration = timedelta(days=30)
    """A session ends this long after its login, however much it is used."""
    second_factor: Duration = timedelta(hours=24)
    """How long a second factor counts for services that demand one."""


class Devices(Section):
    """Certificates of phones, laptops and programs, which services may demand or take for a second factor."""

    approval: Flag = True
    """Whether an owner must approve what an account enrols by itself. Owners' own devices wait for nobody."""
    lifetime: Duration = timedelta(days=365)
    """How long a certificate counts before it must be renewed."""
    remind: Duration = timedelta(days=30)
    """How long before its end a reminder stands at home and among the events."""
    authorities: tuple[CertificateFile, ...] = ()
    """Other authorities' certificates, PEM. Their devices satisfy `required`, whoever logs in with them."""
    crl_files: tuple[CertificateFile, ...] = ()
    """Revocation lists of those authorities, PEM; either none of them, or one of each authority."""


class Log(Section):
    """What is written down, and for how long."""

    keep: Duration = timedelta(days=30)
    """How long access logs and events are kept."""
    rotate: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 100
    """Size of one access log file, in MB, at which the next one begins."""


class RouteSettings(Section):
    """A path prefix of a service's host that goes elsewhere, or has an access rule of its own."""

    path: PathPrefix
    """The prefix. Of several that match a request, the longest one takes it."""
    upstream: UpstreamUrl | None = None
    """Where its requests go. Default: the service's upstream."""
    strip: Flag = False
    """Take the prefix off before the request goes to the upstream."""
    access: AccessRule | None = None
    """Who may open it. Default: the service's rule."""
    second_factor: Flag | None = None
    """Whether a second factor is needed. Default: as the service says; never where `access` is public."""
    device: DeviceRule | None = None
    """Whether a device's certificate is demanded. Default: as the service says."""


class ServiceSettings(Section):
    """A private service, and who may open it."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["upstream"]}, {"required": ["tunnel"]}]})

    host: Host | None = None
    """The public name. Default: the service's name before the domain."""
    path: PathPrefix = "/"
    """Only this prefix of the host; another service may have the rest."""
    upstream: UpstreamUrl | None = None
    """Where requests go: http, https or h2c with host and port, a Unix socket, or `demo`."""
    tunnel: Carried = False
    """The service dials in by SSH, instead of `upstream`: `true`, or the port by which `ssh -R PORT:…` means it."""
    balance: Flag = False
    """Several tunnels of one key may carry it together."""
    kind: Literal["http", "tcp"] = "http"
    """`tcp` passes raw connections on: no login stands before it, `allow` does."""
    listen: PortOrAddress | None = None
    """The port of a `tcp` service, or its address and port."""
    allow: tuple[Source, ...] = ()
    """Networks, or names of networks, that may connect to a `tcp` service; nobody else does."""
    allow_from: tuple[Source, ...] = ()
    """Networks, or names of them, from which an HTTP service is open. Empty: all. It takes a login all the same."""
    deny_from: tuple[Source, ...] = ()
    """Networks, or names of networks, from which it may not; they come before `allow-from` and `allow`."""
    limits: ServiceLimits = ServiceLimits()
    """How much one visitor may ask of it, on top of [limits]."""
    proxy_protocol: Literal["v2"] | None = None
    """`v2` tells the upstream of a `tcp` service the visitor's address (PROXY protocol, version 2)."""
    countries: Countries | None = None
    """From which countries, and networks (AS), it may be opened; on top of `defence.countries`."""
    access: AccessRule = Access(members=True)
    """Who may open it: public, members, owners, group:NAME, account:NAME, or a list of these."""
    second_factor: Flag = False
    """Whether a second factor is needed on top of the login."""
    device: DeviceRule = "ignored"
    """A device's certificate: `required`, taken in place of a `second-factor`, or `ignored`."""
    device_refusal: DeviceRefusal = "page"
    """Without one that is required: a `page` that says how to enrol, or no TLS `handshake`."""
    strip: Flag = False
    """Take `path` off before the request goes to the upstream."""
    paths: tuple[PathPrefix, ...] = ()
    """Only these prefixes are served, anything else is 404. Empty: all."""
    compress: Flag = False
    """Compress text on its way to the visitor."""
    verify: Authority = True
    """Check an https upstream's certificate: against the system's authorities, against a CA file, or not at all."""
    timeout: Timeout | None = None
    """Silence of this upstream after which a visitor gets 504. Default: `timeouts.server`."""
    routes: tuple[RouteSettings, ...] = ()
    """Prefixes of the same host that go elsewhere, or have an access rule of their own."""


class Settings(Section):
    """Everything that the operator decides."""

    domain: Host = "portward.localhost"
    """The name under which services live; people log in at `auth.DOMAIN`."""
    listen: Listen = Listen()
    """Where the edge listens."""
    tls: Tls = Tls()
    """Certificates, and the versions of TLS that are spoken."""
    proxies: Proxies = Proxies()
    """Load balancers in front of the edge."""
    networks: dict[NetworkLabel, tuple[Network, ...]] = Field(default={})
    """Networks by name, for lists elsewhere in the file: `office = ["203.0.113.0/24"]`."""
    limits: Limits = Limits()
    """How much one source may ask for."""
    timeouts: Timeouts = Timeouts()
    """How long the edge waits for whom."""
    sessions: SessionPolicy = SessionPolicy()
    """How long people stay logged in."""
    defence: Defence = Defence()
    """Address lists of gate 2."""
    devices: Devices = Devices()
    """Certificates of phones, laptops and programs."""
    mail: Mail | None = None
    """The server that takes the gateway's mail."""
    tunnels: Tunnels | None = None
    """The SSH server for services that dial in."""
    log: Log = Log()
    """What is written down, and for how long."""
    services: dict[ServiceName, ServiceSettings] = Field(default={})
    """The private services, by name."""

    def networks_of(self, sources: Iterable[Source]) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that a list means, each once. Names must be known; `portward.config.named` checks that."""
        found: dict[IPv4Network | IPv6Network, None] = {}
        for source in sources:
            found |= dict.fromkeys(self.networks[source] if isinstance(source, NetworkName) else (source,))
        return tuple(found)

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
    def tunnel_policy(self) -> Tunnels:
        """The table [tunnels], or what holds without one: a service or a key may want tunnels as well."""
        return self.tunnels or Tunnels()

    @property
    def asks_for_tunnels(self) -> bool:
        """Whether the file wants the SSH server to run; a key in the store may want it too."""
        return self.tunnels is not None or any(service.tunnel for service in self.services.values())

    @property
    def tcp_services(self) -> dict[str, ServiceSettings]:
        """Services that are no HTTP, and so have no route."""
        return {name: service for name, service in self.services.items() if service.kind == "tcp"}

    def tcp_url(self, name: str) -> str:
        """What a person needs to know of a raw TCP service: `tcp://db.example.com:5432`."""
        service = self.services[name]
        port = service.listen.port if service.listen else 0
        return f"tcp://{name}.{self.domain}:{port}"

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route of every HTTP service, in the order of the file."""
        return tuple(
            route
            for name, service in self.services.items()
            if service.kind == "http"
            for route in (self._own_route(name, service), *self._parts(name, service))
        )

    def _own_route(self, name: str, service: ServiceSettings) -> Route:
        return Route(
            name=name,
            service=name,
            host=service.host or f"{name}.{self.domain}",
            path=service.path,
            upstream=service.upstream or Upstream("tunnel"),
            access=replace(service.access, second_factor=service.second_factor),
            strip=service.strip,
            compress=service.compress,
            verify=service.verify,
            timeout=service.timeout,
            paths=service.paths,
            device=service.device,
            device_refusal=service.device_refusal,
        )

    def _parts(self, name: str, service: ServiceSettings) -> Iterator[Route]:
        own = self._own_route(name, service)
        for part in service.routes:
            access = _access_of(part, service)
            yield replace(
                own,
                name=f"{name}:{part.path.strip('/')}",
                path=part.path,
                upstream=part.upstream or own.upstream,
                access=access,
                strip=part.strip,
                device=part.device or _inherited_rule(own.device, access),
            )


def _access_of(part: RouteSettings, service: ServiceSettings) -> Access:
    access = part.access or service.access
    inherited = service.second_factor and not access.public
    return replace(access, second_factor=inherited if part.second_factor is None else part.second_factor)


def _inherited_rule(rule: DeviceRule, access: Access) -> DeviceRule:
    """A part that asks for no second factor has no use for something in its place."""
    return "ignored" if rule == "second-factor" and not access.second_factor else rule
