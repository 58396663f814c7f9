"""Values of like series on one regular grid: recent week, level and scale, mean of the same time on earlier days.

Columns are series. A cell is one grid step, numbered from 1970; a cell without a reading is NaN. Everything is
bounded: a week of cells and the profiles of a day and of a week per series.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from domain.times import DAY_MS

FEATURES = (
    "now", "step 1", "step 2", "step 3", "step 4", "step 5", "same time, now", "same time, target",
    "same time of week, now", "same time of week, target", "day before target", "week before target",
    "neighbours now", "neighbours earlier", "departure × level", "departure × change", "one",
)  # fmt: skip
_LAGS = 5
_NEIGHBOUR_LAG = 2
_SLOT_MS_MIN = 900_000  # profiles no finer than a quarter of an hour: they average over cells as well as over days
_LEVEL_MEMORY_DAYS = 14
_DAY_WEIGHT_MIN = 0.1  # per day
_WEEK_WEIGHT_MIN = 0.15  # per week
_CLIP = 8.0
_NEVER = np.iinfo(np.int64).min // 4


class GridHistory:
    """``horizons`` are ``int64[H]`` in cells, at most a day."""

    def __init__(self, grid_ms: int, horizons: Ints) -> None:
        self.horizons = horizons
        self.columns = 0
        self._day = DAY_MS // grid_ms
        self._week = 7 * self._day
        self._grid_ms = grid_ms
        slot_ms = max(grid_ms, _SLOT_MS_MIN)
        self._slots = DAY_MS // slot_ms
        self._cells_per_slot = slot_ms // grid_ms
        length = self._week + 1
        self._stamp = np.full(length, _NEVER, np.int64)
        self._x = np.empty((length, 0), np.float32)
        self._day_mean = np.empty((self._slots, 0), np.float32)
        self._day_count = np.empty((self._slots, 0), np.float32)
        self._week_mean = np.empty((7 * self._slots, 0), np.float32)
        self._week_count = np.empty((7 * self._slots, 0), np.float32)
        self.seen = np.empty(0)
        self.level = np.empty(0)
        self._variance = np.empty(0)

    _TABLES = ("_x", "_day_mean", "_day_count", "_week_mean", "_week_count")
    _VECTORS = ("seen", "level", "_variance")

    def grow(self, columns: int) -> None:
        more = columns - self.columns
        for name in self._TABLES:
            table = getattr(self, name)
            fill = 0.0 if name.endswith("count") else np.nan
            setattr(self, name, np.hstack([table, np.full((len(table), more), fill, np.float32)]))
        for name in self._VECTORS:
            setattr(self, name, np.append(getattr(self, name), np.zeros(more)))
        self.columns = columns

    @property
    def scale(self) -> Floats:
        """Running standard deviation, 1 where nothing has moved."""
        return np.where(self._variance > 1e-18 * np.maximum(1.0, self.level**2), np.sqrt(self._variance), 1.0)

    @property
    def ready(self) -> NDArray[np.bool_]:
        """Columns of which a day of cells has been seen."""
        return self.seen >= self._day

    def lag(self, cell: int) -> NDArray[np.float32]:
        """Values of a cell of the past week, NaN where there is none."""
        slot = cell % len(self._stamp)
        if self._stamp[slot] != cell:
            return np.full(self.columns, np.nan, np.float32)
        return np.asarray(self._x[slot], dtype=np.float32)

    def day_before(self, cell: int) -> NDArray[np.float32]:
        return self.lag(cell - self._day)

    def week_before(self, cell: int) -> NDArray[np.float32]:
        return self.lag(cell - self._week)

    def features(self, cell: int, x: Floats) -> Floats:
        """``float64[H, columns, features]`` as seen at ``cell``, whose values are ``x``; in units of each series."""
        centre, scale = self.level, self.scale
        recent = np.array([x, *(self.lag(cell - k) for k in range(1, _LAGS + 1))])
        for k in range(1, _LAGS + 1):
            recent[k] = np.where(np.isnan(recent[k]), recent[k - 1], recent[k])
        day_now, week_now = self._profile(cell)
        profiles = [self._profile(cell + int(h)) for h in self.horizons]
        day_then = np.array([pair[0] for pair in profiles])
        week_then = np.array([pair[1] for pair in profiles])
        day_ago = _or(np.array([self.day_before(cell + int(h)) for h in self.horizons]), day_then)
        week_ago = _or(np.array([self.week_before(cell + int(h)) for h in self.horizons]), week_then)
        stack = np.vstack([recent, [day_now, week_now], day_then, week_then, day_ago, week_ago])
        z = np.clip((stack - centre) / scale, -_CLIP, _CLIP)
        recent_z, (day_z, week_z), rest = z[:6], z[6:8], z[8:].reshape(4, len(self.horizons), -1)
        around, around_then = _others(recent_z[0]), _others(recent_z[_NEIGHBOUR_LAG])
        now = recent_z[0]
        departure = now - day_z
        out = np.empty((len(self.horizons), self.columns, len(FEATURES)))
        for k, column in enumerate((now, *(recent_z[j] - now for j in range(1, 6)), day_z - now)):
            out[:, :, k] = column
        out[:, :, 7] = rest[0] - day_z
        out[:, :, 8] = week_z - now
        out[:, :, 9] = rest[1] - week_z
        out[:, :, 10] = rest[2] - now
        out[:, :, 11] = rest[3] - now
        out[:, :, 12] = around - now
        out[:, :, 13] = around_then - recent_z[_NEIGHBOUR_LAG]
        out[:, :, 14] = departure * now
        out[:, :, 15] = departure * (rest[0] - day_z)
        out[:, :, 16] = 1.0
        return out

    def learn(self, cell: int, x: Floats) -> None:
        """Take the cell's values in: profiles, level and scale, the past week."""
        known = np.isfinite(x)
        slot, slot_of_week = self._slot(cell)
        per_day = self._cells_per_slot
        self._fold(self._day_mean, self._day_count, slot, x, known, _DAY_WEIGHT_MIN / per_day)
        self._fold(self._week_mean, self._week_count, slot_of_week, x, known, _WEEK_WEIGHT_MIN / per_day)
        self.seen = self.seen + known
        weight = np.maximum(1.0 / np.maximum(self.seen, 1.0), 1.0 / (_LEVEL_MEMORY_DAYS * self._day))
        step = np.where(known, x - self.level, 0.0)
        self.level = self.level + weight * step
        self._variance = np.where(known, (1.0 - weight) * (self._variance + weight * step**2), self._variance)
        at = cell % len(self._stamp)
        self._stamp[at] = cell
        self._x[at] = x

    def _slot(self, cell: int) -> tuple[int, int]:
        ms = cell * self._grid_ms
        slot = (ms % DAY_MS) // (DAY_MS // self._slots)
        return slot, (ms // DAY_MS % 7) * self._slots + slot

    def _profile(self, cell: int) -> tuple[Floats, Floats]:
        """Mean of the same time of earlier days and of earlier weeks; what is not known falls back to the former."""
        slot, slot_of_week = self._slot(cell)
        day = _or(self._day_mean[slot], self.level)
        return day, _or(self._week_mean[slot_of_week], day)

    @staticmethod
    def _fold(mean: Any, count: Any, slot: int, x: Floats, known: NDArray[np.bool_], weight_min: float) -> None:
        count[slot] += known
        weight = np.maximum(1.0 / np.maximum(count[slot], 1.0), weight_min)
        old = np.where(np.isnan(mean[slot]), x, mean[slot])
        mean[slot] = np.where(known, old + weight * (x - old), mean[slot])

    def snapshot(self) -> dict[str, Any]:
        return {name: getattr(self, name).copy() for name in ("_stamp", *self._TABLES, *self._VECTORS)}

    def restore(self, payload: Mapping[str, Any]) -> None:
        for name in ("_stamp", *self._TABLES, *self._VECTORS):
            setattr(self, name, np.array(payload[name]))
        self.columns = len(self.seen)


def _or(values: NDArray[Any], otherwise: NDArray[Any]) -> Floats:
    return np.where(np.isnan(values), otherwise, values).astype(np.float64)


def _others(z: Floats) -> Floats:
    """Mean of the other columns that have a value; the column's own where there is none."""
    known = np.isfinite(z)
    total, count = np.where(known, z, 0.0).sum(), known.sum()
    others = count - known
    return np.where(others > 0, (total - np.where(known, z, 0.0)) / np.maximum(others, 1), z)
