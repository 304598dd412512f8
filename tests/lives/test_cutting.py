"""Whoever may no longer come in is refused at the next request and loses what is open, and nobody else does."""

import asyncio
from collections.abc import Callable, Iterator
from threading import Thread

import httpx
import psutil
import pytest
from tests.lives.busy import Busy, busy_gateway
from tests.lives.sockets import is_alive, wait_for_cut
from tests.lives.visitor import COOKIE, Visitor
from tests.lives.waiting import wait_for

CUT_WITHIN = 5


def log_out(busy: Busy, bob: Visitor) -> None:
    bob.submit(bob.visit("auth", "/logout"))


def revoke_session(busy: Busy, bob: Visitor) -> None:
    with busy.gateway.admin() as admin:
        (session,) = admin.get("/sessions", account="bob")["sessions"]
    busy.gateway.cli("session", "revoke", session["id"], "--yes")


def disable_account(busy: Busy, bob: Visitor) -> None:
    busy.gateway.cli("account", "disable", "bob", "--yes")


def remove_account(busy: Busy, bob: Visitor) -> None:
    busy.gateway.cli("account", "remove", "bob", "--yes")


def leave_group(busy: Busy, bob: Visitor) -> None:
    busy.gateway.cli("group", "leave", "choir", "bob")


def change_access(busy: Busy, bob: Visitor) -> None:
    busy.apply(song={"upstream": busy.echo.url, "access": "account:ann"})


def unpublish(busy: Busy, bob: Visitor) -> None:
    busy.apply()


@pytest.fixture
def choir(busy: Busy) -> Iterator[Busy]:
    with busy.gateway.admin() as admin:
        admin.post("/groups", {"name": "choir"})
    busy.apply(song={"upstream": busy.echo.url, "access": ["group:choir", "account:ann"]})
    yield busy
    busy.apply()
    with busy.gateway.admin() as admin:
        admin.delete("/groups/choir")
        if any(account["name"] == "bob" for account in admin.get("/accounts")["accounts"]):
            admin.delete("/accounts/bob")


@pytest.mark.parametrize(
    "end", [log_out, revoke_session, disable_account, remove_account, leave_group, change_access, unpublish]
)
def test_an_open_socket_is_cut(choir: Busy, end: Callable[[Busy, Visitor], None]) -> None:
    choir.ann.arrive("song")
    with choir.member("bob", "song", groups=["choir"]) as bob, choir.socket() as stays:
        with choir.socket(bob, "song") as goes:
            assert is_alive(goes)
            end(choir, bob)
            wait_for_cut(goes, CUT_WITHIN)
        if end is not unpublish:
            assert bob.fetch("song").status_code in {401, 403}
        assert is_alive(stays)
    assert choir.ann.fetch("wiki").status_code == 200


@pytest.mark.parametrize("http2", [False, True])
def test_an_open_event_stream_is_cut_and_that_of_another_session_is_not(busy: Busy, *, http2: bool) -> None:
    with busy.member("carl", "wiki") as carl, busy.gateway.visitor(http2=http2) as browser:
        browser.log_in("carl")
        browser.arrive("wiki")
        heard: list[str] = []
        reader = Thread(target=lambda: heard.extend(_listen(browser)))
        other = Thread(target=lambda: heard.extend(f"carl {line}" for line in _listen(carl)))
        reader.start()
        other.start()
        wait_for(lambda: len(busy.upstream.seen("/stream")) >= 2, "the streams to begin")
        newest = max(busy.gateway.sessions("carl"), key=lambda session: session["created_at"])
        busy.gateway.cli("session", "revoke", newest["id"], "--yes")
        reader.join(CUT_WITHIN)
        assert not reader.is_alive()
        assert other.is_alive()
        busy.upstream.go_on.set()
        other.join()
        assert "carl data: second" in heard
        assert "data: second" not in heard
    busy.gateway.cli("account", "remove", "carl", "--yes")
    busy.upstream.requests.clear()
    busy.upstream.go_on.clear()


