"""Forecasts: one ridge shared by all series of an area that measure one quantity on one grid.

Fast series are forecast as means of five-minute cells 15, 30 and 60 minutes ahead, hourly ones 1 to 24 hours ahead.
A forecast is said at every closed cell, settled when its truth comes, and shown only where it has beaten the seasonal
naive (the value a week before, or a day before) so far.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from domain.flags import Flag
from domain.messages import Forecast
from domain.readings import Floats, Ints, Rows
from domain.scores import Judged
from domain.times import DAY_MS, HOUR_MS
from models.cells import TOLERANCE, Cells
from models.contract import Payload
from models.grid_history import GridHistory
from models.horizon_ridge import HorizonRidge
from models.series_spec import SeriesSpec

GRIDS_S = (300, 900, 1_800, 3_600)
MINUTES_AHEAD = (15, 30, 60)  # on grids up to a quarter of an hour
HOURS_AHEAD = (1, 3, 6, 12, 24)  # on slower ones
_SAID_EVERY_S = 900  # fine grids say something at every closed quarter of an hour


@dataclass(frozen=True, slots=True)
class ForecastRows:
    """Forecasts of one closed cell, one entry per series and horizon, sorted by (row, target); columns of n entries.

    Attributes:
        issued: event time of the last reading used, epoch ms.
        row: ``int32[n]``. target: ``int64[n]`` epoch ms.
        value, lower, upper: ``float64[n]`` in the unit of the series, 90 % interval.
        skill: ``float64[n]`` 1 − error / error of the seasonal naive, over the last two weeks.
    """

    issued: int
    row: Rows
    target: Ints
    value: Floats
    lower: Floats
    upper: Floats
    skill: Floats

    def messages(self, area: str, names: Sequence[str]) -> list[Forecast]:
        """One message per series; ``names`` are the series names by row."""
        cuts = np.flatnonzero(np.diff(self.row)) + 1
        starts, ends = [0, *cuts.tolist()], [*cuts.tolist(), len(self.row)]
        return [
            Forecast(
                names[int(self.row[a])], area, self.issued, self.target[a:b].tolist(),
                self.value[a:b].tolist(), self.lower[a:b].tolist(), self.upper[a:b].tolist(),
            )
            for a, b in zip(starts, ends, strict=True)
            if b > a
        ]  # fmt: skip


class SharedRidge:
    """Takes readings of an area, says forecasts when cells close. FAIL readings are not used."""

    kind: ClassVar[str] = "shared-ridge"
    version: ClassVar[str] = "1"

    def __init__(self) -> None:
        self._specs: list[tuple[str, float, float, bool]] = []  # quantity, bounds, cumulative
        self._groups: dict[tuple[str, int], _Group] = {}
        self._group_of: list[tuple[str, int] | None] = []
        self._column = np.empty(0, np.int64)  # of each row in its group
        self._number = np.empty(0, np.int64)  # of each row's group, in the order of groups

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Make room for all series of the area so far."""
        for spec in specs[len(self._specs) :]:
            quantity = spec.quantity
            self._specs.append((quantity.name, quantity.lower, quantity.upper, quantity.cumulative))
            self._group_of.append(None)
        more = np.full(len(self._specs) - len(self._column), -1, np.int64)
        self._column, self._number = np.append(self._column, more), np.append(self._number, more)

    def observe(self, readings: Judged, interval_s: Floats) -> None:
        """Fold readings into their cells; ``interval_s`` is ``float64[rows]``, NaN where not known yet.

        A series joins a grid with its first reading after its interval is known, and stays there.
        """
        if not len(readings):
            return
        for row in np.unique(readings.row[self._column[readings.row] < 0]).tolist():
            self._place(row, float(interval_s[row]))
        for group in self._groups.values():
            group.make_room()
        used = (readings.flag != Flag.FAIL) & (self._column[readings.row] >= 0)
        rows = readings.row[used]
        t, x, number = readings.t[used], readings.x[used], self._number[rows]
        for k, group in enumerate(self._groups.values()):
            mine = number == k
            if mine.any():
                group.cells.fold(self._column[rows[mine]], t[mine], x[mine])

    def _place(self, row: int, interval_s: float) -> None:
        name, lower, upper, cumulative = self._specs[row]
        if not np.isfinite(interval_s) or cumulative or interval_s > GRIDS_S[-1] * TOLERANCE:
            return
        grid_s = next(grid for grid in GRIDS_S if interval_s <= grid * TOLERANCE)
        group = self._groups.setdefault((name, grid_s), _Group(grid_s, lower, upper))
        self._group_of[row] = (name, grid_s)
        self._number[row] = list(self._groups).index((name, grid_s))
        self._column[row] = group.join(row, interval_s)

    def issue(self, now: int) -> list[ForecastRows]:
        """Close the cells that are complete at ``now`` (epoch ms); forecasts in the order of cells."""
        return [said for group in self._groups.values() for said in group.issue(now)]

    def skill(self, row: int) -> dict[int, float]:
        """Horizon in seconds → skill against the seasonal naive so far; empty for a series that is not forecast."""
        key = self._group_of[row]
        return {} if key is None else self._groups[key].skill(int(self._column[row]))

    def snapshot(self) -> Payload:
        return {
            "specs": [list(spec) for spec in self._specs],
            "groups": [[name, grid_s, group.snapshot()] for (name, grid_s), group in self._groups.items()],
            "group_of": [list(key) if key else None for key in self._group_of],
            "column": self._column.copy(),
            "number": self._number.copy(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._specs = [(str(a), float(b), float(c), bool(d)) for a, b, c, d in payload["specs"]]
        self._group_of = [(str(key[0]), int(key[1])) if key else None for key in payload["group_of"]]
        self._column = np.array(payload["column"], dtype=np.int64)
        self._number = np.array(payload["number"], dtype=np.int64)
        self._groups = {}
        for name, grid_s, part in payload["groups"]:
            bounds = next(spec[1:3] for spec in self._specs if spec[0] == name)
            group = self._groups[str(name), int(grid_s)] = _Group(int(grid_s), *bounds)
            group.restore(part)


class _Group:
    """Series of one quantity on one grid: cells that are filling, the history, the ridge."""

    def __init__(self, grid_s: int, lower: float, upper: float) -> None:
        self._rows = np.empty(0, np.int64)
        self._bounds = (lower, upper)
        grid_ms = grid_s * 1_000
        ahead_s = [60 * m for m in MINUTES_AHEAD] if grid_s <= 900 else [3_600 * h for h in HOURS_AHEAD]
        self._ahead_ms = np.array(ahead_s, dtype=np.int64) * 1_000
        horizons = self._ahead_ms // grid_ms
        self._stride = max(1, _SAID_EVERY_S // grid_s)
        self.cells = Cells(grid_ms)
        self._history = GridHistory(grid_ms, horizons)
        self._ridge = HorizonRidge(horizons, DAY_MS // grid_ms)

    def join(self, row: int, interval_s: float) -> int:
        """Its column; call ``make_room`` once all have joined."""
        self._rows = np.append(self._rows, row)
        return self.cells.join(interval_s)

    def make_room(self) -> None:
        """For the series that have joined: at once, for every growth copies the whole week of all others."""
        if self._history.columns < self.cells.columns:
            self._history.grow(self.cells.columns)
            self._ridge.grow(self.cells.columns)

    def issue(self, now: int) -> list[ForecastRows]:
        said = []
        for cell, x, last in self.cells.close(now):
            rows = self._rows_of(cell, self._step(cell, x), last)
            if rows is not None:
                said.append(rows)
        return said

    def _step(self, cell: int, x: Floats) -> Floats:
        """Settle what was said of this cell, say what comes next, then take the cell in.

        On fine grids only every quarter of an hour: horizons are whole quarters, so what is said can be settled.
        """
        if cell % self._stride:
            self._history.learn(cell, x)
            return np.full((len(self._ahead_ms), len(x)), np.nan)
        self._ridge.learn(cell, cell * self.cells.grid_ms // HOUR_MS % 24, x, self._history)
        said = self._ridge.predict(cell, x, self._history.features(cell, x), self._history)
        self._history.learn(cell, x)
        return said

    def _rows_of(self, cell: int, said: Floats, last: Ints) -> ForecastRows | None:
        shown = np.isfinite(said) & self._ridge.shown
        if not shown.any():
            return None
        hours = (cell * self.cells.grid_ms + self._ahead_ms) // HOUR_MS % 24
        lower, upper = self._ridge.interval(hours, said)
        # Columns were given out in the order of first readings; the rows must come out sorted.
        order = np.argsort(self._rows)
        chosen = shown.T[order]
        row = np.repeat(self._rows[order], chosen.sum(axis=1)).astype(np.int32)
        target = (last[:, None] + self._ahead_ms)[order][chosen]
        value, low, high = (np.clip(table.T[order][chosen], *self._bounds) for table in (said, lower, upper))
        return ForecastRows(int(last.max()), row, target, value, low, high, self._ridge.skill.T[order][chosen])

    def skill(self, column: int) -> dict[int, float]:
        pairs = zip((self._ahead_ms // 1_000).tolist(), self._ridge.skill[:, column].tolist(), strict=True)
        return {ahead: value for ahead, value in pairs if np.isfinite(value)}

    def snapshot(self) -> dict[str, Any]:
        return {
            "rows": self._rows.copy(),
            "cells": self.cells.snapshot(),
            "history": self._history.snapshot(),
            "ridge": self._ridge.snapshot(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._rows = np.array(payload["rows"], dtype=np.int64)
        self.cells.restore(payload["cells"])
        self._history.restore(payload["history"])
        self._ridge.restore(payload["ridge"])
