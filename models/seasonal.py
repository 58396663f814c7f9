"""What is usual for this series at this time of day, and how far it may stray.

Per series an expected value is kept as ``level + daily profile + weekday or weekend profile + ρ · last residual``, all
learned online with clipped (robust) updates, the scale of the innovation per hour of day. Three statistics are judged
against their own learned tails (:mod:`models.tail`):

* ``change``: the innovation in units of its scale: spikes, jumps, drop-outs;
* ``level``: the mean residual of the last hours: shifts and drifts that each step hides;
* ``noise``: the mean size of the innovations of the last hour.

Evidence of a reading is the largest of the three, minus what the series' own sampling interval makes likely by
chance. All state is a struct of arrays; a round of readings (one per row) is a few dozen numpy calls.
Hours and weekdays are UTC: a daily pattern that follows local time moves once at each clock change and is relearned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import numpy as np

from domain.flags import Flag
from domain.readings import Floats, Mask
from domain.scores import Judged, Scores
from models import tail
from models.contract import Payload
from models.rounds import narrow, rounds
from models.seasonal_row import LARGEST, SeasonalRow
from models.seasonal_state import CHANNELS, Calendar, SeasonalParameters, SeasonalState
from models.seasonal_step import Seen, step
from models.series_spec import SeriesSpec


class SeasonalDetector:
    """One object serves all series of an area; see the module for the model."""

    kind: ClassVar[str] = "seasonal"
    version: ClassVar[str] = "1"

    def __init__(self, parameters: SeasonalParameters | None = None) -> None:
        self._p = parameters or SeasonalParameters()
        self.parameters: Mapping[str, Any] = asdict(self._p)
        self._state = SeasonalState(self._p)
        self._cumulative = np.empty(0, dtype=bool)
        self._bounds: Floats = np.empty((2, 0))

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        new = specs[len(self._cumulative) :]
        if not new:
            return
        self._state.grow(len(specs))
        self._cumulative = np.append(self._cumulative, [spec.quantity.cumulative for spec in new])
        bounds = [[spec.quantity.lower for spec in new], [spec.quantity.upper for spec in new]]
        self._bounds = np.concatenate([self._bounds, np.array(bounds, dtype=np.float64)], axis=1)

    def observe(self, readings: Judged) -> Scores:
        """Score, then learn; a reading that is not finite is neither scored nor learned."""
        finite = np.isfinite(readings.x)
        if finite.all():
            return self._observe(readings)
        scores = self._observe(readings.take(finite))
        return Scores(
            _spread(scores.score, finite),
            _spread(scores.expected, finite),
            _spread(scores.lower, finite),
            _spread(scores.upper, finite),
            _spread(scores.one_in, finite),
            {name: np.nan_to_num(_spread(column, finite)) for name, column in scores.channels.items()},
        )

    def _observe(self, readings: Judged) -> Scores:
        n = len(readings)
        calendar = Calendar.of(readings.t)
        learnable = readings.flag != Flag.FAIL
        cumulative = self._cumulative[readings.row]
        seen = Seen(n)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            runs = narrow(readings.row)
            if runs is None:
                for turn in rounds(readings.row):
                    step(self._state, self._p, readings, calendar, cumulative, learnable, turn, seen)
            else:
                plain = learnable & ~cumulative & (np.abs(readings.x) <= LARGEST)
                for run in runs:
                    self._walk(readings, run, calendar, plain, cumulative, learnable, seen)
            return self._say(readings, seen)

    def _walk(
        self, readings: Judged, run: range, calendar: Calendar, plain: Mask, cumulative: Mask, learnable: Mask,
        seen: Seen,
    ) -> None:  # fmt: skip
        """One row, its readings one after the other: in plain numbers where they serve, else as a round of one."""
        row, whole = int(readings.row[run.start]), slice(run.start, run.stop)
        at, share = calendar.at[:, whole].T.tolist(), calendar.weight[:, whole].T.tolist()
        t, x, hour = readings.t[whole].tolist(), readings.x[whole].tolist(), calendar.hour[whole].tolist()
        at_once, noted = [], []
        now: SeasonalRow | None = None
        for k, serves in enumerate(plain[whole].tolist()):
            now = now or SeasonalRow(self._state, self._p, row)
            if serves and now.serves:
                at_once.append(run.start + k)
                noted.append(now.take(t[k], x[k], at[k], share[k], hour[k]))
                continue
            now.store()
            now = None
            here = slice(run.start + k, run.start + k + 1)
            step(self._state, self._p, readings, calendar, cumulative, learnable, here, seen)
        if now is not None:
            now.store()
        if noted:
            seen.table[:, at_once] = np.array(noted).T

    def _say(self, readings: Judged, seen: Seen) -> Scores:
        found = tail.evidence(seen.stat, seen.quantile, seen.excess)
        found[1] *= seen.visited
        best = found.max(axis=0)
        warm = seen.warm > 0
        score = np.where(warm, tail.score(best, tail.needed(seen.interval, self._p.false_alerts_per_week)), np.nan)
        half = seen.scale * tail.quantile_at(1 - self._p.coverage, seen.quantile[0], seen.excess[0])
        lower, upper = self._bounds[:, readings.row]
        known = np.isfinite(half)
        return Scores(
            score,
            np.where(known, np.clip(seen.expected, lower, upper), np.nan),
            np.where(known, np.clip(seen.expected - half, lower, upper), np.nan),
            np.where(known, np.clip(seen.expected + half, lower, upper), np.nan),
            np.where(warm, 10.0**best, np.nan),
            {name: np.where(warm, found[k], 0.0) for k, name in enumerate(CHANNELS)},
        )

    def snapshot(self) -> Payload:
        return {**self._state.snapshot(), "cumulative": self._cumulative.copy(), "bounds": self._bounds.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Raises: Rejected: not a snapshot of this kind."""
        self._state.restore(payload)
        self._cumulative = np.array(payload["cumulative"], dtype=bool)
        self._bounds = np.array(payload["bounds"], dtype=np.float64)


def _spread(column: Floats, chosen: np.ndarray[Any, np.dtype[np.bool_]]) -> Floats:
    full = np.full(len(chosen), np.nan)
    full[chosen] = column
    return full
