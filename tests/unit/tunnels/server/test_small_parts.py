"""Names, claims, codes, the door and lines of requests."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from portward.errors import Environment
from portward.tunnels.server.approvals import Approvals
from portward.tunnels.server.claims import NAMES_OF_A_KEY, Claims, certified
from portward.tunnels.server.hostkeys import host_key
from portward.tunnels.server.naming import label, made_up
from portward.tunnels.server.screens import line_of
from portward.tunnels.server.startups import Startups, source_of

_NOW = datetime(2026, 5, 1, tzinfo=UTC)


def test_made_up_names_are_labels_the_same_for_a_key_and_different_for_others() -> None:
    names = [made_up(b"secret", f"SHA256:{number}", 0) for number in range(200)]
    assert all(label(name, "example.com") == name for name in names)
    assert len(set(names)) > 190
    assert made_up(b"secret", "SHA256:1", 0) == names[1]
    assert made_up(b"secret", "SHA256:1", 1) != names[1]
    assert made_up(b"other", "SHA256:1", 0) != names[1]


def test_a_name_stays_its_keys_over_restarts_and_for_a_month(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "names.json")
    claims.claim("ann-x", "SHA256:a", _NOW)
    again = Claims(tmp_path / "names.json")
    assert again.owner("ann-x", _NOW + timedelta(days=29)) == "SHA256:a"
    assert again.owner("ann-x", _NOW + timedelta(days=30)) is None
    assert again.names(_NOW) == ["ann-x"]


def test_a_name_is_free_when_its_key_is_gone(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "names.json")
    claims.claim("ann-x", "SHA256:a", _NOW)
    claims.claim("ben-x", "SHA256:b", _NOW)
    claims.claim("eve-x", certified("eve"), _NOW)
    claims.keep({"SHA256:b", certified("eve")})
    assert Claims(tmp_path / "names.json").names(_NOW) == ["ben-x", "eve-x"]


def test_a_key_has_a_hundred_names_and_keeps_those(tmp_path: Path) -> None:
    claims = Claims(tmp_path / "names.json")
    for number in range(NAMES_OF_A_KEY):
        assert claims.room(f"n{number}", "SHA256:a")
        claims.claim(f"n{number}", "SHA256:a", _NOW)
    assert not claims.room("one-more", "SHA256:a")
    assert claims.room("n0", "SHA256:a")
    assert claims.room("one-more", "SHA256:b")


def test_claims_that_cant_be_read_are_not_forgotten_in_silence(tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text("{")
    with pytest.raises(Environment, match=r"names\.json"):
        Claims(tmp_path / "names.json")


def test_the_host_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    first = host_key(tmp_path / "tunnels")
    path = tmp_path / "tunnels" / "ssh_host_ed25519_key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert host_key(tmp_path / "tunnels").get_fingerprint() == first.get_fingerprint()


def test_a_host_key_that_cant_be_read_is_never_replaced(tmp_path: Path) -> None:
    host_key(tmp_path)
    path = tmp_path / "ssh_host_ed25519_key"
    path.write_text("broken")
    with pytest.raises(Environment, match="clients know it"):
        host_key(tmp_path)
    assert path.read_text() == "broken"


def test_at_a_full_door_the_oldest_of_the_same_source_goes() -> None:
    door: Startups[str] = Startups(of_one=2, of_all=100)
    assert door.enter("a", "192.0.2.1") == []
    assert door.enter("b", "192.0.2.1") == []
    assert door.enter("other", "192.0.2.2") == []
    assert door.enter("c", "::ffff:192.0.2.1") == ["a"]


def test_at_a_full_door_the_oldest_of_the_busiest_source_goes() -> None:
    door: Startups[str] = Startups(of_one=10, of_all=3)
    for peer, address in (("single", "192.0.2.1"), ("a", "2001:db8::1"), ("b", "2001:db8::2")):
        assert door.enter(peer, address) == []
    assert door.enter("newcomer", "192.0.2.3") == ["a"]
    door.leave("a", "2001:db8::1")
    door.leave("b", "2001:db8::2")
    door.leave("b", "2001:db8::2")
    assert len(door) == 2


def test_an_ipv6_source_is_its_64() -> None:
    assert source_of("2001:db8::1%eth0") == source_of("2001:db8::ffff") == "2001:db8::/64"


def test_a_code_is_found_however_it_is_typed_until_it_expires() -> None:
    async def run() -> None:
        approvals = Approvals()
        entry = approvals.enter(fingerprint="f", public="p", user="u", address="192.0.2.1", version="v", now=_NOW)
        typed = entry.pending.code.lower().replace("-", " ")
        assert approvals.find(typed, _NOW) is entry
        assert approvals.find(typed, _NOW + timedelta(minutes=10)) is None
        approvals.expire(_NOW + timedelta(minutes=10))
        assert await entry.verdict is None

    asyncio.run(run())


def test_one_address_cant_fill_the_waiting_room() -> None:
    async def run() -> None:
        approvals = Approvals()
        while approvals.has_room("192.0.2.1"):
            approvals.enter(fingerprint="f", public="p", user="u", address="192.0.2.1", version="v", now=_NOW)
        assert len(approvals.entries) < 10
        assert approvals.has_room("192.0.2.2")

    asyncio.run(run())


def test_a_request_is_one_line_without_control_characters() -> None:
    fields = {
        "time": 1.5,
        "host": "blog.test",
        "method": "GET",
        "path": "/\x1b[2J\u202e",
        "status": 200,
        "ms": 3,
        "ip": "::1",
    }
    told = line_of(json.dumps(fields).encode())
    assert told is not None
    assert told[0] == "blog.test"
    assert "GET" in told[1]
    assert told[1].isprintable()


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"time": 1}', b'{"message": "3 events dropped"}'])
def test_lines_that_are_no_requests_are_skipped(raw: bytes) -> None:
    assert line_of(raw) is None
