"""The keeper, as the process of a round speaks to it: a line of JSON each way.

    keeper = Keeper(sys.stdin, sys.stdout)
    keeper.ask("present", host="wiki.example.com", token="…", value="…")
    keeper.tell("step", name="wiki.example.com", text="asking the authority")

When the keeper is gone there is nobody to work for, and the process ends at once; what was begun lies in files.
"""

import json
import os
import queue
import threading
from typing import IO, Any

from portward.pki.acme.troubles import Interrupted

_SECONDS = 60.0


class Keeper:
    def __init__(self, source: IO[str], sink: IO[str]) -> None:
        self._source, self._sink = source, sink
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._turn = threading.Lock()

    def read_job(self) -> str:
        """The first line. From then on answers are awaited."""
        line = self._source.readline()
        threading.Thread(target=self._listen, daemon=True).start()
        return line

    def tell(self, say: str, **values: Any) -> None:
        """Say something that needs no answer."""
        with self._turn:
            self._write({"say": say, **values})

    def ask(self, say: str, **values: Any) -> None:
        """Have the keeper do something; it is done when this returns. Raises `Interrupted` when it can't."""
        with self._turn:
            self._write({"say": say, **values})
            try:
                answer = self._answers.get(timeout=_SECONDS)
            except queue.Empty:
                raise Interrupted("the keeper does not answer") from None
        if problem := answer.get("problem"):
            raise Interrupted(str(problem))

    def _write(self, values: dict[str, Any]) -> None:
        self._sink.write(json.dumps(values) + "\n")
        self._sink.flush()

    def _listen(self) -> None:
        for line in self._source:
            self._answers.put(json.loads(line))
        os._exit(1)
