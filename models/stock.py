"""Stock River detectors behind our contract: one per series, on one scale, with exact state.

River's models cannot be written out as plain values, and a pickle is not kept. So a model is by definition what a
fresh one becomes after learning the kept history: the last ``memory`` to ``2 × memory`` readings of the series. When
the history is full its older half is dropped and the model is learned anew from the rest; a restore does the same
with the history it finds, so both sides go on alike, and the model forgets, which River's own running moments do not.

Raw scores become evidence by their learned tail (:mod:`models.tail`), and 0.5 is the same rate of chance alerts as
for the default detector.
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed_version
from typing import Any, ClassVar, Final

import numpy as np

from domain.errors import Rejected
from domain.flags import Flag
from domain.readings import Floats
from domain.scores import Judged, Scores
from models import tail
from models.contract import Payload
from models.series_spec import SeriesSpec

_LIBRARY: Final = "river"
(SEEN, FIRST, T, X, INTERVAL, LOG_QUANTILE, EXCESS, MEAN, MEAN_SQUARE) = range(9)
_LINES: Final = 9
_LEARNING_TAIL_FROM: Final = 120  # readings: until then the models have not enough to tell strange from usual
_CLIP: Final = 1e12  # keeps squares finite


class PerSeries:
    """One River detector per series, named as in :mod:`models.stock_river`."""

    kind: ClassVar[str] = "stock"
    version: ClassVar[str] = "1"

    def __init__(
        self,
        name: str,
        memory: int = 1_000,
        warm_up_s: float = 86_400.0,
        warm_up_readings: int = 150,
        false_alerts_per_week: float = 0.5,
    ) -> None:
        # Here and not above: importing River takes seconds, and a program that never asks for its detectors need not.
        from models.stock_river import SCORERS

        self._name = name
        self._make = SCORERS[name]
        self._memory = memory
        self._warm_up_s = warm_up_s
        self._warm_up_readings = warm_up_readings
        self._rate = false_alerts_per_week
        self.parameters: Mapping[str, Any] = {
            "detector": name,
            "river": installed_version(_LIBRARY),
            "memory": memory,
            "warm_up_s": warm_up_s,
            "warm_up_readings": warm_up_readings,
            "false_alerts_per_week": false_alerts_per_week,
        }
        self._models: list[Any] = []
        self._history: list[list[float]] = []
        self._line: Floats = np.zeros((_LINES, 0))
        self._cumulative: list[bool] = []

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        new = specs[len(self._models) :]
        if not new:
            return
        self._models += [self._make() for _ in new]
        self._history += [[] for _ in new]
        self._cumulative += [spec.quantity.cumulative for spec in new]
        self._line = np.concatenate([self._line, np.zeros((_LINES, len(new)))], axis=1)

    def observe(self, readings: Judged) -> Scores:
        """Score, then learn, one by one: River knows no columns. Readings flagged FAIL are scored but not learned."""
        n = len(readings)
        found, expected, half, need = (np.full(n, np.nan) for _ in range(4))
        columns = zip(
            readings.row.tolist(), readings.t.tolist(), readings.x.tolist(), readings.flag.tolist(), strict=True
        )
        for k, (row, t, x, flag) in enumerate(columns):
            if np.isfinite(x):
                found[k], need[k], expected[k], half[k] = self._one(row, t / 1_000, x, flag != Flag.FAIL)
        warm = np.isfinite(found)
        score = np.where(warm, tail.score(np.nan_to_num(found), np.nan_to_num(need, nan=1.0)), np.nan)
        one_in = np.where(warm, 10.0 ** np.nan_to_num(found), np.nan)
        return Scores(score, expected, expected - half, expected + half, one_in, {self._name: np.nan_to_num(found)})

    def _one(self, row: int, t: float, x: float, learnable: bool) -> tuple[float, float, float, float]:
        """Evidence (NaN while warming up), evidence needed, expected value and half the 99 % interval."""
        s = self._line[:, row]
        dt = t - s[T] if s[SEEN] else 0.0
        interval = dt if s[SEEN] <= 1 else min(max(dt, 0.9 * s[INTERVAL]), 1.1 * s[INTERVAL])
        y = x
        if self._cumulative[row]:  # a counter is judged by its rate per hour
            y = max(x - s[X], 0.0) / max(dt, 1e-3) * 3_600 if s[SEEN] else 0.0
        y = min(max(y, -_CLIP), _CLIP)
        raw = np.array([self._models[row].raw(y)])
        evidence = float(tail.evidence(raw, np.exp(s[LOG_QUANTILE : LOG_QUANTILE + 1]), s[EXCESS : EXCESS + 1])[0])
        need = float(tail.needed(np.array([interval]), self._rate)[0])
        warm = s[SEEN] >= self._warm_up_readings and t - s[FIRST] >= self._warm_up_s
        expected, half = np.nan, np.nan
        if s[SEEN] >= 3 and not self._cumulative[row]:
            expected = s[MEAN]
            half = 2.5758 * np.sqrt(max(s[MEAN_SQUARE] - s[MEAN] ** 2, 0.0))
        if learnable:
            self._learn(row, t, x, y, raw, interval)
        return (evidence if warm else np.nan), need, expected, half

    def _learn(self, row: int, t: float, x: float, y: float, raw: Floats, interval: float) -> None:
        s = self._line[:, row]
        if s[SEEN] == 0:
            s[FIRST] = t
        s[SEEN] += 1
        s[T], s[X], s[INTERVAL] = t, x, interval
        weight = 1 / min(s[SEEN], self._memory)
        s[MEAN] += weight * (y - s[MEAN])
        s[MEAN_SQUARE] += weight * (y * y - s[MEAN_SQUARE])
        if s[SEEN] == _LEARNING_TAIL_FROM:
            s[LOG_QUANTILE], s[EXCESS] = np.log(max(float(raw[0]), 1e-3)), max(0.3 * float(raw[0]), 1e-3)
        elif s[SEEN] > _LEARNING_TAIL_FROM:
            gain = np.array([1 + 20 / (1 + (s[SEEN] - _LEARNING_TAIL_FROM) / 25)])
            moved, excess = tail.learn(raw, s[LOG_QUANTILE : LOG_QUANTILE + 1], s[EXCESS : EXCESS + 1], gain)
            s[LOG_QUANTILE], s[EXCESS] = moved[0], excess[0]
        history = self._history[row]
        history.append(y)
        self._models[row].learn(y)
        if len(history) >= 2 * self._memory:
            del history[: -self._memory]
            self._models[row] = self._relearned(history)

    def _relearned(self, history: Sequence[float]) -> Any:
        model = self._make()
        for y in history:
            model.learn(y)
        return model

    def snapshot(self) -> Payload:
        return {
            "detector": self._name,
            "river": installed_version(_LIBRARY),
            "line": self._line.copy(),
            "cumulative": list(self._cumulative),
            "history": [np.array(history, np.float64) for history in self._history],
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Raises: Rejected: written by another detector, or by another version of River (its models may differ)."""
        here = (self._name, installed_version(_LIBRARY))
        there = (payload["detector"], payload["river"])
        if here != there:
            raise Rejected("state", f"{there[0]} of River {there[1]}", f"this is {here[0]} of River {here[1]}")
        self._line = np.array(payload["line"], np.float64)
        self._cumulative = list(payload["cumulative"])
        self._history = [np.asarray(history, np.float64).tolist() for history in payload["history"]]
        self._models = [self._relearned(history) for history in self._history]
