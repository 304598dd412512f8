"""What others say of our TLS: sslyze holds it against Mozilla's intermediate profile, before and after swaps."""

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.lives.gateway import Gateway
from tests.lives.handshakes import serial, shown
from tests.lives.places import short_directory
from tests.lives.waiting import wait_for

from portward.host.files import replace
from portward.pki.authority import Authority

SSLYZE = Path(__file__).parents[2] / ".venv-sslyze" / "bin" / "sslyze"
HOST = "hello.gate.test"
SWAPS = 5


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the operator's own files."""
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="module")
def scanned(own: Path) -> Iterator[Gateway]:
    with (
        short_directory() as directory,
        Gateway(directory, {"hello": {"upstream": "demo"}}, tls={"files": [f"{own}/*.pem"]}) as running,
    ):
        yield running


def scan(gateway: Gateway, *options: str) -> dict[str, Any]:
    """What sslyze finds, without what differs each time. It says on its own output whether that is compliant."""
    assert SSLYZE.exists(), f"{SSLYZE} is missing; scripts/test installs it"
    report = gateway.directory / "sslyze.json"
    target = f"127.0.0.1:{gateway.https_port}"
    command = [SSLYZE, *options, "--sni", HOST, "--certinfo_ca_file", gateway.root, "--json_out", report, target]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    result = dict(json.loads(report.read_text())["server_scan_results"][0]["scan_result"])
    del result["certificate_info"], result["session_resumption"]
    return {name: part["result"] for name, part in result.items()}


def test_the_gateway_is_compliant_with_mozillas_intermediate_profile_before_and_after_swaps(
    scanned: Gateway, own: Path
) -> None:
    intermediate = "--mozilla_config=intermediate"
    before = scan(scanned, intermediate)
    for _ in range(SWAPS):
        swap(scanned, own)
    assert ciphers(scan(scanned, intermediate)) == ciphers(before), "a swap changes no setting of TLS"


def test_the_check_can_fail(scanned: Gateway) -> None:
    """Mozilla's modern profile wants TLS 1.3 alone."""
    with pytest.raises(AssertionError, match="tls_versions"):
        scan(scanned, "--mozilla_config=modern")


def swap(gateway: Gateway, own: Path) -> None:
    pem = Authority.open(gateway.state / "authority", datetime.now(UTC)).issue(HOST, datetime.now(UTC))
    replace(own / "hello.pem", pem)
    wait_for(lambda: shown(gateway, HOST) == serial(pem.decode()), "the new certificate to be shown")


def ciphers(found: dict[str, Any]) -> dict[str, Any]:
    """Versions, cipher suites and curves that were accepted, and what was refused."""
    return {
        name: {
            "accepted": sorted(one["cipher_suite"]["name"] for one in part["accepted_cipher_suites"]),
            "rejected": sorted(one["cipher_suite"]["name"] for one in part["rejected_cipher_suites"]),
        }
        for name, part in found.items()
        if name.endswith("cipher_suites")
    } | {"curves": sorted(curve["name"] for curve in found["elliptic_curves"]["supported_curves"])}
