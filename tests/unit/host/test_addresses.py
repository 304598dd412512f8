"""The machine's own addresses, as the kernel tells them."""

import subprocess
from pathlib import Path

from portward.host.addresses import own_addresses


def test_it_finds_what_ip_finds() -> None:
    listed = subprocess.run(["ip", "-o", "address"], check=True, capture_output=True, text=True).stdout
    wanted = {line.split()[3].partition("/")[0] for line in listed.splitlines() if line.split()[2] in {"inet", "inet6"}}
    assert wanted <= set(own_addresses())


def test_a_family_that_the_kernel_does_not_speak_has_no_addresses(tmp_path: Path) -> None:
    six = tmp_path / "if_inet6"
    six.write_text("20010db8000000000000000000000007 02 40 00 80     eth0\n")
    assert own_addresses(tmp_path / "none", six) == ("2001:db8::7",)
    assert own_addresses(tmp_path / "none", tmp_path / "none") == ()
