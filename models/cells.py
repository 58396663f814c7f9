"""Readings gathered into the cells of a regular grid until each cell is complete."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from domain.readings import Floats, Ints

TOLERANCE = 1.05  # an interval of 303 s still belongs on the 300 s grid
_GRACE = 0.1  # of a cell: how long a cell that needs one reading each waits for the rest of its series
_PENDING_MAX = 4_096
_NEVER = np.iinfo(np.int64).min // 4


class Cells:
    """Columns are series; a cell is one grid step, numbered from 1970. Readings of closed cells are passed over."""

    def __init__(self, grid_ms: int) -> None:
        self.grid_ms = grid_ms
        self._single = np.empty(0, np.bool_)  # one reading fills a cell
        self._spoke = np.empty(0, np.bool_)  # columns with a value in the cell that was closed last
        self._closed = _NEVER
        self._pending: dict[int, Floats] = {}  # cell → sum, count, last time of each column

    @property
    def columns(self) -> int:
        return len(self._single)

    def join(self, interval_s: float) -> int:
        """A new column for a series with this interval; returns its number."""
        self._single = np.append(self._single, interval_s * 1_000 * TOLERANCE >= self.grid_ms)
        self._spoke = np.append(self._spoke, False)
        self._pending = {cell: self._widened(sums) for cell, sums in self._pending.items()}
        return self.columns - 1

    def fold(self, column: Ints, t: Ints, x: Floats) -> None:
        cells = t // self.grid_ms
        first, last = int(cells.min()), int(cells.max())
        for cell in (first,) if first == last else np.unique(cells).tolist():
            if cell <= self._closed:
                continue
            sums = self._pending.get(cell)
            if sums is None:
                sums = self._pending[cell] = self._widened(np.empty((3, 0)))
            here = slice(None) if first == last else cells == cell
            sums[0] += np.bincount(column[here], x[here], self.columns)
            sums[1] += np.bincount(column[here], minlength=self.columns)
            np.maximum.at(sums[2], column[here], t[here])

    def close(self, now: int) -> Iterator[tuple[int, Floats, Ints]]:
        """Cells that are complete at ``now``, oldest first: cell, mean (NaN: no reading) and last time per column."""
        for cell in sorted(self._pending):
            if len(self._pending) <= _PENDING_MAX and not self._complete(cell, now):
                return
            total, count, last = self._pending.pop(cell)
            self._closed, self._spoke = cell, count > 0
            yield cell, np.where(count > 0, total / np.maximum(count, 1.0), np.nan), last.astype(np.int64)

    def _complete(self, cell: int, now: int) -> bool:
        start = cell * self.grid_ms
        if now >= start + self.grid_ms:
            return True
        if not self._single.all():
            return False
        # Every series gives one value a cell: no need to wait for the cell's end once all that spoke last have spoken.
        waits = self._spoke & (self._pending[cell][1] == 0)
        return (bool(self._spoke.any()) and not waits.any()) or now >= start + _GRACE * self.grid_ms

    def _widened(self, sums: Floats) -> Floats:
        return np.hstack([sums, np.zeros((3, self.columns - sums.shape[1]))])

    def snapshot(self) -> dict[str, Any]:
        return {
            "single": self._single.copy(),
            "spoke": self._spoke.copy(),
            "closed": int(self._closed),
            "pending": [[cell, sums.copy()] for cell, sums in self._pending.items()],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._single = np.array(payload["single"], dtype=np.bool_)
        self._spoke = np.array(payload["spoke"], dtype=np.bool_)
        self._closed = int(payload["closed"])
        self._pending = {int(cell): np.array(sums) for cell, sums in payload["pending"]}
