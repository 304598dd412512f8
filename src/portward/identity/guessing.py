"""How easily a password is guessed, found out in a process of its own that takes zxcvbn's 30 MB away when it ends.

    await guess_apart("correct horse battery", ["ann"])      # Guess(score=4, warning='')

The keeper runs for months, and somebody chooses a password now and then. What is asked goes over standard input, where
nobody else sees it: neither in the arguments nor in the environment of a process.
"""

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from portward.errors import Environment

SECONDS = 20
_LOOKED_AT = 72
"""So many characters are weighed: zxcvbn's work grows with their square."""


@dataclass(frozen=True, slots=True)
class Guess:
    """`score` is zxcvbn's, 0 to 4; `warning` is its sentence about what makes the password weak, or empty."""

    score: int
    warning: str


async def guess_apart(password: str, words: Sequence[str]) -> Guess:
    """Weigh a password; a guesser knows `words`. Raises `Environment` when that could not be done, within 20 s."""
    return await asyncio.to_thread(ask, [sys.executable, "-m", __name__], password, words)


def ask(command: Sequence[str], password: str, words: Sequence[str]) -> Guess:
    """As `guess_apart`, with the program given; blocks."""
    question = json.dumps({"password": password, "words": list(words)}).encode()
    try:
        done = subprocess.run(command, input=question, capture_output=True, timeout=SECONDS, check=True)  # noqa: S603
        answer = json.loads(done.stdout)
        return Guess(int(answer["score"]), str(answer["warning"]))
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        # From None: nothing of the question may end up in a traceback.
        raise Environment(
            f"the password could not be judged, so it was not taken ({type(error).__name__})",
            way_out="try again; if it stays so, the machine lacks memory or processes",
        ) from None


def guess(password: str, words: Sequence[str]) -> Guess:
    """Weigh a password in this process."""
    from zxcvbn import zxcvbn

    found = zxcvbn(password[:_LOOKED_AT], user_inputs=list(words), max_length=_LOOKED_AT)
    return Guess(int(found["score"]), str(found["feedback"]["warning"]))


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    question = json.load(sys.stdin)
    print(json.dumps(asdict(guess(question["password"], question["words"]))))


if __name__ == "__main__":
    main()
