"""The probability that congestion, pollution or overload begins soon, for series that are calm now.

``congestion`` speed falls below half of free flow within 30 minutes, while it is at three quarters or more now ·
``pollution`` the running mean of the Daily Air Quality Index reaches its *moderate* band within 24 hours ·
``overload`` active power exceeds the rated power within an hour (a day for hourly meters).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from domain.flags import Flag
from domain.messages import Anticipated
from domain.readings import Floats, Rows
from domain.scores import Judged
from domain.times import DAY_MS
from models.cells import TOLERANCE, Cells
from models.contract import Payload
from models.onset import Onset
from models.series_spec import SeriesSpec

CONGESTION_WITHIN_S = 1_800
CALM_SPEED, CONGESTED_SPEED = 0.75, 0.50  # of free flow
POLLUTION_WITHIN_S = 86_400
#: First value of the DAQI's moderate band, µg/m³, and the hours of its running mean (Defra, April 2013).
DAQI_MODERATE = {
    "air.o3": (101.0, 8),
    "air.no2": (201.0, 1),
    "air.so2": (267.0, 1),
    "air.pm25": (36.0, 24),
    "air.pm10": (51.0, 24),
}
_RUNNING_SHARE_MIN = 0.75  # of the hours of a running mean
_OVERLOAD_FAST_S, _OVERLOAD_SLOW_S = 3_600, 86_400
_FREE_FLOW_QUANTILE = 0.95
_FAST_S, _SLOW_S = 300, 3_600


@dataclass(frozen=True, slots=True)
class AnticipatedRows:
    """Probabilities of one closed cell. ``issued``: event time of the last reading used; ``row``: ``int32[n]``,
    ``probability``: ``float64[n]`` that ``kind`` begins within ``within_s``."""

    issued: int
    kind: str
    within_s: int
    row: Rows
    probability: Floats

    def messages(self, names: Sequence[str]) -> list[Anticipated]:
        """``names`` are the series names by row."""
        pairs = zip(self.row.tolist(), self.probability.tolist(), strict=True)
        return [Anticipated(self.issued, names[row], self.kind, self.within_s, p) for row, p in pairs]


class Anticipation:
    """Takes readings of an area, says probabilities when cells close. FAIL readings are not used."""

    kind: ClassVar[str] = "anticipation"
    version: ClassVar[str] = "1"

    def __init__(self) -> None:
        self._specs: list[tuple[str, float]] = []  # quantity, limit (free-flow speed or rated kW; NaN: unknown)
        self._groups: dict[tuple[str, int], _Group] = {}
        self._column = np.empty(0, np.int64)  # of each row in its group
        self._number = np.empty(0, np.int64)  # of each row's group, in the order of groups

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Make room for all series of the area so far."""
        for spec in specs[len(self._specs) :]:
            limits = {"traffic.speed": spec.sensor.free_flow_speed, "energy.active_power": spec.sensor.rated_kw}
            limit = limits.get(spec.quantity.name)
            self._specs.append((spec.quantity.name, limit if limit and limit > 0 else float("nan")))
        more = np.full(len(self._specs) - len(self._column), -1, np.int64)
        self._column, self._number = np.append(self._column, more), np.append(self._number, more)

    def observe(self, readings: Judged, interval_s: Floats) -> None:
        """Fold readings into their cells; ``interval_s`` is ``float64[rows]``, NaN where not known yet."""
        if not len(readings):
            return
        for row in np.unique(readings.row[self._column[readings.row] < 0]).tolist():
            self._place(row, float(interval_s[row]))
        used = (readings.flag != Flag.FAIL) & (self._column[readings.row] >= 0)
        rows = readings.row[used]
        t, x, number = readings.t[used], readings.x[used], self._number[rows]
        for k, group in enumerate(self._groups.values()):
            mine = number == k
            if mine.any():
                group.cells.fold(self._column[rows[mine]], t[mine], x[mine])

    def _place(self, row: int, interval_s: float) -> None:
        name, limit = self._specs[row]
        grid_s = _grid_of(name, limit, interval_s)
        if grid_s is None:
            return
        key = (name, grid_s)
        group = self._groups.setdefault(key, _Group(name, grid_s))
        self._number[row] = list(self._groups).index(key)
        self._column[row] = group.join(row, limit, interval_s)

    def issue(self, now: int) -> list[AnticipatedRows]:
        """Close the cells that are complete at ``now`` (epoch ms); probabilities in the order of cells."""
        return [said for group in self._groups.values() for said in group.issue(now)]

    def snapshot(self) -> Payload:
        return {
            "specs": [list(spec) for spec in self._specs],
            "groups": [[name, grid_s, group.snapshot()] for (name, grid_s), group in self._groups.items()],
            "column": self._column.copy(),
            "number": self._number.copy(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._specs = [(str(name), float(limit)) for name, limit in payload["specs"]]
        self._column = np.array(payload["column"], dtype=np.int64)
        self._number = np.array(payload["number"], dtype=np.int64)
        self._groups = {}
        for name, grid_s, part in payload["groups"]:
            group = self._groups[str(name), int(grid_s)] = _Group(str(name), int(grid_s))
            group.restore(part)


def _grid_of(name: str, limit: float, interval_s: float) -> int | None:
    """The grid on which a series is anticipated, None when it is not."""
    if not interval_s <= _SLOW_S * TOLERANCE:
        return None
    if name in DAQI_MODERATE:
        return _SLOW_S
    fast = interval_s <= _FAST_S * TOLERANCE
    if name == "traffic.speed":
        return _FAST_S if fast else None
    if name == "energy.active_power" and np.isfinite(limit):
        return _FAST_S if fast else _SLOW_S
    return None


class _Group:
    """Series of one quantity on one grid: their cells, their load, the model of onsets."""

    def __init__(self, name: str, grid_s: int) -> None:
        self._name = name
        self._rows = np.empty(0, np.int64)
        self._limit = np.empty(0)
        self._high = np.empty(0)  # running 95th percentile, the free-flow speed where none is given
        self._seen = np.empty(0)
        self._past = np.empty((24, 0))  # hours of running means
        self._past_stamp = np.full(24, np.iinfo(np.int64).min // 4, np.int64)
        if name in DAQI_MODERATE:
            self.kind, self.within_s, calm = "pollution", POLLUTION_WITHIN_S, np.nextafter(1.0, 0.0)
        elif name == "traffic.speed":
            self.kind, self.within_s = "congestion", CONGESTION_WITHIN_S
            calm = (1.0 - CALM_SPEED) / (1.0 - CONGESTED_SPEED)
        else:
            within_s = _OVERLOAD_FAST_S if grid_s == _FAST_S else _OVERLOAD_SLOW_S
            self.kind, self.within_s, calm = "overload", within_s, np.nextafter(1.0, 0.0)
        self.cells = Cells(grid_s * 1_000)
        self._onset = Onset(grid_s * 1_000, self.within_s // grid_s, float(calm))

    def join(self, row: int, limit: float, interval_s: float) -> int:
        self._rows = np.append(self._rows, row)
        self._limit = np.append(self._limit, limit)
        self._high, self._seen = np.append(self._high, np.nan), np.append(self._seen, 0.0)
        self._past = np.hstack([self._past, np.full((24, 1), np.nan)])
        column = self.cells.join(interval_s)
        self._onset.grow(self.cells.columns)
        return column

    def issue(self, now: int) -> list[AnticipatedRows]:
        said = []
        for cell, x, last in self.cells.close(now):
            p = self._onset.step(cell, self._load(cell, x))
            order = np.argsort(self._rows)
            chosen = order[np.isfinite(p[order])]
            if len(chosen):
                rows = self._rows[chosen].astype(np.int32)
                said.append(AnticipatedRows(int(last.max()), self.kind, self.within_s, rows, p[chosen]))
        return said

    def _load(self, cell: int, x: Floats) -> Floats:
        """``float64[columns]``: 1 where the trouble begins."""
        if self.kind == "congestion":
            load = (1.0 - x / self._free_flow(x)) / (1.0 - CONGESTED_SPEED)
            return np.asarray(np.maximum(load, -1.0))
        if self.kind == "overload":
            return x / self._limit
        moderate, hours = DAQI_MODERATE[self._name]
        return self._running(cell, x, hours) / moderate

    def _free_flow(self, x: Floats) -> Floats:
        """The given free-flow speed, else the running 95th percentile once a day was seen."""
        known = np.isfinite(x) & (x > 0)
        self._seen = self._seen + known
        self._high = np.where(np.isnan(self._high) & known, x, self._high)
        step = np.maximum(0.02, 1.0 / np.maximum(self._seen, 1.0)) * 0.1 * self._high
        move = np.where(x > self._high, _FREE_FLOW_QUANTILE, -(1.0 - _FREE_FLOW_QUANTILE))
        self._high = np.where(known, self._high + step * move, self._high)
        learned = np.where(self._seen >= DAY_MS // self.cells.grid_ms, self._high, np.nan)
        return np.where(np.isfinite(self._limit), self._limit, learned)

    def _running(self, cell: int, x: Floats, hours: int) -> Floats:
        """Running mean over the hours that end with this cell, NaN with less than three quarters of them."""
        at = cell % 24
        self._past[at], self._past_stamp[at] = x, cell
        recent = self._past[self._past_stamp > cell - hours]
        count = np.isfinite(recent).sum(axis=0)
        mean = np.nansum(recent, axis=0) / np.maximum(count, 1)
        return np.where((count >= _RUNNING_SHARE_MIN * hours) & np.isfinite(x), mean, np.nan)

    def snapshot(self) -> dict[str, Any]:
        arrays = {name: getattr(self, name).copy() for name in self._ARRAYS}
        return {"cells": self.cells.snapshot(), "onset": self._onset.snapshot(), **arrays}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self.cells.restore(payload["cells"])
        self._onset.restore(payload["onset"])
        for name in self._ARRAYS:
            setattr(self, name, np.array(payload[name]))

    _ARRAYS = ("_rows", "_limit", "_high", "_seen", "_past", "_past_stamp")
