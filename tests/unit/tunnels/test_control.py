"""What the keeper sees of the program `tunnels`, answered by a socket that says one line."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest

from portward.errors import Invalid, NotFound, NotRunning
from portward.tunnels.control import Control, Pending

T = TypeVar("T")
_PENDING = (
    b'{"code": "ABCD-EFGH", "fingerprint": "SHA256:x", "public": "ssh-ed25519 A", "user": "ann",'
    b' "address": "192.0.2.1", "version": "SSH-2.0-x", "wishes": ["-R blog:80"], "since": "2026-01-01T00:00:00+00:00",'
    b' "expires_at": "2026-01-01T00:10:00+00:00"}'
)


def _asked(path: Path, answer: bytes, ask: Callable[[Control], Awaitable[T]]) -> tuple[T, bytes]:
    async def run() -> tuple[T, bytes]:
        questions: list[bytes] = []

        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            questions.append(await reader.readline())
            writer.write(answer)
            writer.close()

        async with await asyncio.start_unix_server(reply, path / "s"):
            return await ask(Control(path / "s")), questions[0]

    return asyncio.run(run())


def test_a_waiting_key_is_told_with_its_wishes_and_times(tmp_path: Path) -> None:
    found, question = _asked(tmp_path, b'{"ok": [' + _PENDING + b"]}\n", lambda control: control.pending())
    assert question == b'{"do": "pending"}\n'
    assert found[0].wishes == ("-R blog:80",)
    assert found[0].expires_at == datetime(2026, 1, 1, 0, 10, tzinfo=UTC)


def test_a_cut_answers_how_many_were_closed(tmp_path: Path) -> None:
    closed, question = _asked(tmp_path, b'{"ok": 2}\n', lambda control: control.cut(service="blog"))
    assert closed == 2
    assert b'"service": "blog"' in question


def test_an_approval_returns_the_key(tmp_path: Path) -> None:
    approved, _ = _asked(tmp_path, b'{"ok": ' + _PENDING + b"}\n", lambda control: control.approve("ABCD-EFGH"))
    assert isinstance(approved, Pending)
    assert replace(approved, code="") != approved


def test_a_code_that_nobody_has_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="ABCD"):
        _asked(tmp_path, b'{"ok": null}\n', lambda control: control.refuse("ABCD"))


def test_what_the_program_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="not that"):
        _asked(tmp_path, b'{"error": "not that"}\n', lambda control: control.live())


def test_half_an_answer_counts_as_none(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        _asked(tmp_path, b'{"ok": [', lambda control: control.live())


def test_without_the_program_the_keeper_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="does not answer"):
        asyncio.run(Control(tmp_path / "nobody").live())
