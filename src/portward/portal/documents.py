"""Nouns as JSON documents, as the admin API gives them away.

account(ann)["groups"]              # ['family']

Times are RFC 3339 in UTC. Nothing secret is in any of these values to begin with.
"""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from portward.config import Settings
from portward.config.settings import ServiceSettings
from portward.config.values import spell_access, spell_duration
from portward.defense.blocklists import Standing
from portward.edge.refusals import RULES
from portward.model import Account, Ban, Device, Event, Group, Key, Route, Session
from portward.portal import problems
from portward.portal.wording import device
from portward.tunnels.control import Live

Document = dict[str, Any]


def account(account: Account) -> Document:
    return {
        **asdict(account),
        "groups": sorted(account.groups),
        "created_at": _time(account.created_at),
        "last_login_at": _time(account.last_login_at),
    }


def group(group: Group) -> Document:
    return {"name": group.name, "members": sorted(group.members)}


def session(session: Session) -> Document:
    return {
        **asdict(session),
        "created_at": _time(session.created_at),
        "seen_at": _time(session.seen_at),
        "expires_at": _time(session.expires_at),
        "second_factor_at": _time(session.second_factor_at),
        "device": device(session.user_agent).name,
    }


def device_of(device: Device) -> Document:
    """Without the request and the certificate, which are long."""
    times = ("requested_at", "approved_at", "issued_at", "expires_at", "revoked_at", "used_at")
    plain = {name: getattr(device, name) for name in ("id", "account", "name", "own_key", "fingerprint", "serial")}
    return {**plain, "state": device.state, **{name: _time(getattr(device, name)) for name in times}}


def key(key: Key) -> Document:
    return {
        **asdict(key),
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "deadline": spell_duration(key.deadline) if key.deadline else None,
    }


def ban(ban: Ban, *, evidence: bool = False) -> Document:
    """Evidence is a list of facts, as `event` writes them."""
    times = {name: _time(getattr(ban, name)) for name in ("since", "until", "lifted_at")}
    plain = {name: getattr(ban, name) for name in ("source", "reason", "by", "count", "lifted_by")}
    return {**plain, **times, **({"evidence": [_fact(line) for line in ban.evidence]} if evidence else {})}


def block_list(standing: Standing) -> Document:
    wanted, held = standing.wanted, standing.held
    counts = {name: getattr(held, name) for name in ("entries", "unreadable", "never_public", "failures")}
    return {
        "name": wanted.name,
        "source": wanted.source,
        "mode": wanted.mode,
        **counts,
        "first_unreadable": held.first_unreadable,
        "problem": held.problem,
        "taken_at": _time(held.taken_at),
        "looked_at": _time(held.looked_at),
        "due_at": _time(standing.due_at),
    }


def tunnel(live: Live) -> Document:
    return {**asdict(live), "since": _time(live.since)}


def route(route: Route, settings: Settings) -> Document:
    return {
        "name": route.name,
        "service": route.service,
        "url": settings.url(route.host, route.path),
        "host": route.host,
        "path": route.path,
        "upstream": str(route.upstream),
        "access": spell_access(route.access),
        "second_factor": route.access.second_factor,
        "paths": list(route.paths),
    }


def tcp(name: str, service: ServiceSettings, settings: Settings) -> Document:
    """A raw TCP service, in the shape of a route; who may connect stands in place of who may open it."""
    return {
        "name": name,
        "service": name,
        "url": settings.tcp_url(name),
        "host": f"{name}.{settings.domain}",
        "path": "",
        "upstream": str(service.upstream or "tunnel"),
        "access": [str(network) for network in service.allow],
        "second_factor": False,
        "paths": [],
    }


def event(event: Event) -> Document:
    """Empty columns are left out."""
    columns = {name: value for name, value in asdict(event).items() if value not in ("", {}) and name != "time"}
    return {"time": _time(event.time), **columns}


def explanation(rule: str) -> Document | None:
    """What a rule of the edge or of the portal means, and the way out; None for a rule that is unknown by now."""
    if refusal := RULES.get(rule):
        return {"title": refusal.title, "text": refusal.text, "way_out": refusal.way_out}
    if problem := problems.of_rule(rule):
        return {"title": problem.title, "text": problem.text, "way_out": problem.remedy}
    return None


def _fact(line: str) -> Any:
    """A line of evidence; whoever imported it may have written what is no JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return line


def _time(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
