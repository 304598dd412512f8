"""The end of a route's line, and one map for the lists of all services."""

from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portward.config import Settings
from portward.edge.bounds import NO_LIMIT, Bounds, bounds_of
from portward.host.networks import NetworkMap

A = "http://127.0.0.1:3000"


def bounds(services: dict[str, Any], **tables: Any) -> Bounds:
    made = {name: {"upstream": A, **service} for name, service in services.items()}
    return bounds_of(Settings.model_validate({"services": made, **tables}))


def test_a_service_without_bounds_has_no_tail() -> None:
    assert not bounds({"wiki": {}})
    assert bounds({"wiki": {}, "shop": {"limits": {"burst": 3}}}).tail("wiki") == ""


def test_the_tail_holds_what_is_limited_and_the_rest_is_without_limit() -> None:
    made = bounds({"wiki": {"limits": {"requests": 60, "body": "1KB"}}})
    assert made.tail("wiki") == f"|60|{NO_LIMIT}|{NO_LIMIT}|1024|0|0|wiki"
    assert (made.counts, made.sizes, made.lists) == ({"requests"}, True, False)


def test_services_that_count_new_connections_can_be_told_apart_on_their_host() -> None:
    def at(host: str, path: str) -> dict[str, Any]:
        return {"host": f"{host}.localhost", "path": path, "limits": {"new-connections": 7}}

    made = bounds({"a": at("x", "/a/"), "b": at("x", "/b/"), "c": at("y", "/"), "d": {"limits": {"requests": 9}}})
    assert [made.tail(name).split("|")[8:] for name in "abcd"] == [["7", "1"], ["7", "2"], ["7", "1"], []]
    assert made.counts == {"requests", "new_connections"}


def test_the_gateways_longest_body_holds_where_a_service_says_nothing_else() -> None:
    made = bounds({"wiki": {"limits": {"burst": 3}}}, limits={"body": "2KB"})
    assert made.tail("wiki").split("|")[4] == "2048"
    assert not made.sizes


def test_services_with_the_same_lists_share_a_bit() -> None:
    made = bounds({name: {"allow-from": ["10.0.0.0/8"]} for name in ("a", "b")})
    assert made.tail("a").endswith("|1|1|a")
    assert made.tail("b").endswith("|1|1|b")
    assert made.sources == {"10.0.0.0/8": "1"}


NETWORKS = st.sampled_from(
    ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "::/0", "2001:db8::/32", "2001:db8::7/128"]
)
ADDRESSES = st.sampled_from(["10.1.2.3", "10.1.2.4", "10.9.9.9", "192.0.2.1", "2001:db8::7", "2001:db8::8", "::1"])
LISTS = st.fixed_dictionaries({}, optional={"allow-from": st.lists(NETWORKS), "deny-from": st.lists(NETWORKS)})


@given(st.lists(LISTS, min_size=1, max_size=4), ADDRESSES)
def test_one_lookup_says_the_same_as_every_list_by_itself(lists: list[dict[str, list[str]]], address: str) -> None:
    services = {f"s{number}": service for number, service in enumerate(lists)}
    made = bounds(services)
    sources = NetworkMap[str]()
    sources.update(made.sources)
    value = int(sources.find(address) or 0)
    for name, service in services.items():
        allow, deny = service.get("allow-from", []), service.get("deny-from", [])
        expected = (not allow or within(address, allow)) and not within(address, deny)
        bit, wanted = map(int, (made.tail(name) or "|||||0|0|").split("|")[5:7])
        assert (value & bit == wanted) == expected


def within(address: str, networks: list[str]) -> bool:
    return any(ip_address(address) in ip_network(network) for network in networks)


def test_many_networks_are_settled_quickly() -> None:
    many = [f"10.{high}.{low}.0/24" for high in range(40) for low in range(250)]
    assert len(bounds({"wiki": {"allow-from": many}}).sources) == len(many)
