"""Neighbour test: a series that leaves its usual course while those beside it keep to theirs.

The buddy check of titanlib (difference to those around, so many at least) and QARTOD's neighbour test (suspect, never
failed), on what a reading is away from its own usual course, in its own scatter: level and size of neighbours need not
be alike. Cells are hours; what is compared is a mean over a cell with the median of the neighbours' means.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints, Rows
from domain.times import HOUR_MS
from models.contract import Payload
from models.neighbour_lists import NEIGHBOURS_MIN, NeighbourLists
from models.quality_limits import LOCAL, NeighbourLimits
from models.series_spec import SeriesSpec

_NEVER: Final = np.iinfo(np.int64).min // 4
_DAY_CELLS: Final = 24.0
(CELLS, USUAL, COUNT, RECORD, BASE, RISEN, RUN, SLOW) = range(8)
_LINES: Final = 8


class Neighbours:
    """Sums of the open cells and, per row, what is usual of its distance to its neighbours: ``float64[8, rows]``."""

    kind: ClassVar[str] = "neighbours"
    version: ClassVar[str] = "1"

    def __init__(self, near: NeighbourLists | None = None, limits: NeighbourLimits = NeighbourLimits()) -> None:  # noqa: B008
        self._near = near or NeighbourLists()
        self._limits = limits
        self._specs: Sequence[SeriesSpec] = ()
        self._cells: Floats = np.empty(0)  # in a row before a verdict
        self._state: Floats = np.zeros((_LINES, 0))
        self._sums: dict[int, Floats] = {}  # cell → sum, readings of each row
        self._closed = _NEVER  # cells before this one are judged

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Make room. Who is whose neighbour is asked when a cell closes: many series may come at once."""
        self._specs = specs
        if len(specs) != len(self._cells):
            local = np.array([spec.quantity.name in LOCAL for spec in specs])
            self._cells = np.where(local, self._limits.cells_local, self._limits.cells)
        more = len(specs) - self._state.shape[1]
        if more > 0:
            self._state = np.pad(self._state, ((0, 0), (0, more)))
            self._sums = {cell: np.pad(sums, ((0, 0), (0, more))) for cell, sums in self._sums.items()}

    def fold(self, row: Rows, t: Ints, away: Floats) -> None:
        """Readings in order: how far from the usual course, in its scatter; NaN while that is being learned.

        Added up one by one, so that sums do not depend on how readings are cut.
        """
        cells = t // HOUR_MS
        counts = np.isfinite(away) & (cells >= self._closed)
        for cell in np.unique(cells[counts]).tolist():
            here = counts & (cells == cell)
            sums = self._sums.get(cell)
            if sums is None:
                sums = self._sums[cell] = np.zeros((2, self._state.shape[1]))
            most = self._limits.clip
            np.add.at(sums[0], row[here], np.clip(away[here], -most, most))
            np.add.at(sums[1], row[here], 1.0)

    def close(self, until_ms: int) -> tuple[Rows, Ints]:
        """Judge the cells that end by ``until_ms``: rows that fail, and the start of the cell in which (epoch ms)."""
        end = until_ms // HOUR_MS
        due = sorted(cell for cell in self._sums if cell < end)
        rows, starts = [np.empty(0, np.int32)], [np.empty(0, np.int64)]
        for cell in due:
            failed = np.flatnonzero(self._judge(cell, self._sums.pop(cell))).astype(np.int32)
            rows.append(failed)
            starts.append(np.full(len(failed), cell * HOUR_MS, np.int64))
        self._closed = max(self._closed, end)
        return np.concatenate(rows), np.concatenate(starts)

    def _judge(self, cell: int, sums: Floats) -> NDArray[np.bool_]:
        s, limits = self._state, self._limits
        total, count = sums
        speaks = (count > 0) & (count >= limits.readings_share * s[COUNT])
        mean = np.where(speaks, total / np.maximum(count, 1.0), np.nan)
        others, spread, many = _around(mean, self._near.of(self._specs))
        told = speaks & (many >= NEIGHBOURS_MIN)
        gap = np.where(told, mean - others, 0.0)
        s[SLOW] += np.where(told, (gap - s[SLOW]) / limits.slow_cells, 0.0)
        far, usual = np.abs(s[SLOW]), np.maximum(s[USUAL], limits.usual_least)
        sound = (
            (np.abs(others) < limits.calm * far) & (spread < limits.agree * far) & (gap * np.sign(s[SLOW]) > 0.5 * far)
        )
        beyond = (
            told & sound & (s[CELLS] >= limits.learned_cells) & (far > limits.least)
            & (far > limits.usual * usual) & (far > limits.record * s[RECORD])
        )  # fmt: skip
        s[RUN] = np.where(told, np.where(beyond, s[RUN] + 1.0, 0.0), s[RUN])
        self._learn(float(cell), told, count, far, usual)
        return np.asarray(beyond & (s[RUN] >= self._cells))

    def _learn(self, cell: float, told: NDArray[np.bool_], count: Floats, far: Floats, usual: Floats) -> None:
        """As with the shape of a series, what is extraordinary raises a record within a day by no more than half."""
        s, limits = self._state, self._limits
        s[COUNT] += np.where(count > 0, 0.05 * (count - s[COUNT]), 0.0)
        n = s[CELLS]
        gain = np.maximum(1 / (1 + n), 1 / limits.usual_memory)
        bounded = np.where(n >= limits.learned_cells, np.minimum(far, limits.learned_most * usual), far)
        s[USUAL] += np.where(told, gain * (bounded - s[USUAL]), 0.0)
        begins = cell - s[RISEN] >= _DAY_CELLS
        base = np.where(begins, s[RECORD], s[BASE])
        most = np.where(n >= limits.learned_cells, 1.5 * np.maximum(base, limits.usual * usual), np.inf)
        reached = np.where(told, np.minimum(far, most), 0.0)
        fade = np.where(told, np.exp(-1 / limits.record_memory), 1.0)
        s[RISEN] = np.where(begins & (reached > s[RECORD]), cell, s[RISEN])
        s[RECORD], s[BASE] = np.maximum(s[RECORD], reached) * fade, base * fade
        s[CELLS] += told

    def snapshot(self) -> Payload:
        cells = sorted(self._sums)
        return {
            "state": self._state.copy(),
            "closed": int(self._closed),
            "cells": np.array(cells, np.int64),
            "sums": np.array([self._sums[cell] for cell in cells]).reshape(len(cells), 2, self._state.shape[1]),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Who is whose neighbour comes back with ``ensure``."""
        self._state = np.array(payload["state"], np.float64)
        self._closed = int(payload["closed"])
        cells = np.array(payload["cells"], np.int64).tolist()
        self._sums = {cell: np.array(sums) for cell, sums in zip(cells, payload["sums"], strict=True)}


def _around(mean: Floats, near: NDArray[np.intp]) -> tuple[Floats, Floats, Ints]:
    """Median of each row's neighbours, median of their distances from it, and how many speak."""
    theirs = np.where(near >= 0, mean[near], np.nan)
    many = np.isfinite(theirs).sum(axis=1)
    middle = _median(theirs, many)
    return middle, _median(np.abs(theirs - middle[:, None]), many), many


def _median(values: Floats, many: Ints) -> Floats:
    """Median along rows of those that are not NaN; NaN where there are none."""
    ordered = np.sort(values, axis=1)  # NaN last
    at = np.arange(len(values))
    return np.asarray((ordered[at, np.maximum(many - 1, 0) // 2] + ordered[at, many // 2]) / 2)
