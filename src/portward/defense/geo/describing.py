"""What there is to say of one address: where it is, and what the rules in force make of that.

describe(geography, rules, "192.0.2.1")     # {'country': 'DE', 'network': 'AS3320', 'refused': {'wiki': '…'}, …}
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from portward.config.iso3166 import COUNTRIES
from portward.defense.geo.geography import Geography, Place
from portward.defense.geo.rules import Rule, verdict
from portward.defense.geo.special import is_special
from portward.errors import Invalid


def parse(text: str) -> IPv4Address | IPv6Address:
    """An address; IPv4 in IPv6's clothes (RFC 4291 section 2.5.5.2) is IPv4. Raises `Invalid`."""
    try:
        address = ip_address(text)
    except ValueError:
        raise Invalid(f"{text!r} is no address", way_out="write it as 192.0.2.1 or 2001:db8::1") from None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def judge(rule: Rule, address: IPv4Address | IPv6Address, place: Place) -> str:
    """Why a rule refuses an address; empty where it does not."""
    if is_special(int(address), address.version) or any(address in ip_network(text) for text in rule.exceptions):
        return ""
    return verdict(rule, place.country, place.network)


def describe(geography: Geography, rules: Mapping[str, Rule], text: str) -> dict[str, Any]:
    """`refused`: for each rule that refuses it (`gateway`, or a service) the reason. Raises `Invalid`."""
    address = parse(text)
    place = geography.place(address)
    found = {name: judge(rule, address, place) for name, rule in rules.items()}
    return {
        "address": str(address),
        "private": is_special(int(address), address.version),
        "country": place.country,
        "name": COUNTRIES.get(place.country, ""),
        "network": f"AS{place.network}" if place.network else "",
        "refused": {name or "gateway": why for name, why in found.items() if why},
    }
