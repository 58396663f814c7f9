"""Health signals of each series, one set per UTC day: how its behaviour compares with its own first days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from domain.flags import Flag
from domain.readings import Floats, Ints
from domain.scores import Judged
from domain.times import DAY_MS, HOUR_MS
from models.contract import Payload
from models.series_spec import SeriesSpec

SIGNALS = ("mean", "gap_rate", "noise", "suspect_share", "flat_share", "drift")
_HOURS = 24
_EARLY_DAYS = 7  # a series' own early behaviour: its first days with enough readings
_ENOUGH = 8  # readings or hours a day must have for noise, shares and drift to mean anything
_NEIGHBOURS_MIN = 3  # rows of one quantity, so that a median outvotes a single drifting one
_DRIFT_MEMORY_DAYS = 7.0
_SILENT_DAYS = 7  # after so many days without a reading a series is over and says nothing
_GAP_INTERVALS = 3.0
_COUNTERS = ("seen", "bad", "flat", "total", "rough", "roughs")


@dataclass(frozen=True, slots=True)
class DaySignals:
    """Signals of one row on the day that starts at ``day`` (epoch ms); a signal that cannot be told is absent.

    ``mean`` level in the series' unit · ``gap_rate`` 0..1 share of expected readings that are missing ·
    ``noise`` log ratio of the mean absolute second difference to the early one · ``suspect_share`` and ``flat_share``
    0..1 · ``drift`` running mean of the difference to the neighbours' median less the early one, relative to the level.
    """

    row: int
    day: int
    signals: dict[str, float]


class _Day:
    """Sums of one day, each ``float64[rows]`` or ``float64[rows, 24]``."""

    def __init__(self, rows: int) -> None:
        self.sums = {name: np.zeros(rows) for name in _COUNTERS}
        self.hour_sum = np.zeros((rows, _HOURS))
        self.hour_count = np.zeros((rows, _HOURS))

    def grow(self, rows: int) -> None:
        self.sums = {name: _grown(column, rows, 0.0) for name, column in self.sums.items()}
        self.hour_sum = _grown(self.hour_sum, rows, 0.0)
        self.hour_count = _grown(self.hour_count, rows, 0.0)


class HealthSignals:
    """Accumulates readings per row and UTC day and tells the day's signals when it is closed.

    Readings of a day that is closed already are passed over: the health of a day is said once.
    """

    kind: ClassVar[str] = "health-signals"
    version: ClassVar[str] = "1"

    def __init__(self) -> None:
        self._rows = 0
        self._quantity: list[str] = []
        self._days: dict[int, _Day] = {}  # day number since 1970 → sums
        self._closed = np.iinfo(np.int64).min  # days before this one are closed
        self._interval_ms = np.empty(0)
        self._first = np.empty(0, np.int64)  # first reading ever, epoch ms
        self._last_day = np.empty(0, np.int64)
        self._t1, self._t2 = np.empty(0, np.int64), np.empty(0, np.int64)  # times and values of the last two readings
        self._x1, self._x2 = np.empty(0), np.empty(0)
        self._early_noise, self._noise_days = np.empty(0), np.empty(0)
        self._early_gap, self._gap_days = np.empty(0), np.empty(0)  # gap to the neighbours' median
        self._drift = np.empty(0)

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Make room for all series of the area so far."""
        rows = len(specs)
        if rows <= self._rows:
            return
        self._rows = rows
        self._quantity = [spec.quantity.name for spec in specs]
        never = np.iinfo(np.int64).min // 4
        for name in ("_first", "_last_day", "_t1", "_t2"):
            setattr(self, name, _grown(getattr(self, name), rows, never))
        for name in ("_interval_ms", "_x1", "_x2"):
            setattr(self, name, _grown(getattr(self, name), rows, np.nan))
        for name in ("_early_noise", "_noise_days", "_early_gap", "_gap_days", "_drift"):
            setattr(self, name, _grown(getattr(self, name), rows, 0.0))
        for day in self._days.values():
            day.grow(rows)

    def observe(self, readings: Judged, interval_s: Floats) -> None:
        """Fold readings in; ``interval_s`` is ``float64[rows]``, NaN where not known yet."""
        self._interval_ms[: len(interval_s)] = interval_s * 1_000.0
        day = readings.t // DAY_MS
        open_ = day >= self._closed
        if not open_.all():
            readings, day = readings.take(open_), day[open_]
        if not len(readings):
            return
        row, t = readings.row, readings.t
        changes = _Changes.of(self, readings)
        first = np.flatnonzero(np.diff(row, prepend=-1))
        fresh = self._first[row[first]] < 0
        self._first[row[first[fresh]]] = t[first[fresh]]
        for number in np.unique(day).tolist():
            sums = self._days.get(number)
            if sums is None:
                sums = self._days[number] = _Day(self._rows)
            self._add(sums, readings, changes, day == number)
        np.maximum.at(self._last_day, row, day)
        changes.remember(self)

    def _add(self, sums: _Day, readings: Judged, changes: "_Changes", chosen: NDArray[np.bool_]) -> None:
        row, x = readings.row[chosen], readings.x[chosen]
        bad = (readings.flag[chosen] == Flag.SUSPECT) | (readings.flag[chosen] == Flag.FAIL)
        usable = readings.flag[chosen] != Flag.FAIL
        columns = {
            "seen": np.ones(len(row)),
            "bad": bad.astype(np.float64),
            "flat": changes.flat[chosen].astype(np.float64),
            "total": np.where(usable, x, 0.0),
            "rough": np.where(changes.smooth[chosen], np.abs(changes.second[chosen]), 0.0),
            "roughs": changes.smooth[chosen].astype(np.float64),
        }
        for name, column in columns.items():
            sums.sums[name] += np.bincount(row, column, self._rows)
        cell = row[usable].astype(np.int64) * _HOURS + (readings.t[chosen][usable] // HOUR_MS) % _HOURS
        size = self._rows * _HOURS
        sums.hour_sum += np.bincount(cell, x[usable], size).reshape(-1, _HOURS)
        sums.hour_count += np.bincount(cell, minlength=size).reshape(-1, _HOURS)

    def close_day(self, day_end_ms: int) -> list[DaySignals]:
        """Close every open day that ends by ``day_end_ms``; signals by day and row.

        A series that has fallen silent is told for seven more days with a gap rate of 1.
        """
        end = day_end_ms // DAY_MS
        if end <= self._closed:
            return []
        newest = [int(day) for day in np.unique(self._last_day) if day >= 0]
        days = {number for number in self._days if number < end}
        days |= {day + k for day in newest for k in range(1, _SILENT_DAYS + 1) if self._closed <= day + k < end}
        signals = [told for number in sorted(days) for told in self._close(number)]
        self._closed = end
        return signals

    def _close(self, number: int) -> list[DaySignals]:
        day = self._days.pop(number, None) or _Day(self._rows)
        seen = day.sums["seen"]
        begins = self._first // DAY_MS
        speaks = (self._first >= 0) & (begins <= number) & (number - self._last_day <= _SILENT_DAYS)
        usable = day.hour_count.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            table = {
                "mean": np.where(usable > 0, day.sums["total"] / usable, np.nan),
                "gap_rate": self._gap_rate(number, seen),
                "noise": self._noise(day),
                "suspect_share": np.where(seen >= _ENOUGH, day.sums["bad"] / seen, np.nan),
                "flat_share": np.where(seen >= _ENOUGH, day.sums["flat"] / seen, np.nan),
                "drift": self._drifted(day),
            }
        told = []
        for row in np.flatnonzero(speaks).tolist():
            known = {name: float(column[row]) for name, column in table.items() if np.isfinite(column[row])}
            told.append(DaySignals(row, number * DAY_MS, known))
        return told

    def _gap_rate(self, number: int, seen: Floats) -> Floats:
        """Share of expected readings that did not come; the first day counts from the first reading on."""
        since = np.maximum(self._first, number * DAY_MS)
        expected = np.maximum(1.0, np.floor(((number + 1) * DAY_MS - since) / self._interval_ms))
        # A series slower than a day owes a reading only now and then: nothing can be said of one day.
        told = np.isfinite(self._interval_ms) & (self._interval_ms <= DAY_MS)
        return np.where(told, np.clip(1.0 - seen / expected, 0.0, 1.0), np.nan)

    def _noise(self, day: _Day) -> Floats:
        enough = day.sums["roughs"] >= _ENOUGH
        rough = day.sums["rough"] / np.maximum(1.0, day.sums["roughs"])
        learning = enough & (self._noise_days < _EARLY_DAYS)
        self._noise_days = self._noise_days + learning
        step = (rough - self._early_noise) / np.maximum(1.0, self._noise_days)
        self._early_noise = np.where(learning, self._early_noise + step, self._early_noise)
        floor = 1e-3 * np.maximum(self._early_noise, 1e-12)  # perfectly still: a large ratio, not an infinite one
        ratio = np.log(np.maximum(rough, floor) / np.maximum(self._early_noise, 1e-12))
        return np.where(enough, np.clip(ratio, -7.0, 7.0), np.nan)

    def _drifted(self, day: _Day) -> Floats:
        """Drift against the hourly medians of the rows of the same quantity."""
        with np.errstate(invalid="ignore"):
            hourly = np.where(day.hour_count > 0, day.hour_sum / np.maximum(1.0, day.hour_count), np.nan)
        gap, level = np.full(self._rows, np.nan), np.full(self._rows, np.nan)
        names = np.array(self._quantity)
        for name in set(self._quantity):
            rows = np.flatnonzero((names == name) & (np.isfinite(hourly).sum(axis=1) >= _ENOUGH))
            if len(rows) < _NEIGHBOURS_MIN:
                continue
            median = _nanmedian_rows(hourly[rows])
            gap[rows] = np.nanmean(hourly[rows] - median, axis=1)
            level[rows] = max(float(np.nanmean(np.abs(median))), 1e-9)
        told = np.isfinite(gap)
        relative = np.where(told, gap / level, 0.0)
        learning = told & (self._gap_days < _EARLY_DAYS)
        self._gap_days = self._gap_days + learning
        step = (relative - self._early_gap) / np.maximum(1.0, self._gap_days)
        self._early_gap = np.where(learning, self._early_gap + step, self._early_gap)
        moved = self._drift + (relative - self._early_gap - self._drift) / _DRIFT_MEMORY_DAYS
        self._drift = np.where(told, moved, self._drift)
        return np.where(told, self._drift, np.nan)

    _ARRAYS = (
        "_interval_ms", "_first", "_last_day", "_t1", "_t2", "_x1", "_x2",
        "_early_noise", "_noise_days", "_early_gap", "_gap_days", "_drift",
    )  # fmt: skip

    def snapshot(self) -> Payload:
        return {
            "quantity": list(self._quantity),
            "closed": int(self._closed),
            "columns": {name: getattr(self, name).copy() for name in self._ARRAYS},
            "days": [
                {
                    "day": number,
                    "sums": {name: column.copy() for name, column in day.sums.items()},
                    "hour_sum": day.hour_sum.copy(),
                    "hour_count": day.hour_count.copy(),
                }
                for number, day in self._days.items()
            ],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._quantity = list(payload["quantity"])
        self._rows = len(self._quantity)
        self._closed = int(payload["closed"])
        for name in self._ARRAYS:
            setattr(self, name, np.array(payload["columns"][name]))
        self._days = {}
        for part in payload["days"]:
            day = self._days[int(part["day"])] = _Day(0)
            day.sums = {name: np.array(part["sums"][name]) for name in _COUNTERS}
            day.hour_sum, day.hour_count = np.array(part["hour_sum"]), np.array(part["hour_count"])


@dataclass(frozen=True, slots=True)
class _Changes:
    """How each reading differs from the two before it in its row; ``smooth`` says that no gap lies between."""

    flat: NDArray[np.bool_]
    second: Floats
    smooth: NDArray[np.bool_]
    rows: NDArray[np.intp]
    t1: Ints
    t2: Ints
    x1: Floats
    x2: Floats

    @classmethod
    def of(cls, state: HealthSignals, readings: Judged) -> "_Changes":
        row, t, x = readings.row, readings.t, readings.x
        start = np.diff(row, prepend=-1) != 0
        second_in_row = np.roll(start, 1) & ~start
        second_in_row[0] = False
        t1 = np.where(start, state._t1[row], np.roll(t, 1))
        x1 = np.where(start, state._x1[row], np.roll(x, 1))
        t2 = np.where(start, state._t2[row], np.where(second_in_row, state._t1[row], np.roll(t, 2)))
        x2 = np.where(start, state._x2[row], np.where(second_in_row, state._x1[row], np.roll(x, 2)))
        step = _GAP_INTERVALS * state._interval_ms[row]
        near = (t > t1) & (t - t1 <= step)
        smooth = near & (t1 > t2) & (t1 - t2 <= step) & np.isfinite(x2)
        last = np.flatnonzero(np.diff(row, append=-1))
        ahead = last[t[last] > state._t1[row[last]]]  # late readings do not become the newest
        return cls(near & (x == x1), x - 2 * x1 + x2, smooth, row[ahead].astype(np.intp),
                   t[ahead], t1[ahead], x[ahead], x1[ahead])  # fmt: skip

    def remember(self, state: HealthSignals) -> None:
        state._t1[self.rows], state._t2[self.rows] = self.t1, self.t2
        state._x1[self.rows], state._x2[self.rows] = self.x1, self.x2


def _grown(column: NDArray[Any], rows: int, fill: float) -> NDArray[Any]:
    more = np.full((rows - len(column), *column.shape[1:]), fill, dtype=column.dtype)
    return np.concatenate([column, more])


def _nanmedian_rows(table: Floats) -> Floats:
    """Median of each column that has values, NaN of one that has none (without numpy's warning)."""
    median = np.full(table.shape[1], np.nan)
    some = np.isfinite(table).any(axis=0)
    median[some] = np.nanmedian(table[:, some], axis=0)
    return median
