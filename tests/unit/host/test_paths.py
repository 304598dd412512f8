"""Where everything lies in the state directory."""

from pathlib import Path

import pytest
from tests.lives.places import short_directory

from portward.errors import Environment
from portward.host.paths import State


def test_paths_are_absolute_so_that_every_program_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with short_directory() as directory:
        monkeypatch.chdir(directory)
        assert State(Path(".portward")).admin_socket == directory / ".portward" / "run" / "admin.sock"
        monkeypatch.undo()


def test_a_path_without_room_for_sockets_is_refused_with_a_way_out() -> None:
    with pytest.raises(Environment, match="--state") as caught:
        State(Path("/") / ("x" * 90))
    assert caught.value.exit_code == 7


def test_bytes_count_and_not_letters() -> None:
    with pytest.raises(Environment):
        State(Path("/") / ("ü" * 45))


def test_every_socket_fits_in_the_longest_directory_that_is_accepted() -> None:
    state = State(Path("/" + "x" * 78))
    haproxys = (state.edge_socket, state.master_socket)
    assert max(len(str(path)) for path in haproxys) + len(".4194304.tmp") <= 107
    assert max(len(str(path)) for path in (*state.sockets(), state.service_socket("a" * 63))) <= 107


def test_a_service_has_a_socket_of_its_name_where_there_is_room() -> None:
    short, long = State(Path("/s")), State(Path("/" + "x" * 78))
    assert short.service_socket("blog") == Path("/s/run/tunnels/blog.sock")
    assert long.service_socket("a" * 63) != long.service_socket("a" * 62)


def test_preparing_makes_private_directories_and_can_be_done_twice(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.prepare()
    state.prepare()
    assert state.run.stat().st_mode & 0o777 == 0o700
    assert state.directory.stat().st_mode & 0o777 == 0o700
