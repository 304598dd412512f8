"""An order that is cut off anywhere is carried on: no second account, no lost key, the old certificate until then."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from tests.lives.certified import LONG, Watch, certified, is_public, row, shown, wait_for_public
from tests.lives.gateway import Gateway
from tests.lives.waiting import wait_for

SERVICES = {"wiki": {"upstream": "demo", "access": "public"}}
NAMES = ("wiki", "auth")
SLOW = {"PEBBLE_VA_NOSLEEP": "0", "PEBBLE_VA_SLEEPTIME": "2"}
"""An authority that takes up to two seconds to look."""


def rounds(gateway: Gateway) -> list[psutil.Process]:
    """The processes that talk to authorities."""
    children = psutil.Process(gateway.pids.keeper).children()
    return [child for child in children if "portward.pki.acme" in _command_line(child)]


def _command_line(process: psutil.Process) -> str:
    """Empty for one that has just ended."""
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


def wait_for_open_order(gateway: Gateway) -> None:
    """The authority has the order, and is about to look."""
    wait_for(lambda: list((gateway.state / "acme" / "pending").rglob("order.json")), "an order", LONG)


def test_kill_9_of_everything_in_mid_order_loses_nothing() -> None:
    with certified(SERVICES, **SLOW) as (gateway, pebble), gateway:
        first = shown(gateway, "wiki")
        wait_for_open_order(gateway)
        wait_for(lambda: pebble.said("Pulled a task") >= len(NAMES), "the authority to look", LONG)
        keys = {path: path.read_bytes() for path in (gateway.state / "acme" / "pending").rglob("key.pem")}
        (process,) = rounds(gateway)
        gateway.kill_keeper()
        process.wait(LONG)
        assert shown(gateway, "wiki") == first
        wait_for_public(gateway, *NAMES)
        assert (pebble.accounts, pebble.orders) == (1, len(NAMES))
        served = {(gateway.state / "certificates" / f"{gateway.host(name)}.pem").read_bytes() for name in NAMES}
        assert all(any(key.strip() in pem for pem in served) for key in keys.values())


def test_kill_9_of_the_round_alone_is_tried_again_soon() -> None:
    with certified(SERVICES, **SLOW) as (gateway, pebble), gateway:
        wait_for_open_order(gateway)
        (process,) = rounds(gateway)
        process.kill()
        wait_for(lambda: row(gateway, "wiki")["failures"], "the failure to be noted", LONG)
        assert "ended early" in row(gateway, "wiki")["problem"]
        wait_for_public(gateway, *NAMES)
        assert pebble.accounts == 1
        assert rounds(gateway) == [] or wait_for(lambda: not rounds(gateway), "the round to end", LONG)


def test_an_authority_that_goes_away_in_mid_order_is_asked_again_when_it_is_back() -> None:
    with certified(SERVICES, **SLOW) as (gateway, pebble), gateway, Watch(gateway, "wiki") as watch:
        wait_for_open_order(gateway)
        pebble.door.shut()
        wait_for(lambda: row(gateway, "wiki")["outcome"] == "interrupted", "the failure to be noted", LONG)
        assert "can't be asked: Connection refused" in row(gateway, "wiki")["problem"]
        pebble.door.open()
        wait_for_public(gateway, *NAMES)
        assert (pebble.accounts, pebble.orders) == (1, len(NAMES))
        new = shown(gateway, "wiki").serial_number
    assert watch.errors == []
    assert len({*watch.serials, new}) == 2


@contextmanager
def small_disk(directory: Path) -> Iterator[None]:
    """A file system of 256 kB there. Needs root, as the tests of the whole do."""
    directory.mkdir(parents=True, mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "none", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def fill(file: Path) -> None:
    """Write until there is no room left."""
    with suppress(OSError), file.open("wb", buffering=0) as sink:
        while sink.write(b"x" * 4096):
            pass


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_asks_for_nothing_that_could_not_be_kept() -> None:
    with certified(SERVICES) as (gateway, pebble), small_disk(gateway.state / "acme"):
        filler = gateway.state / "acme" / "filler"
        fill(filler)
        with gateway:
            wait_for(lambda: row(gateway, "wiki")["failures"], "the failure to be noted", LONG)
            assert "No space left on device" in row(gateway, "wiki")["problem"]
            assert not is_public(gateway, "wiki")
            assert (pebble.accounts, pebble.orders) == (0, 0)
            filler.unlink()
            wait_for_public(gateway, *NAMES)
            assert (pebble.accounts, pebble.orders) == (1, len(NAMES))
