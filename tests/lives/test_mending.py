"""What the edge has is compared with what it should have, and mended; whatever has gone astray costs delay only."""

import os
import re
import signal

import pytest
from tests.lives.busy import Busy
from tests.lives.waiting import wait_for


def reload_by_command(busy: Busy) -> None:
    with busy.gateway.admin() as admin:
        admin.post("/reload")


def hang_up(busy: Busy) -> None:
    os.kill(busy.gateway.pids.supervisor, signal.SIGHUP)


def save_the_same_file(busy: Busy) -> None:
    busy.gateway.config.write_text(busy.gateway.config.read_text())


@pytest.mark.parametrize("mend", [reload_by_command, hang_up, save_the_same_file])
def test_a_lost_session_is_admitted_again(busy: Busy, mend: object) -> None:
    gateway, seen = busy.gateway, len(mended(busy))
    for key in gateway.map("sessions"):
        gateway.runtime(f"del map {gateway.map_file('sessions')} {key}")
    assert busy.ann.fetch("wiki").status_code == 401
    assert callable(mend)
    mend(busy)
    wait_for(lambda: busy.ann.fetch("wiki").status_code == 200, "ann to be known again")
    wait_for(lambda: any("sessions.map" in what for what in mended(busy)[seen:]), "an event that tells")


def test_a_session_that_nobody_has_is_taken_out(busy: Busy) -> None:
    gateway = busy.gateway
    gateway.runtime(f"add map {gateway.map_file('sessions')} {'AB' * 32} 9999999999|ann|stolen|0")
    reload_by_command(busy)
    assert "AB" * 32 not in gateway.map("sessions")


def test_a_session_with_a_longer_life_than_it_should_have_is_put_right(busy: Busy) -> None:
    gateway = busy.gateway
    key, line = next(iter(gateway.map("sessions").items()))
    gateway.runtime(f"set map {gateway.map_file('sessions')} {key} 9999999999{line[10:]}")
    reload_by_command(busy)
    assert gateway.map("sessions")[key] == line


def test_lost_routes_servers_people_and_certificates_come_back(busy: Busy) -> None:
    gateway = busy.gateway
    busy.apply(choice={"upstream": busy.upstream.url, "access": "account:ann"})
    busy.ann.arrive("choice")
    before = {name: gateway.map(name) for name in ("routes", "accounts", "grants", "sessions")}
    server = re.search(r"services (?:\d+ )?(choice-\w+)", gateway.runtime("show servers state"))
    assert server
    for name in before:
        gateway.runtime(f"clear map {gateway.map_file(name)}")
    gateway.runtime(f"set server services/{server[1]} state maint")
    gateway.runtime(f"del server services/{server[1]}")
    crt_list = gateway.state / "edge" / "crt-list"
    gateway.runtime(f"del ssl crt-list {crt_list} {gateway.state}/certificates/choice.gate.test.pem")
    reload_by_command(busy)
    assert {name: gateway.map(name) for name in before} == before
    assert busy.ann.fetch("choice").status_code == 200
    with gateway.visitor() as stranger:
        assert stranger.fetch("choice").status_code == 401
    busy.apply()


def test_what_went_astray_while_the_keeper_was_away_is_mended_at_its_start(busy: Busy) -> None:
    gateway, before = busy.gateway, busy.gateway.pids
    gateway.map_file("sessions").write_text("")
    gateway.runtime(f"clear map {gateway.map_file('sessions')}")
    os.kill(before.keeper, signal.SIGKILL)
    wait_for(lambda: busy.ann.fetch("wiki").status_code == 200, "ann to be known again")
    wait_for(lambda: gateway.pids.keeper != before.keeper, "another keeper")
    assert gateway.pids.worker == before.worker
    text = gateway.map_file("sessions").read_text()
    assert all(key in text for key in gateway.map("sessions"))


def mended(busy: Busy) -> list[str]:
    return [event["fields"]["what"] for event in busy.gateway.events(kind="EdgeMended")]
