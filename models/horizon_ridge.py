"""One ridge per horizon for all columns of a grid, learned as labels become known, with its own report card."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from domain.readings import Floats, Ints
from models.grid_history import FEATURES, GridHistory

COVERAGE = 0.90
_RIDGE = 1.0  # prior precision in samples, on features in units of a series' spread
_HALF_LIFE_DAYS = 60.0
_LABELS_MIN = 48  # of a series and horizon, before its forecast is shown
_MEMORY_DAYS = 14.0
_BIAS_WEIGHT = 0.01
_REACH_STEP = 0.03
_REACH_START = 1.645 / 0.798  # 90 % of a normal error over its mean absolute value
_HOURS = 24
_EXACT = 1e-6  # relative error of what is kept in 32 bits: less is no error
_NEVER = np.iinfo(np.int64).min // 4


class HorizonRidge:
    """Predicts the change from now to each horizon; keeps what was said until the truth comes."""

    def __init__(self, horizons: Ints, cells_per_day: int) -> None:
        self.horizons = horizons
        self._day = cells_per_day
        self._refit_cells = max(1, cells_per_day // 24) if cells_per_day > 24 else 24
        count, width = len(horizons), len(FEATURES)
        self._gram = np.zeros((count, width, width))
        self._moment = np.zeros((count, width))
        self._weights = np.zeros((count, width))
        self._labels = np.zeros(count)
        self._fitted_at = _NEVER
        length = int(horizons.max()) + 1
        self._stamp = np.full(length, _NEVER, np.int64)
        self._asked = np.empty((length, count, 0, width), np.float32)
        self._said = np.empty((length, count, 0))
        self._base = np.empty((length, 3, 0))  # value, level and scale when it was said
        self.bias = np.empty((count, 0))
        self._count = np.empty((count, 0))
        self._error = np.empty((3, count, 0))  # running mean absolute error: forecast, persistence, seasonal naive
        self._reach = np.empty((count, 0))
        self._spread = np.empty((_HOURS, count, 0))  # running mean absolute error by hour of the day
        self._spread_count = np.empty((_HOURS, count, 0))

    _STATE = (
        "_gram", "_moment", "_weights", "_labels", "_stamp", "_asked", "_said", "_base", "bias", "_count", "_error",
        "_reach", "_spread", "_spread_count",
    )  # fmt: skip
    _FILL = {"_asked": np.nan, "_said": np.nan, "_base": np.nan, "_reach": _REACH_START}  # noqa: RUF012 (constant)

    def grow(self, columns: int) -> None:
        for name in ("_said", "_base", "bias", "_count", "_error", "_reach", "_spread", "_spread_count"):
            table = getattr(self, name)
            shape = (*table.shape[:-1], columns - table.shape[-1])
            setattr(self, name, np.concatenate([table, np.full(shape, self._FILL.get(name, 0.0))], axis=-1))
        length, count, old, width = self._asked.shape
        more = np.full((length, count, columns - old, width), np.nan, np.float32)
        self._asked = np.concatenate([self._asked, more], axis=2)

    def predict(self, cell: int, x: Floats, asked: Floats, history: GridHistory) -> Floats:
        """``float64[H, columns]`` in the unit of the series, NaN where nothing can be said yet; remembered."""
        scale = history.scale
        change = np.einsum("hcf,hf->hc", asked, self._weights)
        said = x + scale * change + self.bias
        said[:, ~history.ready | ~np.isfinite(x)] = np.nan
        slot = cell % len(self._stamp)
        self._stamp[slot] = cell
        self._asked[slot] = asked
        self._asked[slot][:, ~history.ready | ~np.isfinite(x)] = np.nan
        self._said[slot] = np.where((self._labels >= 10 * len(FEATURES))[:, None], said, np.nan)
        self._base[slot] = (x, history.level, scale)
        return np.array(self._said[slot])

    def interval(self, hours: Ints, said: Floats) -> tuple[Floats, Floats]:
        """Lower and upper end for targets that lie in ``hours`` (``int64[H]``, hour of the day)."""
        reach = self._reach * self._local(hours)
        return said - reach, said + reach

    @property
    def shown(self) -> Any:
        """``bool[H, columns]``: beats the seasonal naive, and is not clearly worse than persistence."""
        said, still, seasonal = self._error
        return (self._count >= _LABELS_MIN) & (said < seasonal) & (said <= 1.05 * still)

    @property
    def skill(self) -> Floats:
        """``float64[H, columns]``: 1 − error / error of the seasonal naive; NaN before the first label."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self._error[2] > 0, 1.0 - self._error[0] / self._error[2], np.nan)

    def learn(self, cell: int, hour: int, x: Floats, history: GridHistory) -> None:
        """The truth of ``cell`` is known: settle what was said of it, then learn from it."""
        slots = (cell - self.horizons) % len(self._stamp)
        asked_then = self._stamp[slots] == cell - self.horizons
        if asked_then.any():
            at = np.flatnonzero(asked_then)
            self._settle(at, slots[at], hour, x, cell, history)
            self._collect(at, slots[at], x)
        if cell - self._fitted_at >= self._refit_cells:
            self._fit(cell)

    def _settle(self, at: Any, slots: Ints, hour: int, x: Floats, cell: int, history: GridHistory) -> None:
        error = x - self._said[slots, at]
        seasonal = history.week_before(cell).astype(np.float64)
        yesterday = history.day_before(cell).astype(np.float64)
        seasonal = x - np.where(np.isnan(seasonal), yesterday, seasonal)
        still = x - self._base[slots, 0]
        known = np.isfinite(error) & np.isfinite(still) & np.isfinite(seasonal)
        count = self._count[at] + known
        self._count[at] = count
        weight = known * np.maximum(1.0 / np.maximum(count, 1.0), 1.0 / (_MEMORY_DAYS * self._day))
        for k, one in enumerate((error, still, np.broadcast_to(seasonal, error.shape))):
            running = self._error[k][at]
            size = np.where(np.abs(one) > _EXACT * np.abs(x), np.abs(one), 0.0)
            self._error[k][at] = running + weight * (np.where(known, size, 0.0) - running)
        told = np.isfinite(error)
        size = np.where(told, np.abs(error), 0.0)
        outside = size > self._reach[at] * self._local(np.full(len(self.horizons), hour))[at]
        step = np.where(count > 0, outside - (1.0 - COVERAGE), 0.0)
        self._reach[at] = np.maximum(0.1, self._reach[at] + _REACH_STEP * np.where(told, step, 0.0))
        visits = self._spread_count[hour, at] + told
        self._spread_count[hour, at] = visits
        lean = told * np.maximum(1.0 / np.maximum(visits, 1.0), 24.0 / (_MEMORY_DAYS * self._day))
        self._spread[hour, at] += lean * (size - self._spread[hour, at])
        self.bias[at] += _BIAS_WEIGHT * np.where(told, error, 0.0)

    def _local(self, hours: Ints) -> Floats:
        """Expected absolute error at these hours: half the hour's own, half the error of all hours."""
        index = np.arange(len(self.horizons))
        own, visits = self._spread[hours, index], self._spread_count[hours, index]
        return np.asarray(np.where(visits >= 5, 0.5 * own + 0.5 * self._error[0], self._error[0]), dtype=np.float64)

    def _collect(self, at: Any, slots: Ints, x: Floats) -> None:
        asked = self._asked[slots, at].astype(np.float64)
        value, _, scale = self._base[slots].transpose(1, 0, 2)
        with np.errstate(invalid="ignore"):
            change = np.clip((x - value) / scale, -8.0, 8.0)
        usable = np.isfinite(change) & np.isfinite(asked).all(axis=-1)
        asked = np.where(usable[:, :, None], asked, 0.0)
        change = np.where(usable, change, 0.0)
        self._gram[at] += asked.transpose(0, 2, 1) @ asked
        self._moment[at] += np.einsum("hcf,hc->hf", asked, change)
        self._labels[at] += usable.sum(axis=1)

    def _fit(self, cell: int) -> None:
        if self._fitted_at > _NEVER:
            keep = 0.5 ** (min(cell - self._fitted_at, 30 * self._day) / (_HALF_LIFE_DAYS * self._day))
            self._gram *= keep
            self._moment *= keep
        self._fitted_at = cell
        ridge = _RIDGE * np.eye(len(FEATURES))
        solved = np.linalg.solve(self._gram + ridge, self._moment[:, :, None])
        self._weights = np.asarray(solved[:, :, 0], dtype=np.float64)

    def snapshot(self) -> dict[str, Any]:
        return {"fitted_at": int(self._fitted_at), **{name: getattr(self, name).copy() for name in self._STATE}}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._fitted_at = int(payload["fitted_at"])
        for name in self._STATE:
            setattr(self, name, np.array(payload[name]))
