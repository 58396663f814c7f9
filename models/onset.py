"""Will it begin? One online logistic model for all series of a grid that can run into the same kind of trouble.

Each series is seen as its *load*: 0 is easy, 1 is where the trouble begins. A series is asked about only while it is
calm; the label is known one horizon later.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats
from domain.times import DAY_MS
from models.online_logistic import OnlineLogistic

_LAGS = (1, 2, 3, 6)
_SLOTS = 96  # quarters of an hour
_SLOT_MS = DAY_MS // _SLOTS
_WIDTH = 17
_POSITIVES_MIN = 10
_DAY_WEIGHT_MIN = 0.1
_FORGETTING = 1.0 - 1e-6
_CLIP = 4.0
# Before any label: trouble is rare, and likelier the higher the load.
_START_LOAD, _START_CONSTANT = 4.0, -6.0
_NEVER = np.iinfo(np.int64).min // 4


class Onset:
    """``within`` is the horizon in cells; ``calm`` is the load up to which nothing is wrong yet."""

    def __init__(self, grid_ms: int, within: int, calm: float) -> None:
        self._grid_ms = grid_ms
        self._within = within
        self._calm = calm
        start = np.zeros(_WIDTH)
        start[0], start[-1] = _START_LOAD, _START_CONSTANT
        # A series asked at every cell gives `within` labels about the same hours: count them less, believe them later.
        self._model = OnlineLogistic(start, prior=within**2 / 9.0, weight=within**-0.5, forgetting=_FORGETTING)
        length = within + 1
        self._stamp = np.full(length, _NEVER, np.int64)
        self._asked = np.empty((length, 0, _WIDTH))
        self._recent_stamp = np.full(max(_LAGS) + 1, _NEVER, np.int64)
        self._recent = np.empty((max(_LAGS) + 1, 0))
        self._trouble = np.empty(0, np.int64)  # last cell in trouble
        self._heard = np.empty((length, 0), np.bool_)
        self._profile = np.empty((_SLOTS, 0))  # mean load by time of day
        self._troubled = np.empty((_SLOTS, 0))  # share of cells in trouble by time of day
        self._visits = np.empty((_SLOTS, 0))

    _STATE = ("_stamp", "_asked", "_recent_stamp", "_recent", "_trouble", "_heard", "_profile", "_troubled", "_visits")

    def grow(self, columns: int) -> None:
        more = columns - len(self._trouble)
        self._trouble = np.append(self._trouble, np.full(more, _NEVER, np.int64))
        self._heard = np.hstack([self._heard, np.zeros((len(self._heard), more), np.bool_)])
        self._recent = np.hstack([self._recent, np.full((len(self._recent), more), np.nan)])
        empty = np.full((len(self._asked), more, _WIDTH), np.nan)
        self._asked = np.concatenate([self._asked, empty], axis=1)
        for name in ("_profile", "_troubled", "_visits"):
            setattr(self, name, np.hstack([getattr(self, name), np.zeros((_SLOTS, more))]))

    def step(self, cell: int, load: Floats) -> Floats:
        """Learn what has become known, then say: ``float64[columns]`` probability, NaN where it is not asked.

        ``load`` is ``float64[columns]``, NaN where unknown.
        """
        known = np.isfinite(load)
        trouble = known & (load >= 1.0)
        self._trouble = np.where(trouble, cell, self._trouble)
        self._learn(cell, known)
        x = self._features(cell, load)
        calm = known & (load <= self._calm) & (self._visits.sum(axis=0) >= DAY_MS // self._grid_ms)
        slot = cell % len(self._stamp)
        self._stamp[slot], self._asked[slot], self._heard[slot] = cell, x, known
        self._asked[slot, ~calm] = np.nan
        self._remember(cell, load, known, trouble)
        enough = self._model.positives >= _POSITIVES_MIN and self._model.negatives >= _POSITIVES_MIN
        p = np.full(len(load), np.nan)
        if enough and calm.any():
            p[calm] = self._model.predict(x[calm])
        return p

    def _learn(self, cell: int, known: NDArray[np.bool_]) -> None:
        then = cell - self._within
        slot = then % len(self._stamp)
        if self._stamp[slot] != then:
            return
        valid = (self._stamp > then) & (self._stamp < cell)
        heard = self._heard[valid].sum(axis=0) + known >= 0.5 * self._within
        began = self._trouble > then
        usable = np.isfinite(self._asked[slot]).all(axis=1) & (heard | began)
        self._model.learn(self._asked[slot][usable], began[usable])

    def _features(self, cell: int, load: Floats) -> Floats:
        past = [self._lag(cell - k, load) for k in _LAGS]
        window = np.vstack([load[None], *(row[None] for row in past)])
        slot = self._slot(cell)
        last = self._slot(cell + self._within)
        ahead = (slot + 1 + np.arange((last - slot) % _SLOTS or _SLOTS)) % _SLOTS
        usual, usual_ahead = self._profile[slot], self._profile[ahead].max(axis=0)
        others, others_max = _others(load)
        others_before, _ = _others(past[1])
        columns = [
            load,
            load * load,
            *(load - row for row in past),
            window.max(axis=0) - load,
            window.std(axis=0),
            load - usual,
            usual_ahead - usual,
            self._troubled[ahead].max(axis=0),
            np.sqrt(self._troubled[ahead].max(axis=0)),
            others - load,
            others_max,
            others - others_before,
            np.where(self._trouble > _NEVER, np.exp(-(cell - self._trouble) / (4.0 * self._within)), 0.0),
            np.ones(len(load)),
        ]
        return np.asarray(np.clip(np.stack(columns, axis=1), -_CLIP, _CLIP), dtype=np.float64)

    def _remember(self, cell: int, load: Floats, known: NDArray[np.bool_], trouble: NDArray[np.bool_]) -> None:
        at = cell % len(self._recent)
        self._recent_stamp[at], self._recent[at] = cell, load
        slot = self._slot(cell)
        visits = self._visits[slot] + known
        self._visits[slot] = visits
        cells_per_day = max(1, _SLOT_MS // self._grid_ms)
        weight = known * np.maximum(1.0 / np.maximum(visits, 1.0), _DAY_WEIGHT_MIN / cells_per_day)
        self._profile[slot] += weight * (np.where(known, load, 0.0) - self._profile[slot])
        self._troubled[slot] += weight * (trouble - self._troubled[slot])

    def _lag(self, cell: int, load: Floats) -> Floats:
        at = cell % len(self._recent)
        if self._recent_stamp[at] != cell:
            return load
        return np.where(np.isnan(self._recent[at]), load, self._recent[at])

    def _slot(self, cell: int) -> int:
        return cell * self._grid_ms % DAY_MS // _SLOT_MS

    def snapshot(self) -> dict[str, Any]:
        return {"model": self._model.snapshot(), **{name: getattr(self, name).copy() for name in self._STATE}}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._model.restore(payload["model"])
        for name in self._STATE:
            setattr(self, name, np.array(payload[name]))


def _others(load: Floats) -> tuple[Floats, Floats]:
    """Mean and maximum of the other columns that are known; a column's own load where there is none."""
    known = np.isfinite(load)
    if known.sum() < 2:
        return load, load
    filled = np.where(known, load, -np.inf)
    order = np.argsort(filled)
    first, second = filled[order[-1]], filled[order[-2]]
    highest = np.where(np.arange(len(load)) == order[-1], second, first)
    others = (np.where(known, load, 0.0).sum() - np.where(known, load, 0.0)) / np.maximum(known.sum() - known, 1)
    return others, highest
