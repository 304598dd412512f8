"""Which HAProxy may stand at the edge, by what `haproxy -v` says."""

import pytest

from portward.edge.engine import version_in
from portward.errors import Environment


@pytest.mark.parametrize(
    ("told", "version"),
    [
        ("HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/", (2, 6, 12)),
        ("HAProxy version 2.8.5-1ubuntu3.3 2025/02/04 - https://haproxy.org/", (2, 8, 5)),
        ("HAProxy version 2.6.15-446b02 2023/08/09 - https://haproxy.org/", (2, 6, 15)),
        ("HAProxy version 3.2.0-e134140 2025/05/28 - https://haproxy.org/", (3, 2, 0)),
    ],
)
def test_a_version_without_known_holes_is_taken(told: str, version: tuple[int, int, int]) -> None:
    assert version_in(told, "/usr/sbin/haproxy") == version


@pytest.mark.parametrize(
    "told", ["2.6.12-1 2023/04/01", "2.6.14-47ae2a 2023/06/09", "2.7.9-d1fa1e", "2.8.0-fdd8154ed", "2.8.1-a90123a"]
)
def test_one_that_lets_requests_past_its_rules_is_not(told: str) -> None:
    with pytest.raises(Environment, match="CVE-2023-45539") as refused:
        version_in(f"HAProxy version {told} - https://haproxy.org/", "/opt/haproxy")
    assert "security update" in refused.value.way_out


@pytest.mark.parametrize("told", ["HAProxy version 2.4.22-0ubuntu0.22.04.3 2023/08/14", "HA-Proxy version 1.8.27"])
def test_one_that_is_too_old_is_not(told: str) -> None:
    with pytest.raises(Environment, match="is HAProxy") as refused:
        version_in(told, "/usr/sbin/haproxy")
    assert refused.value.way_out == "install HAProxy 2.6 or newer"


def test_what_tells_no_version_is_no_haproxy() -> None:
    with pytest.raises(Environment, match="does not tell its version"):
        version_in("GNU bash, version five", "/bin/bash")
