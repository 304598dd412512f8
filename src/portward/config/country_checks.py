"""Rules about countries, as far as no single value shows a mistake.

list(check_countries(settings))          # [] when all is well
"""

from collections.abc import Iterator

from portward.config.countries import Countries
from portward.config.findings import Finding
from portward.config.lines import KeyPath
from portward.config.settings import Settings


def check_countries(settings: Settings) -> Iterator[Finding]:
    """Lists that contradict each other, and tables that say nothing."""
    yield from _check(("defence", "countries"), settings.defence.countries)
    for name, service in settings.services.items():
        yield from _check(("services", name, "countries"), service.countries)


def _check(path: KeyPath, countries: Countries | None) -> Iterator[Finding]:
    if countries is None:
        return
    if countries.allow and countries.deny:
        yield Finding(
            (*path, "deny"),
            "says nothing beside `allow`, which shuts out every other country",
            "`allow` or `deny`",
            "take one of the two away",
        )
    for number in sorted({*countries.as_allow} & {*countries.as_deny}):
        yield Finding((*path, "as-deny"), f"AS{number} stands in `as-allow` as well", "each network once")
    if not countries.says_something:
        yield Finding(path, "shuts nobody out", "allow, deny, as-allow or as-deny", "add one of them, or take it away")
