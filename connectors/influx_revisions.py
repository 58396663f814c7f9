"""Which rows may be written: InfluxDB overwrites blindly, so an older revision is kept back here.

It comes from a worker that was paused past its session and wakes with results under way that another has overtaken. The
revisions written lately are remembered; what is not remembered is asked of the database before it is written. After a
pause nothing is remembered, because somebody else may have written meanwhile.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from domain.times import DAY_MS
from domain.windows import Aggregates

Key = tuple[str, int]  # series, window_s
#: Asked for the revisions of these series in one window length, between two starts (epoch ms, both included).
Ask = Callable[[list[str], int, int, int], Iterable[tuple[str, int, int]]]

_ROWS_MAX = 200_000
_NAMES_MAX = 50
_TRUSTED_S = 5.0  # shorter than a session: while one lasts, nobody else writes what we write


class Revisions:
    """Any thread may call; ``ask`` gives (series, start, revision) of what is stored and may raise Unavailable."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Key, dict[int, int]] = {}
        self._newest: dict[Key, int] = {}
        self._rows = 0
        self._trusted_until = 0.0

    def wanted(self, batches: Iterable[Aggregates]) -> list[Aggregates]:
        """The batches without rows of which a newer revision is stored or comes in the same call."""
        batches = list(batches)
        with self._lock:
            if self._clock() > self._trusted_until:
                self._known, self._newest, self._rows = {}, {}, 0
            elif self._rows > _ROWS_MAX:
                self._known, self._rows = {key: {} for key in self._known}, 0
            self._look_up(batches)
            best: dict[Key, dict[int, int]] = {}
            for batch in batches:
                for name, start, revision in _rows(batch):
                    here = best.setdefault((name, batch.window_s), {})
                    here[start] = max(revision, here.get(start, 0))
            return [batch.take(keep) if not (keep := self._kept(batch, best)).all() else batch for batch in batches]

    def written(self, batches: Iterable[Aggregates]) -> None:
        """These are stored now."""
        with self._lock:
            for batch in batches:
                for name, start, revision in _rows(batch):
                    self._note((name, batch.window_s), start, revision)
            self._trusted_until = self._clock() + _TRUSTED_S

    def _kept(self, batch: Aggregates, best: Mapping[Key, Mapping[int, int]]) -> NDArray[np.bool_]:
        keep = np.ones(len(batch), dtype=np.bool_)
        for k, (name, start, revision) in enumerate(_rows(batch)):
            key = name, batch.window_s
            keep[k] = revision >= best[key][start] and revision >= self._known.get(key, {}).get(start, 0)
        return keep

    def _look_up(self, batches: Iterable[Aggregates]) -> None:
        """Ask for what is not known, some series and one day at a time, so that no answer is large."""
        unknown: dict[tuple[int, int], dict[str, list[int]]] = {}
        for batch in batches:
            for name, start, _ in _rows(batch):
                key = name, batch.window_s
                newest = self._newest.get(key)
                if newest is None or (start <= newest and start not in self._known[key]):
                    unknown.setdefault((batch.window_s, start // DAY_MS), {}).setdefault(name, []).append(start)
        for (window_s, _), starts in unknown.items():
            names = sorted(starts)
            for at in range(0, len(names), _NAMES_MAX):
                part = names[at : at + _NAMES_MAX]
                asked = [start for name in part for start in starts[name]]
                for name, start, revision in self._ask(part, window_s, min(asked), max(asked)):
                    self._note((name, window_s), start, revision)

    def _note(self, key: Key, start: int, revision: int) -> None:
        here = self._known.setdefault(key, {})
        self._rows += start not in here
        here[start] = max(revision, here.get(start, 0))
        self._newest[key] = max(start, self._newest.get(key, start))


def _rows(batch: Aggregates) -> Iterable[tuple[str, int, int]]:
    """(series, start, revision) of every row."""
    names = [batch.series[k] for k in batch.i.tolist()]
    return zip(names, batch.start.tolist(), batch.revision.tolist(), strict=True)
