"""Has anything like this been seen before, and is the step, the level or the restlessness usual?

Two views of each series are taken together.

*Novelty*: how far the reading is from the nearest of its past, in four ways: its ``value``; value and mean of the
last hours (``recent``); the means of the last six hours and those of the same hours of earlier days (``pattern``);
the mean of the last hour and those at about this time of earlier days (``hour``). Each distance is judged by the log
tail probability of its short mean against its own running mean and deviation (Lavin and Ahmad 2015).

*Expectation*: :mod:`models.seasonal` gives the expected value and its interval, and the evidence of a ``change``, a
``level`` and ``noise`` against their own tails.

A series that reports more often than every four minutes or so is judged by expectation alone. It reads a day in
thousands of values, of which some are new every day: on a simulated town at one reading a minute novelty raised
thirteen findings per sensor-week, and cost five times as much.

Evidence is the mean of the channels; what it takes grows with the logarithm of the time looked at, with every finding
for two days (a series that cries often must cry louder), and the less of the series than four days has been seen. A
step, level or restlessness that is far out in its own tail is a finding alone. All parameters are durations, or decades
of probability. State is bounded: some 16 kB a series.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from domain.flags import Flag
from domain.readings import Floats, Ints, Mask
from domain.scores import Judged, Scores
from models.contract import Payload
from models.novelty_row import STRETCH_MAX, NoveltyRow
from models.novelty_state import (
    CHANNELS,
    FATIGUE,
    FATIGUE_T,
    FIRST,
    INTERVAL,
    LAST_HIGH,
    LAST_SAID,
    LEVEL_WEIGHT,
    RATE,
    SEEN,
    WEIGHTS,
    NoveltyParameters,
    NoveltyState,
    T,
    X,
)
from models.novelty_step import FAST_S, Grids, Turn, tail_evidence
from models.rounds import narrow, rounds
from models.seasonal import SeasonalDetector
from models.series_spec import SeriesSpec

_HOLD_S: Final = 1_700.0  # an episode goes on without being new: less than its rest (models.episodes)
_HOLD_INTERVALS: Final = 4.5
_OFTEN_S: Final = 300.0  # a series that reports more often is looked at more often
_QUIET_MAX: Final = 0.499
_WEIGHTS: Final = np.array([*WEIGHTS, LEVEL_WEIGHT])[:, None]


@dataclass(frozen=True, slots=True)
class Looked:
    """What n readings are evidence of.

    Attributes:
        found: ``float64[channels + 1, n]`` evidence of each channel and of the seasonal ``level``, NaN where unknown.
        age: ``float64[n]`` seconds since the first reading of the row. spacing: ``float64[n]`` its sampling interval.
        said: by the seasonal detector.
    """

    found: Floats
    age: Floats
    spacing: Floats
    said: Scores


class NoveltyDetector:
    """One object serves all series of an area; see the module for the model."""

    kind: ClassVar[str] = "novelty"
    version: ClassVar[str] = "2"  # 2: rings of slow series only

    def __init__(self, parameters: NoveltyParameters | None = None) -> None:
        self._p = parameters or NoveltyParameters()
        self.parameters: Mapping[str, Any] = asdict(self._p)
        self._state = NoveltyState()
        self._seasonal = SeasonalDetector()
        self._cumulative = np.empty(0, dtype=bool)
        self._grids = Grids(self._p.days)  # worked out from the parameters alone: no state

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        new = specs[len(self._cumulative) :]
        if not new:
            return
        self._state.grow(len(specs))
        self._seasonal.ensure(specs)
        self._cumulative = np.append(self._cumulative, [spec.quantity.cumulative for spec in new])

    def observe(self, readings: Judged) -> Scores:
        """Score, then learn; a reading that is not finite is neither scored nor learned."""
        seen = self.look(readings)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            score = self.verdict(readings, seen)
            best = np.fmax(_together(seen.found, self._p), np.log10(seen.said.one_in))
            one_in = np.where(np.isfinite(score), 10.0 ** np.minimum(best, 12.0), np.nan)
        warm = np.isfinite(score)
        shown = np.where(warm & np.isfinite(seen.found), seen.found, 0.0)
        channels = dict(zip(CHANNELS, shown, strict=False))
        said = seen.said
        return Scores(score, said.expected, said.lower, said.upper, one_in, {**said.channels, **channels})

    def look(self, readings: Judged) -> "Looked":
        """What each reading is evidence of; learns all but the episodes."""
        n = len(readings)
        said = self._seasonal.observe(readings)
        z, age, spacing = np.full((len(CHANNELS), n), np.nan), np.full(n, np.nan), np.full(n, np.nan)
        learnable = readings.flag != Flag.FAIL
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            runs = narrow(readings.row)
            if runs is None:
                whole = np.arange(n)
                for turn in rounds(readings.row):
                    self._round(readings, whole[turn], learnable, z, age, spacing)
            else:
                plain = learnable & np.isfinite(readings.x) & ~self._cumulative[readings.row]
                for run in runs:
                    self._walk(readings, run, plain, learnable, z, age, spacing)
            level = np.where(np.isfinite(said.score), said.channels["level"], np.nan)
            return Looked(np.vstack([tail_evidence(z), level]), age, spacing, said)

    def verdict(self, readings: Judged, seen: "Looked") -> Floats:
        """``float64[n]``: the score; learns the episodes."""
        over = self._over(_together(seen.found, self._p), _decades_over(seen.said.score), seen.age, seen.spacing)
        score = self._judge(readings, over, seen.spacing, readings.flag != Flag.FAIL)
        return np.where(seen.spacing < FAST_S, seen.said.score, score)

    def _walk(
        self, readings: Judged, run: range, plain: Mask, learnable: Mask, z: Floats, age: Floats, spacing: Floats
    ) -> None:
        """One row, its readings one after the other: in stretches where they can be, else as rounds of one."""
        row, whole = int(readings.row[run.start]), slice(run.start, run.stop)
        t, x = (readings.t[whole] / 1_000).tolist(), readings.x[whole].tolist()
        serves, k, now = plain[whole].tolist(), 0, NoveltyRow(self._state, self._p, row)
        while k < len(t):
            stop = k
            while stop < min(len(t), k + STRETCH_MAX) and serves[stop]:
                stop += 1
            taken = 0
            if now.serves and stop > k:
                found, ages, spacings = now.take(t[k:stop], x[k:stop], self._grids[now.grid_s])
                taken = len(ages)
                here = slice(run.start + k, run.start + k + taken)
                z[:, here], age[here], spacing[here] = found, ages, spacings
            if not taken:
                taken = 1
                self._round(readings, np.array([run.start + k]), learnable, z, age, spacing)
                now = NoveltyRow(self._state, self._p, row)
            k += taken

    def _round(self, readings: Judged, at: Ints, learnable: Mask, z: Floats, age: Floats, spacing: Floats) -> None:
        """One reading of each of some rows."""
        at = at[np.isfinite(readings.x[at])]
        fast = self._state.line[INTERVAL, readings.row[at]] < FAST_S
        if fast.any():
            self._pass(readings, at[fast], age, spacing)
            at = at[~fast]
        if len(at):
            self._turn(readings, at, learnable, z, age, spacing)

    def _turn(self, readings: Judged, at: Ints, learnable: Mask, z: Floats, age: Floats, spacing: Floats) -> None:
        """One reading of each of some rows: into the columns ``z``, ``age`` and ``spacing``; then learn it."""
        row, t = readings.row[at], readings.t[at] / 1_000
        y, raw = self._rates(row, t, readings.x[at])
        now = Turn(self._state, self._p, self._grids, row, t, y)
        now.new[X], now.new[RATE] = raw, y
        z[:, at] = now.deviations(now.distances())
        age[at], spacing[at] = t - now.new[FIRST], now.spacing
        now.store(learnable[at])

    def _pass(self, readings: Judged, at: Ints, age: Floats, spacing: Floats) -> None:
        """One reading of each of some fast rows: only its time is noted."""
        row, t, line = readings.row[at], readings.t[at] / 1_000, self._state.line
        before = line[INTERVAL, row]
        interval = np.minimum(np.maximum(t - line[T, row], 0.9 * before), 1.1 * before)
        line[T, row], line[INTERVAL, row] = t, interval
        age[at], spacing[at] = t - line[FIRST, row], np.maximum(interval, 1e-3)

    def _rates(self, row: NDArray[Any], t: Floats, x: Floats) -> tuple[Floats, Floats]:
        """What is judged: the value, of a counter its rate per hour; and the raw value, within what squares allow."""
        raw = np.minimum(np.maximum(x, -1e100), 1e100)
        counts = self._cumulative[row]
        if not counts.any():
            return raw, raw
        old = self._state.line[:, row]
        rate = (raw - old[X]) / np.maximum(t - old[T], 1e-3) * 3_600
        usable = (old[SEEN] > 0) & (rate >= 0)
        return np.where(counts, np.where(usable, rate, np.nan_to_num(old[RATE])), raw), raw

    def _over(self, mean: Floats, alone: Floats, age: Floats, spacing: Floats) -> Floats:
        """Decades of evidence over what a finding takes; NaN while warming up, and for fast series."""
        p = self._p
        looked = np.log10(np.maximum(age, p.young_s) / p.reference_s)
        looked += np.log10(_OFTEN_S / np.minimum(spacing, _OFTEN_S))  # more readings, more that is strange by chance
        young = p.young_power * np.maximum(np.log10(p.young_s / np.maximum(age, 1.0)), 0.0)
        over = np.fmax(mean - p.history_power * looked - young - p.threshold, alone - p.step_decades)
        return np.where((age >= p.warm_up_s) & (spacing >= FAST_S), over, np.nan)

    def _judge(self, readings: Judged, over: Floats, spacing: Floats, learnable: Mask) -> Floats:
        """The score: 0.5 is what a finding takes; within an episode what it takes to go on."""
        p, line = self._p, self._state.line
        loud = np.zeros(len(over), dtype=bool)
        for k in np.flatnonzero(over >= 0).tolist():  # few: only these are walked one by one
            row, t, gap = int(readings.row[k]), float(readings.t[k]) / 1_000, float(spacing[k])
            rested = t - line[LAST_HIGH, row] > max(p.rest_s, 5 * gap)
            fatigue = 0.0
            if rested:
                fatigue = float(line[FATIGUE, row]) * math.exp(-max(t - line[FATIGUE_T, row], 0.0) / p.fatigue_s)
            begins = rested and over[k] >= p.fatigue * fatigue
            loud[k] = begins or t - line[LAST_SAID, row] <= max(_HOLD_S, _HOLD_INTERVALS * gap)
            if not learnable[k]:
                continue
            if begins or not rested:
                line[LAST_HIGH, row] = t
            if loud[k]:
                line[LAST_SAID, row] = t
            if begins:
                line[[FATIGUE, FATIGUE_T], row] = fatigue + 1, t
        score = 1 / (1 + np.exp(-1.5 * over))
        return np.where(loud, score, np.minimum(score, _QUIET_MAX))

    def snapshot(self) -> Payload:
        return {
            **self._state.snapshot(),
            "cumulative": self._cumulative.copy(),
            "seasonal": self._seasonal.snapshot(),
        }

    def restore(self, payload: Mapping[str, Any]) -> None:
        """Raises: Rejected: not a snapshot of this kind."""
        self._state.restore(payload)
        self._seasonal.restore(payload["seasonal"])
        self._cumulative = np.array(payload["cumulative"], dtype=bool)


def _decades_over(score: Floats) -> Floats:
    """The evidence of the seasonal detector over what it needs (the inverse of :func:`models.tail.score`)."""
    inside = np.minimum(np.maximum(score, 1e-12), 1 - 1e-12)
    return np.asarray(np.log(inside / (1 - inside)) / 1.5)


def _together(found: Floats, p: NoveltyParameters) -> Floats:
    """Power mean of the channels that can say something, by weight; NaN when no way of novelty can."""
    have = np.isfinite(found)
    weight = _WEIGHTS * have
    total = (weight * np.where(have, np.minimum(found, p.evidence_max), 0.0) ** p.agreement).sum(axis=0)
    mean = (total / np.maximum(weight.sum(axis=0), 1e-9)) ** (1 / p.agreement)
    return np.where(have[:-1].any(axis=0), mean, np.nan)
