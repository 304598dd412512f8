"""haproxy.cfg from its template, and the small files that it names.

    skeleton = render(settings, state, engine)
    skeleton.files                              # {'pages/wrong_group.html': b'...', 'forwarded_for.lst': b'...'}
    skeleton.with_servers({"services": ["  server hello-1 127.0.0.1:3000 weight 0"]})

The files of one skeleton lie in a directory named after its fingerprint, so a rejected one never touches those in use.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from portward.config import Settings
from portward.config.values import Address
from portward.defense.geo.borders import Borders
from portward.defense.geo.rules import GATEWAY
from portward.edge.bounds import NO_BOUNDS, NO_LIMIT, Bounds
from portward.edge.engine import Engine
from portward.edge.refusals import ANSWERED_BY_RULE, COUNTRY_RULES, DEVICE_RULES, FLAWS, RULES, Refusal
from portward.edge.trust import NOBODY, Trust, asking_hosts
from portward.edge.windows import windows_of
from portward.host.paths import State

COOKIE = "__Host-portward"
"""The one cookie that Portward sets, host-only by its prefix (RFC 6265bis section 4.1.3.2)."""
BACKENDS = ("services", "services-gzip", "services-strip", "services-strip-gzip")
_MAPS = (
    "routes",
    "sessions",
    "accounts",
    "grants",
    "streams",
    "allow",
    "deny",
    "sources",
    "owners",
    "devices",
    "device_streams",
    "challenges",
    "listed",
    "bans",
    "stream_sources",
)
_ERRORS = {
    "service": {408: "slow", 502: "upstream_failed", 503: "upstream_down", 504: "upstream_slow"},
    "portal": {408: "slow"} | dict.fromkeys((502, 503, 504), "portal_down"),
}
_PLACE = "@FINGERPRINT@"
_EXCESS = "@EXCESS@"
"""Where a page says what exactly was exceeded; only HAProxy knows that."""
RELEASE = "/.portward/release"
"""Where at the portal somebody gets free whom a detector banned by mistake."""
_RELEASE_RATE = 30
"""Requests in ten seconds that a banned source may send there."""
FOR_GOOD = 4102444800
"""The year 2100 stands in bans.map for bans without an end."""
_BANNED = " The reason is: @BAN-REASON@. The ban ends: @BAN-END@."
_KNOWN = {
    _EXCESS: "%[var(txn.excess)]",
    "@BAN-REASON@": "%[var(txn.ban),field(2,|),url_dec]",
    "@BAN-END@": "%[var(txn.end)]",
}
BUNDLE = "devices.pem"
"""The authorities whose devices are believed, among the files of a skeleton."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    text: str
    fingerprint: str
    files: dict[str, bytes]

    def with_servers(self, servers: Mapping[str, Sequence[str]]) -> str:
        """Put server lines where they belong, by backend."""
        text = self.text
        for backend in BACKENDS:
            text = text.replace(f"#SERVERS {backend}\n", "".join(f"{line}\n" for line in servers.get(backend, ())))
        return text


def map_file(state: State, name: str) -> Path:
    return state.edge / f"{name}.map"


def crt_list(state: State) -> Path:
    return state.edge / "crt-list"


def render(
    settings: Settings,
    state: State,
    engine: Engine,
    deny_lists: Sequence[bytes] = (),
    tcp_servers: Mapping[str, str | None] = MappingProxyType({}),
    trust: Trust = NOBODY,
    bounds: Bounds = NO_BOUNDS,
    borders: Borders | None = None,
    *,
    alpn: bool = False,
) -> Skeleton:
    """Everything that only a reload can change. The fingerprint covers the text and all files.

    `tcp_servers` are the addresses behind raw TCP services; None for one whose name does not resolve. `trust` counts
    where a route asks for a device; `bounds` are those of the services, and `borders` say from where one may come. With
    `alpn`, connections that offer `acme-tls/1` go to who answers an authority.
    """
    lists = {f"deny-{number}.lst": content for number, content in enumerate(deny_lists)}
    hosts = asking_hosts(settings.routes)
    unused = {*(() if hosts else DEVICE_RULES), *_unused_rules(settings, borders)}
    files = _files(settings, unused) | lists | (_device_files(trust) if hosts else {}) | _border_files(borders)
    tcp = _tcp(settings, tcp_servers, borders)
    answered = (*ANSWERED_BY_RULE, *_rules_of_bounds(settings, bounds), *COUNTRY_RULES, *DEVICE_RULES)
    slot = 3 if hosts and engine.tracks_four else 2
    template = _templates(ipv6=engine.ipv6).get_template("haproxy.cfg.j2")
    text = template.render(
        _context(settings, state, engine)
        | {
            "deny_lists": list(lists),
            "tcp_services": tcp,
            "borders": _border_context(borders),
            "refusals": [_answer(RULES[name], settings) for name in answered if name not in unused],
            "alpn": alpn and _may_look(settings),
            "ahead": (alpn and _may_look(settings)) or bool(settings.proxies.proxy_protocol),
            "hop": _may_look(settings) or bool(settings.proxies.proxy_protocol),
            "bounds": bounds,
            "visitors_slot": slot,
            "windows": windows_of(settings.limits, bounds, slot),
            "tcp_counts": any(service["counts"] for service in tcp),
        }
        | _device_context(settings, trust)
    )
    digest = hashlib.sha256(text.encode())
    for name, content in sorted(files.items()):
        digest.update(name.encode() + b"\0" + content + b"\0")
    fingerprint = digest.hexdigest()[:16]
    return Skeleton(text.replace(_PLACE, fingerprint), fingerprint, files)


