"""Whether a key may publish what it asks for, and as which service. Pure.

decide(Wish("blog", 80), ann_laptop, rules)       # Publish(ServiceRule(name="blog", …), made=False)
decide(Wish("0.0.0.0", 80), ann_laptop, rules)    # Refused("no address of the gateway can be listened at; …")
"""

from collections.abc import Callable
from dataclasses import dataclass

from portward.model import own_prefix
from portward.tunnels.rules import KeyRule, Policy, Rules, ServiceRule
from portward.tunnels.server.naming import label

_NOWHERE = frozenset(("", "localhost", "127.0.0.1", "::1"))
"""What clients send when `-R 3000:…` has no name in front."""
_WEB_PORTS = frozenset((0, 80, 443))
_FIRST_FREE_PORT = 1024


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asked for, in its own words: an address and a port, or the path of a Unix socket."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        return f"-R {self.path}" if self.path else f"-R {self.host}:{self.port}" if self.host else f"-R {self.port}"


@dataclass(frozen=True, slots=True)
class Publish:
    """The forward is granted. `made`: portward.toml has no such service."""

    service: ServiceRule
    made: bool = False


@dataclass(frozen=True, slots=True)
class Loop:
    """A port that leads back to the same connection, and is no port of the gateway: autossh -M watches over one."""

    port: int


@dataclass(frozen=True, slots=True)
class Refused:
    """`why` is a sentence for the person at the client."""

    why: str


def decide(wish: Wish, key: KeyRule, rules: Rules, made_up: Callable[[], str]) -> Publish | Loop | Refused:
    """What becomes of a wish, as far as the rules can tell; who holds the name just now is not looked at.

    `made_up` gives a free name where the client wants any. A `Loop` is for the caller to grant or not.
    """
    if wish.path:
        return _by_path(wish.path, key, rules)
    if wish.host in _NOWHERE:
        return _by_port(wish.port, key, rules, made_up)
    name = _name_of_host(wish.host, rules) or label(wish.host, rules.policy.domain)
    if name is None:
        return Refused(f"no address of the gateway can be listened at; name a service: -R NAME:80:…, not {wish}")
    return _named(name, wish.port, key, rules)


def matches(pattern: str, name: str) -> bool:
    """Whether `blog`, `ann-*` or `*` covers a name."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def on_the_spot(name: str, policy: Policy) -> ServiceRule:
    """The service that a name stands for when portward.toml has none."""
    host = f"{name}.{policy.domain}"
    port = "" if policy.public_port == 443 else f":{policy.public_port}"
    return ServiceRule(name=name, host=host, url=f"https://{host}{port}")


def _name_of_host(host: str, rules: Rules) -> str | None:
    return next((service.name for service in rules.services if service.host == host.lower()), None)


def _by_path(path: str, key: KeyRule, rules: Rules) -> Publish | Loop | Refused:
    name = label(path.removeprefix("/").removesuffix(".sock"), rules.policy.domain)
    if name is None or not path.startswith("/"):
        return Refused(f"no socket {path} can be made here; a service's own is /NAME, as in -R /blog:localhost:80")
    return _named(name, 0, key, rules)


def _by_port(port: int, key: KeyRule, rules: Rules, made_up: Callable[[], str]) -> Publish | Loop | Refused:
    if port == 0:
        prefix = own_prefix(key.account) if rules.policy.naming == "prefix" else _first_prefix(key)
        return _named(prefix + made_up(), 0, key, rules)
    service = next((service for service in rules.services if service.port == port), None)
    if service is not None:
        return _permitted(service, key)
    if port < _FIRST_FREE_PORT:
        return Refused(f"port {port} is not a tunnel's; name a service: -R NAME:80:…, or -R 0:… for a random name")
    return Loop(port)


def _first_prefix(key: KeyRule) -> str:
    prefixes = [pattern[:-1] for pattern in key.publish if pattern.endswith("*")]
    return min(prefixes, key=len, default="")


def _named(name: str, port: int, key: KeyRule, rules: Rules) -> Publish | Loop | Refused:
    service = next((service for service in rules.services if service.name == name), None)
    if service is None:
        return _made(name, port, key, rules)
    ports = {0, service.port, service.public_port} | (_WEB_PORTS if service.kind == "http" else set())
    if port not in ports and port != rules.policy.public_port:
        right = service.public_port if service.kind == "tcp" else 80
        return Refused(f"{name} has no port {port}: ask for -R {name}:{right}:…")
    return _permitted(service, key)


def _permitted(service: ServiceRule, key: KeyRule) -> Publish | Refused:
    if any(matches(pattern, service.name) for pattern in key.publish):
        return Publish(service)
    return Refused(f"the key {key.name} of {key.account} may not publish {service.name}; {_may(key)}")


def _made(name: str, port: int, key: KeyRule, rules: Rules) -> Publish | Refused:
    policy, prefix = rules.policy, own_prefix(key.account)
    if policy.naming == "prefix" and not name.startswith(prefix):
        return Refused(f"there is no service {name} with a tunnel; a new one of {key.account}'s begins with {prefix}")
    if not any(matches(pattern, name) for pattern in key.publish):
        return Refused(f"the key {key.name} of {key.account} may not publish {name}; {_may(key)}")
    if name in rules.taken:
        return Refused(f"the name {name} is another service's; choose another one")
    if len(name) > 63:
        return Refused(f"the name {name} is longer than the 63 letters that DNS permits")
    if port not in _WEB_PORTS and port != policy.public_port:
        return Refused(f"a service made on the spot speaks HTTP: ask for -R {name}:80:…, not port {port}")
    return Publish(on_the_spot(name, policy), made=True)


def _may(key: KeyRule) -> str:
    return f"it may publish {', '.join(key.publish)}" if key.publish else "it may publish nothing"
