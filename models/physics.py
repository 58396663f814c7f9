"""Contradictions between quantities that one sensor measures at one time (:data:`models.quality_limits.PAIRS`)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.readings import Rows
from domain.scores import Judged
from models.quality_limits import PAIRS, Pair
from models.series_spec import SeriesSpec


class PairedRows:
    """Which rows belong together, per rule. Readings are compared when they come in one frame with one time."""

    def __init__(self, pairs: Sequence[Pair] = PAIRS) -> None:
        self._pairs = pairs
        self._partner: list[Rows] = [np.empty(0, np.int32) for _ in pairs]  # row of the second quantity, or -1
        self._row: dict[tuple[str, str], int] = {}

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        if len(specs) == len(self._row):
            return
        self._row = {(spec.sensor.sensor, spec.quantity.name): row for row, spec in enumerate(specs)}
        for k, pair in enumerate(self._pairs):
            partner = np.full(len(specs), -1, np.int32)
            for (sensor, quantity), row in self._row.items():
                if quantity == pair.first:
                    partner[row] = self._row.get((sensor, pair.second), -1)
            self._partner[k] = partner

    def contradicted(self, readings: Judged) -> NDArray[np.bool_]:
        """``bool[n]``: the readings that contradict another of their sensor."""
        wrong = np.zeros(len(readings), dtype=bool)
        for pair, partner in zip(self._pairs, self._partner, strict=True):
            other_row = partner[readings.row]
            first = np.flatnonzero(other_row >= 0)
            if not len(first):
                continue
            second = _find(readings, other_row[first], readings.t[first])
            met = second >= 0
            first, second = first[met], second[met]
            broken = pair.broken(readings.x[first], readings.x[second])
            if pair.flags_first:
                wrong[first[broken]] = True
            if pair.flags_second:
                wrong[second[broken]] = True
        return wrong


def _find(readings: Judged, row: Rows, t: NDArray[np.int64]) -> NDArray[np.intp]:
    """Position of the reading of each (row, t), -1 where there is none; readings are sorted by (row, t)."""
    if not len(t):
        return np.empty(0, np.intp)
    start = int(readings.t.min())
    span = int(readings.t.max()) - start + 1
    keys = readings.row.astype(np.int64) * span + (readings.t - start)
    wanted = row.astype(np.int64) * span + (t - start)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where(keys[at] == wanted, at, -1)