def _may_look(settings: Settings) -> bool:
    """Whether there will be times at which each new connection is asked for `acme-tls/1`."""
    return settings.tls.mode == "acme" and settings.tls.challenge == "tls-alpn-01"


@cache
def _templates(*, ipv6: bool) -> Environment:
    """Kept, since compiling the templates takes longer than all the rest of a change."""
    environment = Environment(  # noqa: S701 (the result is haproxy.cfg; pages escape by themselves)
        loader=PackageLoader("portward.edge", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"ms": _milliseconds, "binds": partial(_binds, ipv6=ipv6)}
    return environment


@cache
def _page_templates() -> Environment:
    return Environment(
        loader=PackageLoader("portward.edge", "pages"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=True,
    )


def _context(settings: Settings, state: State, engine: Engine) -> dict[str, Any]:
    here = state.edge / _PLACE
    return {
        "fingerprint": _PLACE,
        "state": state,
        "listen": settings.listen,
        "tls": settings.tls,
        "hsts": int(settings.tls.hsts.total_seconds()),
        "limits": settings.limits,
        "timeouts": settings.timeouts,
        "proxies": settings.proxies,
        "listed": any(wanted.mode == "enforce" for wanted in settings.defence.lists),
        "trusted": bool(settings.proxies.forwarded_for or settings.proxies.proxy_protocol),
        "public_port": settings.public_port,
        "public_port_suffix": "" if settings.public_port == 443 else f":{settings.public_port}",
        "maps": {name: map_file(state, name) for name in _MAPS},
        "lists": here,
        "pages": here / "pages",
        "crt_list": crt_list(state),
        "cookie": COOKIE,
        "ban_page": settings.defence.answer == "page",
        "release": RELEASE if settings.defence.release else "",
        "portal_host": settings.portal_host,
        "release_url": settings.url(settings.portal_host, RELEASE),
        "release_rate": _RELEASE_RATE,
        "for_good": FOR_GOOD,
        "needs_nul_rule": engine.needs_nul_rule,
        "forwards_unseen": engine.forwards_unseen,
        "errors": {name: _http_errors(rules, here / "pages") for name, rules in _ERRORS.items()},
        "backends": [{"name": name, "strip": "strip" in name, "compress": "gzip" in name} for name in BACKENDS],
    }


def _unused_rules(settings: Settings, borders: Borders | None) -> Sequence[str]:
    """Without a proxy that forwards headers, whoever is abroad is known before there is a request."""
    if borders is None:
        return COUNTRY_RULES
    return () if settings.proxies.forwarded_for else ("abroad",)


def _border_context(borders: Borders | None) -> dict[str, Any] | None:
    if borders is None:
        return None
    return {
        "file": borders.map_file,
        "elsewhere": borders.elsewhere,
        "gateway": borders.has_gateway_rule,
        "services": bool(borders.services),
    }


def _border_files(borders: Borders | None) -> dict[str, bytes]:
    """For each word and service that go together: from that place, the service may not be opened."""
    if borders is None:
        return {}
    services = borders.services
    files = {f"shut-{name}.lst": _lines(sorted(words)) for name, words in services.items()}
    files["abroad.lst"] = _lines(sorted(borders.shut(GATEWAY)))
    files["shut.map"] = _lines([f"{word}/{name} 1" for name, words in services.items() for word in sorted(words)])
    return files


def _tcp(settings: Settings, servers: Mapping[str, str | None], borders: Borders | None) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "addresses": [service.listen],
            "server": servers[name],
            "proxy_protocol": service.proxy_protocol,
            "timeout": service.timeout or settings.timeouts.tunnel,
            "denies": bool(service.deny_from),
            "counts": bool(service.limits.connections or service.limits.new_connections),
            "connections": service.limits.connections or NO_LIMIT,
            "new_connections": service.limits.new_connections or NO_LIMIT,
            "shut": borders is not None and bool(borders.shut(name)),
        }
        for name, service in settings.tcp_services.items()
    ]


def _rules_of_bounds(settings: Settings, bounds: Bounds) -> Iterator[str]:
    if bounds.lists:
        yield "not_allowed_here"
    if bounds.sizes or settings.limits.body:
        yield "too_large"


def _device_context(settings: Settings, trust: Trust) -> dict[str, Any]:
    hosts = asking_hosts(settings.routes)
    return {"devices": {"hosts": hosts, "issuer": trust.issuer, "others": trust.others} if hosts else None}


