"""Names of networks that are used anywhere in portward.toml: each must stand in the table [networks].

    list(check_names(settings))     # [] when all is well

Whatever key holds a `Source` is covered by itself, so that no table has to remember it.
"""

import difflib
from collections.abc import Iterator, Mapping

from portward.config.findings import Finding
from portward.config.lines import KeyPath
from portward.config.section import Section
from portward.config.settings import Settings
from portward.config.spelling import NetworkName


def check_names(settings: Settings) -> Iterator[Finding]:
    """Every use of a name that is not known."""
    for path, name in _used((), settings):
        if name not in settings.networks:
            near = difflib.get_close_matches(name, settings.networks, n=1)
            yield Finding(
                path,
                f'"{name}" is no name in [networks]',
                "a network such as 10.0.0.0/8, or a name from [networks]",
                f"did you mean `{near[0]}`?" if near else f'add `{name} = ["…"]` to [networks]',
            )


def _used(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, NetworkName]]:
    if isinstance(value, NetworkName):
        yield path, value
    elif isinstance(value, Section):
        for name, field in type(value).model_fields.items():
            yield from _used((*path, field.alias or name), getattr(value, name))
    elif isinstance(value, Mapping):
        for key, element in value.items():
            yield from _used((*path, str(key)), element)
    elif isinstance(value, tuple):
        for number, element in enumerate(value):
            yield from _used((*path, number), element)
