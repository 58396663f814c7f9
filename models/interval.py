"""The sampling interval of each series: as declared, else the running median of the times between readings."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from domain.readings import Floats, Ints, Rows
from models.contract import Payload
from models.rounds import rounds
from models.series_spec import SeriesSpec

_KEPT: Final = 15  # differences per row; their median survives seven that are wrong
_NEEDED: Final = 2  # differences, so three readings


class IntervalLearner:
    """Columns of the last differences per row."""

    kind: ClassVar[str] = "interval"
    version: ClassVar[str] = "1"

    def __init__(self) -> None:
        self._declared: Floats = np.empty(0)
        self._last: Ints = np.empty(0, np.int64)
        self._seen: Ints = np.empty(0, np.int64)
        self._steps: Floats = np.empty((0, _KEPT))  # seconds, a ring per row, NaN where empty
        self._seconds: Floats = np.empty(0)

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        new = specs[len(self._declared) :]
        if not new:
            return
        declared = [np.nan if spec.sensor.interval_s is None else spec.sensor.interval_s for spec in new]
        self._declared = np.append(self._declared, declared)
        self._seconds = np.append(self._seconds, declared)
        self._last = np.append(self._last, np.zeros(len(new), np.int64))
        self._seen = np.append(self._seen, np.zeros(len(new), np.int64))
        self._steps = np.concatenate([self._steps, np.full((len(new), _KEPT), np.nan)])

    def learn(self, row: Rows, t: Ints) -> None:
        """Readings sorted by (row, t); one that is not later than the last of its row teaches nothing."""
        learning = np.isnan(self._declared[row])
        if not learning.any():
            return
        row, t = row[learning], t[learning]
        for turn in rounds(row):
            at, when = row[turn], t[turn]
            begun = self._seen[at] > 0
            later = begun & (when > self._last[at])
            taught = at[later]
            self._steps[taught, (self._seen[taught] - 1) % _KEPT] = (when[later] - self._last[taught]) / 1_000
            counts = later | ~begun
            self._last[at[counts]] = when[counts]
            self._seen[at[counts]] += 1
        self._refresh(np.unique(row))

    def _refresh(self, rows: Rows) -> None:
        steps = np.sort(self._steps[rows], axis=1)  # NaN last
        count = np.isfinite(steps).sum(axis=1)
        lower = np.take_along_axis(steps, np.maximum((count - 1) // 2, 0)[:, None], axis=1)[:, 0]
        upper = np.take_along_axis(steps, (count // 2).clip(max=_KEPT - 1)[:, None], axis=1)[:, 0]
        median = np.where(count % 2 == 1, lower, (lower + upper) / 2)
        self._seconds[rows] = np.where(count >= _NEEDED, median, np.nan)

    def seconds(self) -> Floats:
        """``float64[rows]``: seconds between readings, NaN until three readings have come."""
        return self._seconds.copy()

    def snapshot(self) -> Payload:
        return {
            "declared": self._declared.copy(),
            "last": self._last.copy(),
            "seen": self._seen.copy(),
            "steps": self._steps.copy(),
            "seconds": self._seconds.copy(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._declared = np.array(payload["declared"], np.float64)
        self._last = np.array(payload["last"], np.int64)
        self._seen = np.array(payload["seen"], np.int64)
        self._steps = np.array(payload["steps"], np.float64)
        self._seconds = np.array(payload["seconds"], np.float64)
