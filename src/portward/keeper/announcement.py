"""What a person sees when Portward is ready: the addresses, and how to become its owner.

print(announcement(settings, link="https://auth.example.com/enrol?token=..."))
"""

import os
import sys

from portward.config import Settings
from portward.config.settings import ServiceSettings
from portward.config.values import spell_access
from portward.model import Route


def announcement(settings: Settings, *, link: str | None) -> str:
    """The `ready` line, a table of addresses, and the owner's one-time link while there is no owner."""
    rows = [
        ("portal", settings.url(settings.portal_host, "/"), "everybody"),
        *(_row(settings, route) for route in settings.routes),
        *(_tcp_row(settings, name, service) for name, service in settings.tcp_services.items()),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [f"  {name:<{widths[0]}}  {url:<{widths[1]}}  {access}" for name, url, access in rows]
    text = ["", "ready", "", *lines, ""]
    if link:
        text += ["Open this once, within an hour, to become the owner:", "", f"  {link}", ""]
    return "\n".join(text)


def link_may_be_printed() -> bool:
    """Whether standard output is read by a person or by whoever started us, not kept in the system's journal."""
    return "JOURNAL_STREAM" not in os.environ or sys.stdout.isatty()


def _tcp_row(settings: Settings, name: str, service: ServiceSettings) -> tuple[str, str, str]:
    networks = ", ".join(map(str, service.allow))
    return name, settings.tcp_url(name), f"{networks} → {service.upstream or 'tunnel'}"


def _row(settings: Settings, route: Route) -> tuple[str, str, str]:
    spelled = spell_access(route.access)
    access = spelled if isinstance(spelled, str) else ", ".join(spelled)
    factor = " + second factor" if route.access.second_factor else ""
    return route.name, settings.url(route.host, route.path), f"{access}{factor} → {route.upstream}"
