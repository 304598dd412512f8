"""Who may come from where, as values that another process can be told; and the verdict on one place.

    rules = rules_of(settings)                                  # {'': Rule(...), 'wiki': Rule(...)}
    verdict(rules[""], country="FR", network="AS3215")          # 'FR is not in `allow`'; '' lets pass

The rule of the whole gateway has the name ''; any other is that of the service. Each rule stands for itself: what the
gateway's refuses, a service's can't let in.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the process that compiles has no use for pydantic
    from portward.config import Settings
    from portward.config.countries import Countries

GATEWAY = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """As in portward.toml, with names of networks resolved.

    `unknown`: whether what nobody knows is refused: the country, or the network where only networks are asked for.
    """

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    as_allow: tuple[int, ...] = ()
    as_deny: tuple[int, ...] = ()
    exceptions: tuple[str, ...] = ()
    unknown: bool = False

    @property
    def asks_countries(self) -> bool:
        return bool(self.allow or self.deny) or not self.asks_networks

    @property
    def asks_networks(self) -> bool:
        return bool(self.as_allow or self.as_deny)


def rules_of(settings: "Settings") -> dict[str, Rule]:
    """Every rule that the configuration has, by the service that it is for."""
    found = {GATEWAY: settings.defence.countries}
    found |= {name: service.countries for name, service in settings.services.items()}
    return {name: _rule(countries, settings) for name, countries in found.items() if countries}


def spell(rules: Mapping[str, Rule]) -> dict[str, Any]:
    """As JSON can hold them."""
    return {name: asdict(rule) for name, rule in rules.items()}


def read(spelt: Mapping[str, Any]) -> dict[str, Rule]:
    """What `spell` wrote."""
    return {name: Rule(**{key: _tuple(value) for key, value in rule.items()}) for name, rule in spelt.items()}


def verdict(rule: Rule, country: str, network: int) -> str:
    """Why an address of this country ('': unknown) and this AS (0: unknown) is refused; '' where it is not."""
    if network in rule.as_deny:
        return f"AS{network} is in `as-deny`"
    if country in rule.deny:
        return f"{country} is in `deny`"
    if network in rule.as_allow or country in rule.allow:
        return ""
    if rule.asks_countries:
        refused = f"{country} is not in `allow`" if rule.allow or rule.as_allow else ""
        return refused if country else _of_unknown("country", rule)
    return (f"AS{network} is not in `as-allow`" if rule.as_allow else "") if network else _of_unknown("network", rule)


def _of_unknown(what: str, rule: Rule) -> str:
    return f"its {what} is unknown" if rule.unknown else ""


def _rule(countries: "Countries", settings: "Settings") -> Rule:
    return Rule(
        allow=tuple(sorted(countries.allow)),
        deny=tuple(sorted(countries.deny)),
        as_allow=tuple(sorted(countries.as_allow)),
        as_deny=tuple(sorted(countries.as_deny)),
        exceptions=tuple(sorted(map(str, settings.networks_of(countries.except_)))),
        unknown=countries.refuses_unknown,
    )


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
