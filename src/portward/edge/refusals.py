"""Every reason for which the edge refuses, and what to do about it.

    RULES["wrong_group"].way_out
    rule_of_line({"why": "", "status": 503, "state": "SC"}, hosts=frozenset())     # 'upstream_down'

A rule's name is what the access log and the events carry, and what `portward explain` explains.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

TLS_HANDSHAKE_FAILED = 34
"""HAProxy's `fc_err` for a failed handshake (its documentation, section 7.3.3)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One rule. `status` is 0 where nothing is answered at all; `way_out` speaks to the operator."""

    name: str
    gate: str
    status: int
    title: str
    text: str
    way_out: str
    links: tuple[tuple[str, str], ...] = ()
    exceeds: bool = False
    """Whether the page goes on to say which limit it was."""


def _rules(*rules: Refusal) -> dict[str, Refusal]:
    return {rule.name: rule for rule in rules}


RULES = _rules(
    Refusal(
        "denied",
        "connection",
        0,
        "This address is refused",
        "The source address is on the deny list or a block list, so the connection was dropped without an answer.",
        "`portward ban show ADDRESS` says which. `portward allow add ADDRESS` lets it in: `defence.allow` comes first.",
    ),
    Refusal(
        "banned",
        "connection",
        403,
        "This address is banned",
        "Too much came from this address, or from its network, that looked like an attack.",
        "`portward ban show ADDRESS` tells why and until when, `portward ban remove SOURCE` ends it, and what is named "
        "in `defence.allow` can't be banned.",
    ),
    Refusal(
        "abroad",
        "connection",
        0,
        "Nobody may come from there",
        "The source's country or network (AS) is shut out of the whole gateway, so its connection was dropped at once.",
        "`portward geo show ADDRESS` says what is known of it. Name it in `except` of [defence.countries], or in "
        "`defence.allow`, which comes first.",
    ),
    Refusal(
        "crowded",
        "connection",
        0,
        "Too many connections",
        "The source opened more connections than `limits.connections` or `limits.new-connections` permit, here or in "
        "the service's own `limits`.",
        "Raise the limit, or name the source in `defence.allow`.",
    ),
    Refusal(
        "not_listed",
        "connection",
        0,
        "This address may not connect",
        "The source is in none of the networks that may connect to this raw TCP service, so the connection was closed.",
        "Add its network to the service's `allow`, or take it out of its `deny-from`.",
    ),
    Refusal(
        "tls_no_name",
        "TLS",
        0,
        "No server name",
        "The client named no host in its TLS handshake, so it got an alert and no certificate.",
        "Connect by host name instead of by address. Scanners look like this.",
    ),
    Refusal(
        "tls_unknown_name",
        "TLS",
        0,
        "Unknown server name",
        "The client asked for a host that is not published here, so it got an alert and no certificate.",
        "`portward services` lists the hosts; `portward publish` adds one.",
    ),
    Refusal(
        "tls_failed",
        "TLS",
        0,
        "TLS handshake failed",
        "The handshake ended early: an old TLS version, no common cipher, or a client that distrusts the certificate.",
        "The event's detail holds the TLS library's words. For a distrusted authority, install the root certificate.",
    ),
    Refusal(
        "device_missing",
        "TLS",
        403,
        "Enrol this device first",
        "Only devices that were enrolled may open this, and this one showed no certificate. If it has one, close the "
        "browser and open it again: it asks only once which certificate to show.",
        "The account enrols its device at home on the portal, or you do with `portward device enrol`.",
        (("Enrol this device", "/.portward/devices"),),
    ),
    Refusal(
        "device_revoked",
        "TLS",
        403,
        "This device is let in no more",
        "The certificate of this device was revoked, or its account may not log in.",
        "`portward device list` shows by its name when it was revoked. Enrol the device anew if it is in good hands.",
        (("Enrol this device anew", "/.portward/devices"),),
    ),
    Refusal(
        "device_expired",
        "TLS",
        403,
        "This device's certificate has expired",
        "Its time is over, or has not begun yet.",
        "Renew it: at home on the portal, or with `portward device renew ID`. Look at the device's clock, too.",
        (("Renew it", "/.portward/devices"),),
    ),
    Refusal(
        "device_unknown",
        "TLS",
        403,
        "This certificate is of no use here",
        "It was issued by an authority that this gateway does not know.",
        "Enrol the device here; or name its authority in `devices.authorities`, if all of its devices may come in.",
        (("Enrol this device", "/.portward/devices"),),
    ),
    Refusal(
        "device_purpose",
        "TLS",
        403,
        "This certificate is not for devices",
        "It was issued for another purpose, such as for a server.",
        "A device's certificate needs the extended key usage clientAuth (RFC 5280 section 4.2.1.12).",
        (("Enrol this device", "/.portward/devices"),),
    ),
    Refusal(
        "device_invalid",
        "TLS",
        403,
        "This certificate can't be accepted",
        "It could not be checked, or something in it is wrong.",
        "The event's detail holds OpenSSL's number for it (X509_V_ERR_…): 3 and 12 speak of a missing or an old "
        "revocation list, so look at `devices.crl-files`, and whether the keeper runs.",
        (("Enrol this device", "/.portward/devices"),),
    ),
    Refusal(
        "device_foreign",
        "TLS",
        403,
        "This is somebody else's device",
        "You are logged in, but this device was enrolled by another account.",
        "Each account enrols a device of its own; a certificate lets in nobody but the account that it was issued to.",
        (("Switch account", "/.portward/switch"), ("Enrol this device", "/.portward/devices")),
    ),
    Refusal(
        "unknown_host",
        "request",
        0,
        "Unknown host",
        "A plain HTTP request named a host that is not published here; the connection was dropped.",
        "`portward services` lists the hosts; `portward publish` adds one.",
    ),
    Refusal(
        "misdirected",
        "request",
        421,
        "Wrong door",
        "The request names another host than the connection was opened for.",
        "The client must open a connection of its own for each host (RFC 9110 section 15.5.20).",
    ),
    Refusal(
        "malformed",
        "request",
        400,
        "This request is not well formed",
        "Something in the address or the headers could be read in two ways, so it was not passed on.",
        "Look at the path in the access log: dot segments, encoded slashes, doubled cookies and the like are refused.",
    ),
    Refusal(
        "country",
        "request",
        403,
        "Not from where you are",
        "This service can't be opened from the country or the network that your connection comes from. If that is a "
        "mistake, write to whoever runs this gateway, and name the request below.",
        "`portward geo show ADDRESS` says what is known of the address. Change `countries` of the service, or name the "
        "address in its `except`.",
    ),
    Refusal(
        "method",
        "request",
        405,
        "This method is not served",
        "TRACE, TRACK, DEBUG and CONNECT are refused for every service.",
        "Use another method.",
    ),
    Refusal(
        "path",
        "request",
        404,
        "Nothing lives here",
        "This address does not lead to a service.",
        "The service's `path`, `paths` or `routes` do not cover it; `portward services` shows what they do cover.",
    ),
    Refusal(
        "rate",
        "request",
        429,
        "Too many requests",
        "More requests came from here than are let through.",
        "The event's detail names the limit, and how many were counted. Raise it, in [limits] or in the service's "
        "`limits`, or name the source in `defence.allow`.",
        exceeds=True,
    ),
    Refusal(
        "not_allowed_here",
        "request",
        403,
        "Not from this network",
        "This service is not open to the network that you come from.",
        "Add the network to the service's `allow-from`, or take it out of its `deny-from`. A login is needed all the "
        "same.",
    ),
    Refusal(
        "too_large",
        "request",
        413,
        "This is too large",
        "The request brings more than is taken here.",
        "The event's detail holds both sizes. Raise `body` in the service's `limits`, or in [limits].",
        exceeds=True,
    ),
    Refusal(
        "slow",
        "request",
        408,
        "The request came too slowly",
        "The headers, or the body, did not arrive in time.",
        "Raise `timeouts.headers` where clients are really that slow; lower `limits.minimum-rate` where the event's "
        "detail says how slow a body was.",
    ),
    Refusal(
        "no_session",
        "identity",
        401,
        "Please log in",
        "This service is for people who are logged in.",
        "Log in at the portal. Pages are sent there by themselves; other requests get this answer.",
        (("Log in", "/.portward/start?to=%2F"),),
    ),
    Refusal(
        "foreign_origin",
        "identity",
        403,
        "Stopped for your safety",
        "A page of another site tried to open a WebSocket here in your name.",
        "Open the service's own page. A program that is no browser sends no `Origin` header, and is let through.",
    ),
    Refusal(
        "wrong_group",
        "identity",
        403,
        "This is not open to you",
        "You are logged in, but this account may not open this service.",
        "Add the account to a group in the service's `access`: `portward group join GROUP ACCOUNT`.",
        (("Switch account", "/.portward/switch"),),
    ),
    Refusal(
        "second_factor",
        "identity",
        401,
        "One more step",
        "This service asks for a second factor, and yours is missing or too long ago.",
        "Confirm it at the portal. Pages are sent there by themselves; other requests get this answer.",
        (("Confirm", "/.portward/start?step=1&amp;to=%2F"),),
    ),
    Refusal(
        "upstream_down",
        "service",
        503,
        "The service is not answering",
        "You came through the gate, but behind it nobody opened. Please try again in a moment.",
        "Nothing listens at the service's `upstream`, or its name does not resolve.",
    ),
    Refusal(
        "upstream_failed",
        "service",
        502,
        "The service gave no proper answer",
        "The service closed the connection, or answered something that is not HTTP.",
        "Check the `upstream`: its scheme (http, https, h2c), its certificate, and its own log.",
    ),
    Refusal(
        "upstream_slow",
        "service",
        504,
        "The service took too long",
        "The service was reached, but did not answer in time.",
        "Raise the service's `timeout`, or look for what holds it up.",
    ),
    Refusal(
        "portal_down",
        "identity",
        503,
        "Logging in is not possible right now",
        "The part of the gateway that checks logins is starting or away. Who is logged in already is not affected.",
        "Look at `portward status` and at the gateway's own log.",
    ),
)