def test_a_logout_on_a_connection_that_two_sessions_share_cuts_the_right_stream(busy: Busy) -> None:
    """The later stream of another session must not hide the earlier one."""
    gateway = busy.gateway
    with busy.member("dora", "wiki") as first, gateway.log_in("dora") as second:
        second.arrive("wiki")
        oldest = min(gateway.sessions("dora"), key=lambda session: session["created_at"])
        ended = asyncio.run(_revoke_one_of_two_streams(busy, first, second, oldest["id"]))
    assert ended == ["first"]
    gateway.cli("account", "remove", "dora", "--yes")
    busy.upstream.requests.clear()
    busy.upstream.go_on.clear()


def test_a_socket_behind_a_trusted_proxy_is_cut(busy: Busy) -> None:
    busy.gateway.change(proxies={"forwarded-for": ["127.0.0.1/32"]})
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    with (
        busy.member("emil", "chat") as emil,
        busy.socket(emil, headers=forwarded) as goes,
        busy.socket() as stays,
    ):
        busy.gateway.cli("session", "revoke", "--account", "emil", "--yes")
        wait_for_cut(goes, CUT_WITHIN)
        assert is_alive(stays)
    busy.gateway.cli("account", "remove", "emil", "--yes")
    busy.gateway.change(proxies={"forwarded-for": []})


def test_a_session_in_use_outlives_its_idle_time_and_ends_at_its_absolute_one() -> None:
    with busy_gateway(sessions={"idle": "4s", "absolute": "12s"}) as short:
        with short.load() as load:
            wait_for(lambda: load.failures, "the session to end")
        first = load.failures[0]
        assert "401" in first
        assert float(first.split(" s")[0]) > 2 * 4 * 0.8, first
        assert not [line for line in load.failures if "401" not in line]


def test_the_edge_ends_sessions_by_itself_while_the_keeper_hangs() -> None:
    with busy_gateway(sessions={"idle": "3s", "absolute": "1h"}) as short:
        keeper = psutil.Process(short.gateway.pids.keeper)
        with short.member("fay", "wiki") as fay:
            keeper.suspend()
            try:
                assert fay.fetch("wiki").status_code == 200
                wait_for(lambda: fay.fetch("wiki").status_code == 401, "the session to end")
            finally:
                keeper.resume()


def _listen(visitor: Visitor) -> list[str]:
    lines: list[str] = []
    try:
        url = visitor._url("wiki", "/stream")
        with visitor.http.stream("GET", url, headers={"Accept": "text/event-stream"}) as answer:
            lines.extend(answer.iter_lines())
    except httpx.TransportError:
        pass
    return lines


async def _revoke_one_of_two_streams(busy: Busy, first: Visitor, second: Visitor, session_id: str) -> list[str]:
    """Open a stream of each over one HTTP/2 connection, revoke that session, and tell which streams that ended."""
    gateway = busy.gateway
    async with httpx.AsyncClient(http2=True, verify=gateway.tls(), trust_env=False) as connection:
        tasks = {}
        for count, (name, visitor) in enumerate((("first", first), ("second", second)), start=1):
            tasks[name] = asyncio.create_task(_hear(connection, gateway.https_port, visitor))
            await asyncio.to_thread(wait_for, lambda n=count: len(busy.upstream.seen("/stream")) >= n, "the stream")
        await asyncio.to_thread(gateway.cli, "session", "revoke", session_id, "--yes")
        await asyncio.wait(tasks.values(), timeout=CUT_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        ended = [name for name, task in tasks.items() if task.done()]
        busy.upstream.go_on.set()
        await asyncio.wait(tasks.values())
    assert tasks["second"].result().endswith("data: second\n\n")
    return ended


async def _hear(connection: httpx.AsyncClient, port: int, visitor: Visitor) -> str:
    headers = {
        "Host": f"wiki.gate.test:{port}",
        "Accept": "text/event-stream",
        "Cookie": f"{COOKIE}={visitor.cookie('wiki')}",
    }
    try:
        url, extensions = f"https://127.0.0.1:{port}/stream", {"sni_hostname": "wiki.gate.test"}
        return (await connection.get(url, headers=headers, extensions=extensions)).text
    except httpx.TransportError as error:
        return repr(error)
