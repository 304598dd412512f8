"""What the walls in the kernel hold, in nft's words."""

from pathlib import Path

import pytest

from portward.config.reading import parse
from portward.defense.exempt import Exemptions
from portward.defense.walling import Abroad, Job, Passing, entry, read, whole
from portward.keeper.defending import bounds_of

MAP = "101.6.0.0/16 b\n101.7.0.0/24 a\n240e::/20 b\n9.9.9.9 b\n::/0 c\n"
PASSING = Passing(("10.0.0.0/8", "fd00::/8"), ("91.7.7.7/32",), (("", 443),), (("45.90.0.1", 443), ("2a0e::1", 22)))


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "made.map").write_text("# made\n" + MAP)
    return str(tmp_path / "made.map")


def rules(text: str, chain: str) -> list[str]:
    begin = f"add rule inet portward-walls {chain} "
    return [line.removeprefix(begin) for line in text.splitlines() if line.startswith(begin)]


def test_who_is_refused_is_dropped_and_counted(file: str) -> None:
    text = "".join(whole(Job(None, Abroad(file, ("b",), within=False), PASSING)))
    assert rules(text, "abroad") == [
        "ip saddr @owners4 return",
        "ip6 saddr @owners6 return",
        "ip saddr & 255.255.0.0 @abroad4_16 counter name abroad drop",
        "ip saddr & 255.255.255.255 @abroad4_32 counter name abroad drop",
        "ip6 saddr & ffff:f000:: @abroad6_20 counter name abroad drop",
    ]
    assert "add element inet portward-walls abroad4_16 { 101.6.0.0 }" in text
    assert "101.7.0.0" not in text


def test_where_only_some_may_come_everybody_else_is_dropped(file: str) -> None:
    text = "".join(whole(Job(None, Abroad(file, ("a",), within=True), PASSING)))
    assert rules(text, "abroad")[2:] == [
        "ip saddr & 255.255.255.0 @abroad4_24 return",
        "counter name abroad drop",
    ]


def test_all_of_a_family_needs_no_set(file: str) -> None:
    text = "".join(whole(Job(None, Abroad(file, ("c",), within=False), PASSING)))
    assert rules(text, "abroad")[2:] == ["meta nfproto ipv6 counter name abroad drop"]


def test_a_list_takes_every_line_of_its_file(file: str) -> None:
    text = "".join(whole(Job(file, None, PASSING)))
    assert len(rules(text, "listed")) == 5
    assert "add element inet portward-walls listed4_24 { 101.7.0.0 }" in text


def test_the_old_table_goes_in_the_same_transaction(file: str) -> None:
    text = "".join(whole(Job(file, None, PASSING)))
    assert text.startswith(
        "add table inet portward-walls\ndelete table inet portward-walls\nadd table inet portward-walls"
    )


def test_only_new_connections_to_the_gateways_own_ports_are_looked_at() -> None:
    assert rules(entry(PASSING), "entry") == [
        "meta l4proto != tcp return",
        "tcp flags & (syn | ack) != syn return",
        "iif lo return",
        "fib daddr type != local return",
        "ip saddr @pass4 return",
        "ip6 saddr @pass6 return",
        "tcp dport 443 jump listed",
        "ip daddr 45.90.0.1 tcp dport 443 jump abroad",
        "ip6 daddr 2a0e::1 tcp dport 22 jump abroad",
    ]


def test_a_job_reads_as_it_was_spelled(file: str) -> None:
    for job in (Job(file, None, PASSING), Job(None, Abroad(file, ("a", "b"), within=True), Passing())):
        assert read(job.spell()) == job


def ports(text: str, *, ssh: bool = False) -> tuple[list[int], list[int]]:
    listen = '[listen]\nhttps = [":8443"]\nhttp = [":8080"]\n'
    settings = parse(f'domain = "gate.test"\n{listen}{text}', Path("portward.toml"), {})
    bounds = bounds_of(settings, Exemptions(), ssh=ssh)
    return [one.port for one in bounds.listed], [one.port for one in bounds.abroad]


def test_countries_hold_at_https_and_ssh_and_lists_at_plain_http_too() -> None:
    assert ports("") == ([8443, 8080], [8443])
    assert ports("", ssh=True) == ([8443, 2222, 8080], [8443, 2222])


def test_an_authority_that_asks_from_anywhere_is_not_met_by_a_rule_about_countries() -> None:
    assert ports('[tls]\nmode = "acme"\nemail = "ann@gate.test"\n') == ([8443, 8080], [])