ANSWERED_BY_RULE = (
    *("banned", "denied", "misdirected", "malformed", "method", "path", "rate"),
    *("no_session", "foreign_origin", "wrong_group", "second_factor"),
)
"""Rules whose answer the configuration itself gives; the others come from HAProxy's own errors."""
COUNTRY_RULES = ("abroad", "country")
"""The same, where there are rules about countries."""
DEVICE_RULES = (
    *("device_missing", "device_revoked", "device_expired", "device_unknown"),
    *("device_purpose", "device_invalid", "device_foreign"),
)
"""The same, where a service asks for devices."""
FLAWS = {
    **dict.fromkeys((9, 10), "device_expired"),
    23: "device_revoked",
    **dict.fromkeys((2, 18, 19, 20, 21), "device_unknown"),
    26: "device_purpose",
}
"""What OpenSSL says of a device's certificate (X509_V_ERR_… in x509_vfy.h); anything else is `device_invalid`."""
_NO_DEVICE = "peer did not return a certificate"
"""OpenSSL's words where a handshake was refused for the lack of one."""

_UPSTREAMS_FAULT = ("upstream_failed", "upstream_down", "upstream_slow")
_BEFORE_A_REQUEST = {400: "malformed", 408: "slow"}
"""What a connection was closed with that never sent a whole request."""
_BY_STATUS = {400: "malformed", 408: "slow", 502: "upstream_failed", 503: "upstream_down", 504: "upstream_slow"}


def rule_of_line(line: Mapping[str, Any], hosts: Container[str]) -> str | None:
    """The rule behind one line of the event ring; None where the line is no refusal (a client that just left)."""
    if "code" in line:
        return _connection_rule(line, hosts)
    if line.get("why"):
        return str(line["why"])
    state = str(line.get("state", "-"))
    if "service" in line:  # raw TCP knows no statuses: the server refused the connection, or did not accept it in time
        return "upstream_down" if state[:2] in {"SC", "sC"} else None
    if state.startswith("-"):
        return None
    rule = _BY_STATUS.get(line.get("status", 0))
    return "portal_down" if rule in _UPSTREAMS_FAULT and line.get("backend") == "portal" else rule


def _connection_rule(line: Mapping[str, Any], hosts: Container[str]) -> str | None:
    if line["code"] != TLS_HANDSHAKE_FAILED:
        return _BEFORE_A_REQUEST.get(line.get("status", 0))
    if not line.get("sni"):
        return "tls_no_name"
    if str(line["sni"]).lower() not in hosts:
        return "tls_unknown_name"
    return "device_missing" if _NO_DEVICE in str(line.get("tls", "")) else "tls_failed"
