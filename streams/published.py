"""Which revision of each window has been published, so that the next one carries the next number."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.readings import Ints, Rows


class Published:
    """Revision counters per window and row; 0 means never published."""

    def __init__(self) -> None:
        self._revision: dict[tuple[int, int], NDArray[np.uint32]] = {}

    def next(self, length_s: int, start: Ints, row: Rows) -> Ints:
        """``int64[n]``: the revision each (window, row) gets now; each pair stands once, ``start`` never falls."""
        revision = np.empty(len(start), dtype=np.int64)
        bounds = [0, *(np.flatnonzero(np.diff(start)) + 1).tolist(), len(start)]
        for begin, end in pairwise(bounds if len(start) else ()):
            rows = row[begin:end]
            counters = self._counters(length_s, int(start[begin]), int(rows.max()))
            counters[rows] += 1
            revision[begin:end] = counters[rows]
        return revision

    def _counters(self, length_s: int, start: int, row_max: int) -> NDArray[np.uint32]:
        counters = self._revision.get((length_s, start))
        if counters is None:
            counters = self._revision[length_s, start] = np.zeros(row_max + 8, dtype=np.uint32)
        elif len(counters) <= row_max:
            grown = np.zeros(2 * row_max + 8, dtype=np.uint32)
            grown[: len(counters)] = counters
            counters = self._revision[length_s, start] = grown
        return counters

    def forget_before(self, keep_from: Ints) -> None:
        """Drop a window once it ends before ``keep_from[row]`` (epoch ms) for every row it was published for.

        A reading at the edge can still change windows that began before it, but none that has ended.
        """
        for (length_s, start), counters in list(self._revision.items()):
            rows = np.flatnonzero(counters)
            if (keep_from[rows] >= start + length_s * 1_000).all():
                del self._revision[length_s, start]

    def snapshot(self) -> list[Any]:
        return [[length_s, start, counters.copy()] for (length_s, start), counters in self._revision.items()]

    def restore(self, payload: list[Any]) -> None:
        self._revision = {(length_s, start): counters for length_s, start, counters in payload}
