"""Whatever dies, by kill -9 and under load: the others go on, it comes back, and nobody has to log in again."""

import os
import signal
import time
from collections.abc import Iterator

import psutil
import pytest
from tests.lives.busy import Busy, busy_gateway
from tests.lives.processes import Pids, survivors
from tests.lives.sockets import is_alive
from tests.lives.waiting import wait_for


@pytest.fixture(scope="module")
def mortal() -> Iterator[Busy]:
    """A gateway whose programs may be killed, and must be back at the end of each test."""
    with busy_gateway() as running:
        yield running


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def wait_for_another(gateway: Busy, program: str, than: Pids) -> Pids:
    def look() -> Pids | None:
        now = gateway.gateway.pids
        return now if getattr(now, program) != getattr(than, program) else None

    return wait_for(look, f"another {program}")


def wait_for_keeper(busy: Busy) -> None:
    """The admin API is served last of all."""

    def look() -> bool:
        try:
            return bool(busy.gateway.status()["edge"]["running"])
        except Exception:  # whatever a keeper in the middle of its start does to its socket
            return False

    wait_for(look, "the keeper to answer")


def test_visitors_who_are_logged_in_do_not_notice_the_death_of_the_keeper(mortal: Busy) -> None:
    before = mortal.gateway.pids
    with mortal.socket() as talk, mortal.load() as load:
        kill(before.keeper)
        after = wait_for_another(mortal, "keeper", before)
        wait_for_keeper(mortal)
        load.wait_for_progress()
        assert is_alive(talk)
    assert load.failures == [], load.summary
    assert (after.master, after.worker) == (before.master, before.worker)
    print(f"death of the keeper: {load.summary}")


def test_a_request_to_the_portal_waits_while_the_keeper_restarts(mortal: Busy) -> None:
    before = mortal.gateway.pids
    with mortal.gateway.visitor() as stranger:
        kill(before.keeper)
        assert stranger.visit("auth", "/login").status_code == 200
        wait_for_keeper(mortal)


def test_nobody_gets_in_without_a_session_while_the_keeper_hangs(mortal: Busy) -> None:
    keeper = psutil.Process(mortal.gateway.pids.keeper)
    with mortal.gateway.visitor() as stranger, mortal.load() as load:
        keeper.suspend()
        try:
            assert stranger.fetch("wiki").status_code == 401
            load.wait_for_progress()
        finally:
            keeper.resume()
    assert load.failures == [], load.summary


@pytest.mark.parametrize("program", ["worker", "master"])
def test_the_edge_is_back_in_a_moment_and_knows_everybody(mortal: Busy, program: str) -> None:
    before = mortal.gateway.pids
    with mortal.load() as load:
        died = time.monotonic()
        kill(getattr(before, program))
        wait_for_another(mortal, program, before)
        load.wait_for_progress(1)
        away = time.monotonic() - died
        load.wait_for_progress()
    assert mortal.ann.fetch("wiki").status_code == 200
    assert mortal.gateway.pids.keeper == before.keeper
    assert away < 5
    print(f"death of the {program}: back after {away:.2f} s, {load.summary}")
    mortal.gateway.cli("account", "list")


def test_a_session_that_is_revoked_while_the_edge_restarts_stays_revoked(mortal: Busy) -> None:
    gateway, before = mortal.gateway, mortal.gateway.pids
    with mortal.member("gus", "wiki") as gus:
        kill(before.master)
        with gateway.admin() as admin:
            admin.delete("/sessions", account="gus")
        wait_for_another(mortal, "master", before)
        wait_for_keeper(mortal)
        assert gus.fetch("wiki").status_code == 401
    assert mortal.ann.fetch("wiki").status_code == 200


def test_the_recorder_comes_back_and_no_line_of_the_log_is_lost_for_good(mortal: Busy) -> None:
    before = mortal.gateway.pids
    with mortal.load() as load:
        kill(before.recorder)
        wait_for_another(mortal, "recorder", before)
        load.wait_for_progress()
        mortal.ann.fetch("wiki", "/after-the-recorder")
    assert load.failures == [], load.summary
    wait_for(
        lambda: any(line.get("path") == "/after-the-recorder" for line in mortal.gateway.access_log),
        "the line in the log",
    )


def test_the_supervisors_programs_die_with_it_and_the_next_start_knows_everybody(mortal: Busy) -> None:
    gateway = mortal.gateway
    with mortal.load():
        died = time.monotonic()
        gateway.kill()
        wait_for(lambda: not survivors(gateway.mark), "its programs to be gone", 5)
        print(f"death of the supervisor: its programs were gone after {time.monotonic() - died:.2f} s")
    gateway.start()
    assert mortal.ann.fetch("wiki").status_code == 200
    assert "https://auth" in gateway.out.text


def test_a_start_right_after_the_supervisors_death_takes_the_state_over(mortal: Busy) -> None:
    gateway = mortal.gateway
    old = gateway.mark
    gateway.kill()
    gateway.start()
    assert mortal.ann.fetch("wiki").status_code == 200
    assert survivors(old) == []


def test_a_second_supervisor_on_the_same_state_is_refused(mortal: Busy) -> None:
    mortal.gateway.cli("up", expect=7)
    assert mortal.ann.fetch("wiki").status_code == 200


def test_a_keeper_that_comes_back_to_a_bad_file_uses_the_last_good_one(mortal: Busy) -> None:
    gateway, good = mortal.gateway, mortal.gateway.config.read_text()
    before = gateway.pids
    with mortal.load() as load:
        gateway.config.write_text("domain = [broken\n")
        kill(before.keeper)
        wait_for_another(mortal, "keeper", before)
        wait_for_keeper(mortal)
        assert "broken" in gateway.cli("status") or "TOML" in gateway.cli("status")
        gateway.config.write_text(good)
        wait_for(lambda: gateway.status()["configuration"]["rejected"] is None, "the mended file to be applied")
    assert load.failures == [], load.summary
    assert gateway.pids.worker == before.worker


def test_a_keeper_that_comes_back_to_a_taken_port_uses_the_last_good_file(mortal: Busy) -> None:
    gateway, good = mortal.gateway, mortal.gateway.config.read_text()
    before = gateway.pids
    with mortal.socket() as talk:
        taken = mortal.upstream.port
        psutil.Process(before.keeper).suspend()
        gateway.config.write_text(good.replace(str(gateway.https_port), f'{gateway.https_port}", "127.0.0.1:{taken}'))
        kill(before.keeper)
        wait_for_another(mortal, "keeper", before)
        wait_for_keeper(mortal)
        assert gateway.status()["configuration"]["rejected"]
        assert is_alive(talk)
        gateway.config.write_text(good)
        wait_for(lambda: gateway.status()["configuration"]["rejected"] is None, "the mended file to be applied")
    assert mortal.ann.fetch("wiki").status_code == 200


def test_a_program_that_dies_again_and_again_is_restarted_ever_more_slowly(mortal: Busy) -> None:
    gateway = mortal.gateway
    for _ in range(4):
        before = gateway.pids
        kill(before.recorder)
        wait_for_another(mortal, "recorder", before)
    waits = [
        line for line in gateway.err.text.splitlines() if "the recorder ended (signal 9); starting it again in" in line
    ]
    assert len(waits) >= 2
    assert mortal.ann.fetch("wiki").status_code == 200
