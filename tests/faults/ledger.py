"""The load generator: posts readings as a sender would and writes down what it was told. Imports nothing of Borough."""

import http.client
import json
import random
import threading
import time
import urllib.error
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tests.system.program import call
from tests.system.recomputed import Reading, rfc

_AGAIN = 0.1  # of the posts are sent once more although they were taken
_RECORDED = 12  # readings of the recording in each post
HEAD = "series,sequence,time,value,outcome\n"


class Ledger:
    """Appends lines ``series,sequence,time,value,outcome`` to a file; ``lines`` are those of this run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="utf-8")
        if self._file.tell() == 0:
            self._file.write(HEAD)
        self._lock = threading.Lock()
        self._sequence = 0
        self.outcomes = {"ok": 0, "fail": 0, "unknown": 0}

    def write(self, readings: Sequence[Reading], outcome: str) -> None:
        """One request."""
        with self._lock:
            self._sequence += 1
            for r in readings:
                self._file.write(f"{r.series},{self._sequence},{rfc(r.ms)},{r.value!r},{outcome}\n")
            self._file.flush()
            self.outcomes[outcome] += len(readings)

    def close(self) -> None:
        self._file.close()


class Stream(NamedTuple):
    """A series of the load: from when on (epoch ms), how far apart its readings are."""

    series: str
    begin: int
    step_ms: int


def post(base: str, readings: Sequence[Reading], timeout_s: float) -> str:
    """``ok``, ``fail`` or ``unknown``: what a sender can know."""
    body = json.dumps([r.json() for r in readings]).encode()
    try:
        answer = call(base + "/v1/readings", body, {"Content-Type": "application/json"}, timeout_s)
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        return "fail" if isinstance(getattr(error, "reason", None), ConnectionRefusedError) else "unknown"
    assert answer.status in (202, 429, 503), answer  # all readings are good: "later" is the only other answer
    if answer.status != 202:
        return "fail"
    assert answer.json()["accepted"] == len(readings), answer.body
    return "ok"


class Load:
    """Posts one reading of every stream, again and again; what it has no answer for it sends until it is taken, except
    readings of ``once``. Some of what was taken it sends once more.

    Args:
        base: where the door is just now.
        streams: sent again until they are taken.
        once: not sent again while there is no answer, so that it stays open whether they count.
        recorded: played along, some with each post, each until it is taken.
        per_s: posts per second, about.
    """

    def __init__(
        self, base: Callable[[], str], ledger: Ledger, streams: Sequence[Stream], once: Sequence[Stream], seed: int,
        recorded: Sequence[Reading] = (), per_s: float = 4.0, timeout_s: float = 15.0,
    ) -> None:  # fmt: skip
        self._recorded = list(recorded)
        self._base, self._ledger, self._streams, self._once = base, ledger, streams, once
        self._rng = random.Random(seed)
        self._pause_s = 1 / per_s
        self._timeout_s = timeout_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.posts = 0
        self.last: dict[str, Reading] = {}  # the newest that was taken, by series
        self.error: BaseException | None = None

    def _readings(self, streams: Sequence[Stream]) -> list[Reading]:
        return [
            Reading(s.begin + self.posts * s.step_ms, s.series, round(self._rng.gauss(400, 90), 4)) for s in streams
        ]

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                streams, once = self._readings(self._streams), self._readings(self._once)
                played, self._recorded = self._recorded[:_RECORDED], self._recorded[_RECORDED:]
                again = [*streams, *played]
                taken = self._send([*again, *once]) == "ok"
                while not taken and not self._stop.is_set():
                    self._stop.wait(0.2)
                    taken = self._send(again) == "ok"
                if taken and self._rng.random() < _AGAIN:
                    self._send([*again, *once])
                if taken:
                    self.last.update({r.series: r for r in streams})
                self.posts += 1
                self._stop.wait(self._pause_s)
        except BaseException as error:
            self.error = error

    def _send(self, readings: Sequence[Reading]) -> str:
        outcome = post(self._base(), readings, self._timeout_s)
        self._ledger.write(readings, outcome)
        return outcome

    @property
    def playing(self) -> bool:
        """Whether some of the recording is still to come."""
        return bool(self._recorded)

    def wait_for(self, posts: int, patience_s: float = 120.0) -> None:
        """Return when so many more posts were taken."""
        target, deadline = self.posts + posts, time.monotonic() + patience_s
        while self.posts < target:
            assert self.error is None, self.error
            assert time.monotonic() < deadline, f"{self.posts - target + posts} of {posts} posts in {patience_s:.0f} s"
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join(60)
        if error is None:
            assert self.error is None, self.error
