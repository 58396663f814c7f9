"""Self-referenced features of an ageing machine: each machine is compared with its own earlier behaviour.

Per measurement four running means of different memory; the features are the fastest one, its distance to each slower
one, the logarithm of the age, the squares of all these and a constant. Between machines the levels differ by more
than wear changes them, so distances to the machine's own past carry most of the information.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from domain.readings import Floats
from domain.times import DAY_MS

#: Memory of the running means in days. Chosen by prequential error on run-to-failure histories only.
MEMORY_DAYS = np.array([20.0, 40.0, 100.0, 400.0])
HISTORY_ROWS_MAX = 512
_CLIP = 8.0
_AGE_SCALE = 4.0


@dataclass(slots=True)
class Life:
    """One machine since its last failure or repair; ``rows[k]`` is float64[4, measurements known at ``days[k]``]."""

    group: str
    start: int
    names: list[str] = field(default_factory=list)
    means: Floats = field(default_factory=lambda: np.empty((len(MEMORY_DAYS), 0)))
    counts: Floats = field(default_factory=lambda: np.empty(0))
    days: list[int] = field(default_factory=list)
    rows: list[Floats] = field(default_factory=list)

    def observe(self, day_ms: int, measurements: Mapping[str, float]) -> None:
        """Fold one day's means in; a measurement that is missing keeps its running means."""
        for name in measurements:
            if name not in self.names:
                self.names.append(name)
        missing = len(self.names) - len(self.counts)
        if missing:
            self.means = np.hstack([self.means, np.full((len(MEMORY_DAYS), missing), np.nan)])
            self.counts = np.append(self.counts, np.zeros(missing))
        x = np.array([measurements.get(name, np.nan) for name in self.names])
        seen = np.isfinite(x)
        self.counts = self.counts + seen
        step_days = (day_ms - self.days[-1]) / DAY_MS if self.days else 1.0
        weight = np.maximum(-np.expm1(-step_days / MEMORY_DAYS)[:, None], 1.0 / np.maximum(self.counts, 1.0))
        first = seen & (self.counts == 1)
        moved = np.where(first, x, self.means + weight * (x - self.means))
        self.means = np.where(seen, moved, self.means)
        self.days.append(day_ms)
        self.rows.append(self.means.copy())
        if len(self.rows) > HISTORY_ROWS_MAX:
            # Old days all carry the capped label, so every second of them is enough.
            half = HISTORY_ROWS_MAX // 2
            self.days[:half] = self.days[:half:2]
            self.rows[:half] = self.rows[:half:2]

    def table(self) -> Floats:
        """``float64[rows, 4, measurements]``, NaN where a measurement was not known yet."""
        table = np.full((len(self.rows), len(MEMORY_DAYS), len(self.names)), np.nan)
        for k, row in enumerate(self.rows):
            table[k, :, : row.shape[1]] = row
        return table

    def snapshot(self) -> dict[str, Any]:
        return {
            "group": self.group,
            "start": self.start,
            "names": list(self.names),
            "means": self.means.copy(),
            "counts": self.counts.copy(),
            "days": np.array(self.days, dtype=np.int64),
            "rows": self.table(),
        }

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "Life":
        return cls(
            str(payload["group"]),
            int(payload["start"]),
            list(payload["names"]),
            np.array(payload["means"], dtype=np.float64),
            np.array(payload["counts"], dtype=np.float64),
            [int(day) for day in payload["days"]],
            list(np.array(payload["rows"], dtype=np.float64)),
        )


class Scale:
    """Centre and spread per measurement over the whole group: running until ``freeze``, then fixed.

    It must stay fixed once something was learned with it; a measurement that comes later is frozen later.
    """

    def __init__(self) -> None:
        self._moments: dict[str, tuple[int, float, float]] = {}
        self._frozen: dict[str, tuple[float, float]] = {}

    def observe(self, measurements: Mapping[str, float]) -> None:
        for name, x in measurements.items():
            n, mean, m2 = self._moments.get(name, (0, 0.0, 0.0))
            n += 1
            step = x - mean
            mean += step / n
            self._moments[name] = (n, mean, m2 + step * (x - mean))

    def freeze(self) -> None:
        for name in self._moments:
            pair = self._running(name)
            if np.isfinite(pair[1]):
                self._frozen.setdefault(name, pair)

    def of(self, names: Sequence[str]) -> tuple[Floats, Floats]:
        """Centre and spread, each ``float64[names]``; spread is infinite for what has not moved yet."""
        pairs = [self._frozen.get(name) or self._running(name) for name in names]
        return np.array([pair[0] for pair in pairs]), np.array([pair[1] for pair in pairs])

    def _running(self, name: str) -> tuple[float, float]:
        n, mean, m2 = self._moments.get(name, (0, 0.0, 0.0))
        spread = float(np.sqrt(m2 / n)) if n > 1 else 0.0
        return mean, spread if spread > 1e-9 * max(1e-6, abs(mean)) else float("inf")

    def snapshot(self) -> dict[str, Any]:
        return {
            "moments": {name: list(moments) for name, moments in self._moments.items()},
            "frozen": {name: list(pair) for name, pair in self._frozen.items()},
        }

    @classmethod
    def restored(cls, payload: Mapping[str, Any]) -> "Scale":
        scale = cls()
        scale._moments = {name: (int(n), float(a), float(b)) for name, (n, a, b) in payload["moments"].items()}
        scale._frozen = {name: (float(a), float(b)) for name, (a, b) in payload["frozen"].items()}
        return scale


def feature_names(names: Sequence[str]) -> list[str]:
    """Names of the columns of :func:`features`."""
    plain = [f"{name}~{k}" for k in range(len(MEMORY_DAYS)) for name in names] + ["age"]
    return [*plain, *(f"{name}^2" for name in plain), "one"]


def features(table: Floats, age_days: Floats, centre: Floats, spread: Floats) -> Floats:
    """``float64[rows, 2 × (4 × measurements + 1) + 1]`` from running means ``float64[rows, 4, measurements]``."""
    fast = (table[:, 0] - centre) / spread
    slower = [(table[:, 0] - table[:, k]) / spread for k in range(1, len(MEMORY_DAYS))]
    age = np.log1p(np.maximum(age_days, 0.0) + 1.0)[:, None] / _AGE_SCALE
    plain = np.clip(np.nan_to_num(np.hstack([fast, *slower, age])), -_CLIP, _CLIP)
    return np.hstack([plain, plain * plain, np.ones((len(plain), 1))])
