"""A change of the configuration disturbs nobody: no request fails, no WebSocket drops, and nothing is reloaded."""

import socket
from typing import Any

import httpx
import pytest
from tests.lives.busy import Busy
from tests.lives.gateway import free_ports
from tests.lives.load import Load
from tests.lives.sockets import is_alive, wait_for_cut
from tests.lives.upstream import Upstream
from tests.lives.waiting import wait_for

CHANGES = 100


def test_a_hundred_changes_under_load_fail_no_request_and_drop_no_socket(busy: Busy) -> None:
    before, upstream = busy.gateway.pids, {"upstream": busy.upstream.url}
    extra: dict[str, Any] = {}
    with Upstream() as other, busy.socket() as talk, busy.load() as load:
        for number in range(CHANGES):
            match number % 5:
                case 0:
                    extra = {f"new{number % 20}": upstream}
                case 1:
                    extra |= {"wiki": {**upstream, "access": "public"}}
                case 2:
                    extra |= {"wiki": {**upstream, "access": ["owners", "account:ann"]}}
                case 3:
                    extra |= {"wiki": {"upstream": other.url}}
                case 4:
                    extra = {}
            busy.apply(**extra)
        load.wait_for_progress()
        assert is_alive(talk)
        busy.apply()
    assert load.failures == [], load.summary
    assert busy.gateway.pids == before
    print(f"{CHANGES} changes: {load.summary}")


def test_the_edge_outlives_upstreams_that_refuse_and_go_away_meanwhile(busy: Busy) -> None:
    """HAProxy 2.6 dies when a server is deleted on which a request waits for its next try to connect."""
    before = busy.gateway.pids
    busy.apply(gone={"upstream": f"http://127.0.0.1:{free_ports(1)[0]}", "access": "public"})
    with Load(busy.gateway, "gone", wait=False) as hopeless, busy.load() as load:
        for _ in range(25):
            busy.apply(gone={"upstream": f"http://127.0.0.1:{free_ports(1)[0]}", "access": "public"})
        busy.apply()
        load.wait_for_progress()
    no_hope = ("503", "UNRECOGNIZED_NAME", "IncompleteRead")  # HAProxy 3.2 closes what waits for a deleted server
    assert all(any(end in failure for end in no_hope) for failure in hopeless.failures), hopeless.summary
    assert load.failures == [], load.summary
    assert busy.gateway.pids == before


def test_publishing_by_command_and_by_saving_the_file_takes_effect_at_once(busy: Busy) -> None:
    gateway, before = busy.gateway, busy.gateway.pids
    with busy.load() as load, gateway.visitor() as stranger:
        for number in range(3):
            gateway.cli("publish", f"shop{number}", busy.upstream.url, "--access", "public")
            assert stranger.fetch(f"shop{number}").status_code == 200
            gateway.cli("unpublish", f"shop{number}", "--yes")
            with gateway.visitor() as late, pytest.raises(httpx.ConnectError, match="unrecognized name"):
                late.fetch(f"shop{number}")
        gateway.configure({**busy.services, "saved": {"upstream": busy.upstream.url, "access": "public"}})
        wait_for(lambda: "saved" in _services(busy), "the saved file to be applied")
        assert stranger.fetch("saved").status_code == 200
        busy.apply()
    assert load.failures == [], load.summary
    assert gateway.pids == before


def test_publishing_keeps_the_comments_of_the_file(busy: Busy) -> None:
    gateway = busy.gateway
    text = gateway.config.read_text() + "\n# what my neighbour needs\n[services.fence]  # white\nupstream = 'demo'\n"
    gateway.config.write_text(text)
    gateway.cli("publish", "shed", busy.upstream.url)
    gateway.cli("unpublish", "shed", "--yes")
    assert gateway.config.read_text() == text
    busy.apply()


def test_a_change_of_limits_reloads_without_a_failed_request_and_the_old_worker_hears_of_logouts(busy: Busy) -> None:
    gateway, before = busy.gateway, busy.gateway.pids
    with (
        busy.member("rolf", "chat") as rolf,
        busy.socket() as stays,
        busy.socket(rolf) as goes,
        busy.load() as load,
    ):
        gateway.change(limits={"requests": 999_999})
        assert gateway.pids.master == before.master
        assert gateway.pids.worker != before.worker
        load.wait_for_progress()
        assert is_alive(stays)
        assert is_alive(goes)
        gateway.cli("session", "revoke", "--account", "rolf", "--yes")
        wait_for_cut(goes, 5)
        assert is_alive(stays)
        gateway.change(limits={"requests": 1_000_000})
        load.wait_for_progress()
        assert is_alive(stays)
    assert load.failures == [], load.summary


def test_a_port_that_is_taken_changes_nothing_and_is_named(busy: Busy) -> None:
    gateway, before = busy.gateway, busy.gateway.pids
    with socket.create_server(("127.0.0.1", 0)) as taken, busy.socket() as talk, busy.load() as load:
        port = taken.getsockname()[1]
        addresses = [f"127.0.0.1:{gateway.https_port}", f"127.0.0.1:{port}"]
        with pytest.raises(Exception, match=str(port)):
            gateway.change(listen={"https": addresses})
        assert str(port) in gateway.cli("status")
        load.wait_for_progress()
        assert is_alive(talk)
    assert load.failures == [], load.summary
    assert gateway.pids == before
    gateway.change(listen={"https": addresses[:1]})
    assert gateway.status()["configuration"]["rejected"] is None


def test_another_listener_is_opened_by_a_seamless_reload(busy: Busy) -> None:
    gateway = busy.gateway
    first, second = f"127.0.0.1:{gateway.https_port}", f"127.0.0.1:{free_ports(1)[0]}"
    with busy.socket() as talk, busy.load() as load:
        gateway.change(listen={"https": [first, second]})
        socket.create_connection(("127.0.0.1", int(second.rpartition(":")[2])), 5).close()
        gateway.change(listen={"https": [first]})
        load.wait_for_progress()
        assert is_alive(talk)
    assert load.failures == [], load.summary


def test_a_bad_file_changes_nothing_and_its_reason_is_told(busy: Busy) -> None:
    gateway, good = busy.gateway, busy.gateway.config.read_text()
    with busy.load() as load:
        gateway.config.write_text(good.replace("[services.wiki]", "[services.wiki]\nupstraem = 3"))
        reason = wait_for(lambda: (gateway.status()["configuration"]["rejected"] or {}).get("reason"), "the reason")
        assert "upstraem" in reason
        assert "upstraem" in gateway.cli("status")
        assert gateway.wait_for_events(kind="ConfigRejected")
        gateway.config.write_text(good)
        wait_for(lambda: gateway.status()["configuration"]["rejected"] is None, "the mended file to be applied")
    assert load.failures == [], load.summary


def _services(busy: Busy) -> set[str]:
    with busy.gateway.admin() as admin:
        return {route["service"] for route in admin.get("/services")["services"]}
