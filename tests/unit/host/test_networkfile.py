"""An address is found in a file of networks."""

from ipaddress import IPv4Network, collapse_addresses, ip_address
from pathlib import Path

import pytest

from portward.host.networkfile import find

NETWORKS = [IPv4Network((int(ip_address("192.0.2.0")) + at, length)) for at, length in ((0, 28), (32, 30), (77, 32))]


def test_exactly_what_a_network_holds_is_found(tmp_path: Path) -> None:
    file = tmp_path / "networks"
    file.write_text("# made by hand\n" + "".join(f"{network} drop\n" for network in collapse_addresses(NETWORKS)))
    for address in IPv4Network("192.0.1.128/24", strict=False), IPv4Network("192.0.2.0/24"):
        for one in address:
            holding = [f"{network} drop" for network in NETWORKS if one in network]
            assert find(file, str(one)) == next(iter(holding), "")


def test_families_are_kept_apart(tmp_path: Path) -> None:
    file = tmp_path / "networks"
    file.write_text("192.0.2.0/24\n2001:db8::/32\n2001:db9::/32 b\n")
    assert find(file, "2001:db8::1") == "2001:db8::/32"
    assert find(file, "2001:db9:1::/48") == "2001:db9::/32 b"
    assert find(file, "2001:db7::1") == ""
    assert find(file, "::ffff:192.0.2.1") == "192.0.2.0/24"
    assert find(file, "fe80::1%eth0") == ""
    assert find(file, "192.0.0.0/16") == ""


@pytest.mark.parametrize("content", ["", "# nobody\n", "192.0.2.1/32\n"])
def test_short_files_have_ends(tmp_path: Path, content: str) -> None:
    file = tmp_path / "networks"
    assert find(file, "192.0.2.1") == ""
    file.write_text(content)
    assert find(file, "192.0.2.1") == content.partition("#")[0].strip()
    assert find(file, "255.255.255.255") == ""
