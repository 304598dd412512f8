import asyncio
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from portward.errors import Environment, Invalid
from portward.identity.guessing import Guess, ask, guess, guess_apart
from portward.identity.passwords import Passwords


def test_passwords_are_kept_as_argon2id_with_64_mib() -> None:
    async def story() -> None:
        passwords = Passwords()
        kept = await passwords.hash("velvet anchor ninety crickets")
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert await passwords.verify(kept, "velvet anchor ninety crickets")
        assert not await passwords.verify(kept, "velvet anchor ninety cricket")
        assert not await passwords.verify(None, "nobody has this password")
        assert not passwords.outdated(kept)

    asyncio.run(story())


def test_a_password_is_the_same_from_every_keyboard() -> None:
    async def story() -> None:
        passwords = Passwords()
        assert await passwords.verify(await passwords.hash("größte Übung"), "gro\u0308ßte U\u0308bung")

    asyncio.run(story())


def test_what_is_seldom_needed_is_not_imported_at_start() -> None:
    program = (
        "import sys, portward.identity.identity\n"
        "sys.exit(' '.join({'zxcvbn', 'alembic', 'cryptography'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_password_is_judged_by_length_and_by_how_easily_it_is_guessed() -> None:
    async def story() -> None:
        passwords = Passwords()
        assert await passwords.judge("velvet anchor ninety crickets", ["ann"]) is None
        assert await passwords.judge("hunter2", ["ann"]) == "The password needs at least 10 characters."
        assert await passwords.judge("x" * 129, []) == "The password may have at most 128 characters."
        wanted = 'The password is too easy to guess: repeats like "aaa" are easy to guess.'
        assert await passwords.judge("aaaaaaaaaaaaaaa", []) == wanted
        assert await passwords.judge("zylberquist99", []) is None
        assert await passwords.judge("zylberquist99", ["ann@zylberquist.example"])
        with pytest.raises(Invalid, match="too easy to guess"):
            await passwords.require_good("passwordpassword", [])

    asyncio.run(story())


def test_a_judgement_leaves_nothing_in_this_process_and_no_child() -> None:
    program = (
        "import asyncio, os, sys\n"
        "from portward.identity.passwords import Passwords\n"
        "assert asyncio.run(Passwords().judge('velvet anchor ninety crickets', ['ann'])) is None\n"
        "assert 'zxcvbn' not in sys.modules\n"
        "try: os.waitpid(-1, os.WNOHANG)\n"
        "except ChildProcessError: print('childless')\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "childless\n"


def test_the_judgement_apart_is_the_judgement_here() -> None:
    for password in ("velvet anchor ninety crickets", "Annika2026!!", "größte Übung 🦀", "a" * 128):
        assert asyncio.run(guess_apart(password, ["annika"])) == guess(password, ["annika"])


def test_a_password_is_seen_in_no_argument_and_no_environment(tmp_path: Path) -> None:
    """The child writes down what others could see of it."""
    spy = (
        "import json, sys\n"
        "seen = open('/proc/self/cmdline').read() + open('/proc/self/environ').read()\n"
        f"open({str(tmp_path / 'seen')!r}, 'w').write(seen)\n"
        "print(json.dumps({'score': len(json.load(sys.stdin)['password']), 'warning': ''}))\n"
    )
    assert ask([sys.executable, "-c", spy], "velvet", []) == Guess(6, "")
    assert "velvet" not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize(
    "program",
    [
        "import sys; sys.exit(1)",
        "print('nonsense')",
        "print('{}')",
        "import os; os.kill(os.getpid(), 9)",
        "import sys; sys.stderr.write(sys.stdin.read()); raise SystemExit(sys.stdin.read())",
    ],
)
def test_what_could_not_be_judged_is_not_taken(program: str) -> None:
    with pytest.raises(Environment, match="could not be judged, so it was not taken") as refused:
        ask([sys.executable, "-c", program], "velvet anchor", [])
    assert "velvet" not in str(refused.value)
    assert refused.value.__suppress_context__


def test_a_program_that_is_missing_is_a_judgement_that_failed() -> None:
    with pytest.raises(Environment):
        ask(["/nonexistent/python"], "velvet anchor", [])


def test_a_judgement_has_an_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("portward.identity.guessing.SECONDS", 0.5)
    hanging = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(Environment, match="TimeoutExpired"):
        ask([sys.executable, "-c", hanging], "velvet anchor", [])
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_two_judgements_run_at_a_time_at_most() -> None:
    running, most = 0, 0

    async def weigh(password: str, words: Sequence[str]) -> Guess:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return Guess(4, "")

    async def story() -> None:
        passwords = Passwords(weigh=weigh)
        await asyncio.gather(*(passwords.judge("velvet anchor", []) for _ in range(20)))

    asyncio.run(story())
    assert most == 2