def _device_files(trust: Trust) -> dict[str, bytes]:
    flaws = "".join(f"{code} {rule}\n" for code, rule in FLAWS.items())
    return {BUNDLE: trust.authorities, "flaws.map": flaws.encode()}


def _files(settings: Settings, unused: Collection[str]) -> dict[str, bytes]:
    networks = settings.proxies.forwarded_for, settings.proxies.proxy_protocol
    files = {
        "forwarded_for.lst": _lines(networks[0]),
        "proxy_protocol.lst": _lines(networks[1]),
        "trusted.lst": _lines((*networks[0], *networks[1])),
        "pages/malformed.http": _raw_answer(RULES["malformed"], "Bad Request"),
        "pages/slow.http": _raw_answer(RULES["slow"], "Request Timeout"),
    }
    for name, service in settings.tcp_services.items():
        files[f"tcp-{name}.lst"] = _lines(settings.networks_of(service.allow))
        files[f"tcp-{name}-deny.lst"] = _lines(settings.networks_of(service.deny_from))
    for rule in RULES.values():
        if _status(rule, settings) and rule.name not in unused:
            files[f"pages/{rule.name}.html"] = _page(rule, request_id="%[unique-id]")
            files[f"pages/{rule.name}.json"] = _json(rule, settings)
    return files


def _status(rule: Refusal, settings: Settings) -> int:
    """0 where nothing is answered, as to banned sources by default."""
    silent = settings.defence.answer == "silence" and not settings.defence.release
    return 0 if rule.name == "banned" and silent else rule.status


def _answer(rule: Refusal, settings: Settings) -> dict[str, Any]:
    headers = ""
    if rule.status == 401:
        login = settings.url(settings.portal_host, "/login")
        headers = (
            f' hdr WWW-Authenticate "Cookie realm=\\"portward\\", form-action=\\"{login}\\", cookie-name={COOKIE}"'
        )
    elif rule.status == 405:
        headers = ' hdr Allow "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"'
    step = {"no_session": "", "second_factor": "step=1&"}.get(rule.name)
    return {
        "name": rule.name,
        "status": _status(rule, settings),
        "headers": headers,
        "step": step,
        "device": rule.name in DEVICE_RULES,
    }


def _http_errors(rules: Mapping[int, str], pages: Path) -> str:
    return "".join(
        f'  http-error status {status} content-type "text/html; charset=utf-8" '
        f"lf-file {pages}/{name}.html hdr Cache-Control no-store hdr Retry-After 5\n"
        for status, name in rules.items()
    )


def _page(rule: Refusal, *, request_id: str) -> bytes:
    """A page as HAProxy's log-format wants it: every literal % doubled."""
    template = _page_templates().get_template("page.html.j2")
    marker = "@REQUEST-ID@"
    html = template.render(
        title=rule.title,
        text=rule.text + (_particulars(rule) if request_id else ""),
        way_out="",
        status=rule.status,
        request_id=marker if request_id else "",
        actions=[{"label": label, "href": href.replace("&amp;", "&")} for label, href in rule.links],
    )
    if request_id:
        html = _filled(html.replace("%", "%%")).replace(marker, request_id)
    return html.encode()


def _particulars(rule: Refusal) -> str:
    """What a page says beyond the rule's own text."""
    return _BANNED if rule.name == "banned" else f" {_EXCESS}" if rule.exceeds else ""


def _filled(text: str) -> str:
    """With what HAProxy knows of the request in the place of markers. Its characters mean nothing to HTML and JSON."""
    for marker, expression in _KNOWN.items():
        text = text.replace(marker, expression)
    return text


def _json(rule: Refusal, settings: Settings) -> bytes:
    message = rule.text + (f" {_EXCESS}" if rule.exceeds else "")
    body = {"error": rule.name, "message": message, "request_id": "@REQUEST-ID@"}
    if rule.name == "banned":
        body |= {"reason": "@BAN-REASON@", "ends": "@BAN-END@"}
    if rule.status == 401:
        body["login"] = settings.url(settings.portal_host, "/login")
    return _filled(json.dumps(body).replace("%", "%%")).replace("@REQUEST-ID@", "%[unique-id]").encode() + b"\n"


def _raw_answer(rule: Refusal, reason: str) -> bytes:
    """An answer for what HAProxy could not even parse; it knows no request id then."""
    body = _page(rule, request_id="")
    head = (
        f"HTTP/1.1 {rule.status} {reason}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _lines(values: Sequence[object]) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()


def _milliseconds(value: timedelta) -> int:
    return int(value.total_seconds() * 1000)


def _bind(address: Address) -> str:
    if ":" in address.host:
        return f"{address.text} v6only"
    return address.text if address.host else f"*:{address.port}"


def _binds(addresses: Sequence[Address], *, ipv6: bool) -> list[str]:
    """`:8443` listens on every address; IPv4 has a socket of its own, so that no client reads ::ffff:1.2.3.4."""
    lines: list[str] = []
    for address in addresses:
        lines.append(_bind(address))
        if ipv6 and not address.host:
            lines.append(f":::{address.port} v6only")
    return lines
