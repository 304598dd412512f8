"""The machine's own addresses, as the kernel tells them."""

import subprocess
from pathlib import Path

from portward.host.addresses import default_gateways, own_addresses


def test_it_finds_what_ip_finds() -> None:
    listed = subprocess.run(["ip", "-o", "address"], check=True, capture_output=True, text=True).stdout
    wanted = {line.split()[3].partition("/")[0] for line in listed.splitlines() if line.split()[2] in {"inet", "inet6"}}
    assert wanted <= set(own_addresses())


def test_a_family_that_the_kernel_does_not_speak_has_no_addresses(tmp_path: Path) -> None:
    six = tmp_path / "if_inet6"
    six.write_text("20010db8000000000000000000000007 02 40 00 80     eth0\n")
    assert own_addresses(tmp_path / "none", six) == ("2001:db8::7",)
    assert own_addresses(tmp_path / "none", tmp_path / "none") == ()


def test_default_gateways_are_read_from_the_routes(tmp_path: Path) -> None:
    four, six = tmp_path / "route", tmp_path / "ipv6_route"
    four.write_text(
        "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
        "wg0 00000000 00000000 0001 0 0 9 00000000 0 0 0\n"
    )
    none, route = "0" * 32, "fd000000000000000000000000000001"
    six.write_text(f"{none} 00 {none} 00 {route} 00000400 00000003 00000000 00000003     eth0\n")
    assert default_gateways(four, six) == ("192.0.2.1", "fd00::1")
    assert default_gateways(tmp_path / "none", tmp_path / "none") == ()
