"""The last scored values of each series with what was expected: the picture that goes with a finding."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from domain.messages import Point
from domain.readings import Ints
from domain.scores import Judged, Scores

POINTS = 48
_VALUES = 4  # value, expected, lower, upper


class Traces:
    """A ring of ``POINTS`` entries per row: ``int64[rows, POINTS]`` times and ``float32[rows, POINTS, 4]`` values."""

    def __init__(self) -> None:
        self._t = np.empty((0, POINTS), dtype=np.int64)
        self._x = np.empty((0, POINTS, _VALUES), dtype=np.float32)
        self._n: Ints = np.empty(0, dtype=np.int64)

    def ensure(self, rows: int) -> None:
        more = rows - len(self._n)
        if more > 0:
            self._t = np.concatenate((self._t, np.zeros((more, POINTS), dtype=np.int64)))
            self._x = np.concatenate((self._x, np.full((more, POINTS, _VALUES), np.nan, dtype=np.float32)))
            self._n = np.concatenate((self._n, np.zeros(more, dtype=np.int64)))

    def add(self, scored: Judged, scores: Scores) -> None:
        """Readings sorted by (row, t), each later than those before."""
        if not len(scored):
            return
        row = scored.row
        nth = np.arange(len(row)) - np.searchsorted(row, row)
        at = (self._n[row] + nth) % POINTS
        self._t[row, at] = scored.t
        self._x[row, at] = np.stack((scored.x, scores.expected, scores.lower, scores.upper), axis=1)
        np.add.at(self._n, row, 1)

    def points(self, row: int) -> list[Point]:
        """Oldest first."""
        n = int(self._n[row])
        order = [k % POINTS for k in range(max(0, n - POINTS), n)]
        return [Point(int(self._t[row, k]), *map(number, self._x[row, k].tolist())) for k in order]

    def last(self, row: int) -> Point | None:
        n = int(self._n[row])
        if n == 0:
            return None
        k = (n - 1) % POINTS
        return Point(int(self._t[row, k]), *map(number, self._x[row, k].tolist()))

    def snapshot(self) -> dict[str, Any]:
        return {"t": self._t.copy(), "x": self._x.copy(), "n": self._n.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._t, self._x, self._n = payload["t"], payload["x"], payload["n"]


def number(value: float) -> float | None:
    """For a message: six significant digits, None where there is no number."""
    return None if value != value else float(f"{value:.6g}")
