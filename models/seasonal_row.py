"""The seasonal detector on one row: its readings one after the other, in plain numbers.

The formulas are those of :mod:`models.seasonal_step`, which takes many rows at a time and makes a hundred calls of
numpy however few they are. Both give the same to the last bit, and a test holds them to it: powers and exponentials,
which numpy rounds in its own way, are asked of numpy here too.
"""

from math import sqrt
from typing import Final

import numpy as np

from models import tail
from models.decay import Decays
from models.seasonal_state import (
    BINS,
    COV,
    EXCESS,
    FIRST,
    HOURS,
    INTERVAL,
    LEVEL,
    MEAN_R,
    MEAN_Z,
    QUANTILE,
    REACH,
    SCALE,
    SEEN,
    SIZE_R,
    SIZE_Z,
    UNIT,
    VAR,
    R,
    SeasonalParameters,
    SeasonalState,
    T,
    X,
)
from models.seasonal_step import (
    EARLY,
    FAR,
    FLOOR_SHARE,
    NOISE_MAX,
    SHRINK_DAY,
    SHRINK_KIND,
    SHRINK_SPREAD,
    TO_SIGMA,
)

LARGEST: Final = 1e100  # of a reading
_LARGE: Final = 1e120  # of a state: what is larger may overflow, which numpy bears and plain numbers do not
_BEGUN: Final = 3  # readings from which on there is a sampling interval and a scale

Noted = tuple[float, ...]  # expected, scale, interval, warm, visited; 3 statistics, 3 quantiles, 3 excesses


class SeasonalRow:
    """The state of one row in plain numbers, until ``store``.

    Attributes:
        serves: plain numbers do for this row: its interval is known, and nothing in it may overflow.
    """

    __slots__ = ("_decay", "_line", "_p", "_row", "_state", "serves")

    def __init__(self, state: SeasonalState, p: SeasonalParameters, row: int) -> None:
        self._state, self._p, self._row = state, p, row
        self._line: list[float] = state.line[:, row].tolist()
        self._decay = Decays()
        self.serves = self._line[SEEN] >= _BEGUN and all(-_LARGE < value < _LARGE for value in self._line)

    def store(self) -> None:
        self._state.line[:, self._row] = self._line

    def take(self, t: float, x: float, at: list[int], share: list[float], hour: int) -> Noted:
        """Score a reading, then learn it; ``at`` and ``share`` are its places in the profiles of the row."""
        line, p, state = self._line, self._p, self._state
        profile, weights, base = state.profile, state.weight, self._row * BINS
        dt, known = (t - line[T]) / 1_000, line[INTERVAL]
        interval = max(min(max(dt, 0.9 * known), 1.1 * known), 1e-3)
        gap = dt / interval

        bins = [base + k for k in at]
        parts = [profile.item(k) for k in bins]
        weight = [weights.item(k) for k in bins]
        s0, s1, s2, s3 = share
        usual = line[LEVEL] + (((parts[0] * s0 + parts[1] * s1) + parts[2] * s2) + parts[3] * s3)
        cov, var = line[COV], line[VAR]
        alike = cov / (var if var > 1e-300 else 1e-300) if cov > 0.0 else 0.0
        carried = float(np.power(alike if alike < 0.999 else 0.999, gap)) * line[R]
        expected = usual + carried
        innovation, residual = x - expected, x - usual

        per_hour = max(3_600 / interval, 1.0)
        at_hour = self._row * HOURS + hour
        spread, behind = state.spread.item(at_hour), weights.item(base + hour)
        prior = SHRINK_SPREAD * per_hour
        floor = FLOOR_SHARE * abs(usual) + 0.5 * line[UNIT] + 1e-12
        scale = max((behind * spread + prior * line[SCALE]) / (behind + prior), floor)
        size = abs(innovation)
        z = min(size / scale, 1e6)

        recent, sd, held = min(dt, 3 * interval), sqrt(var), residual
        if line[SEEN] >= EARLY:
            far = FAR * sd + floor
            held = min(max(residual, -far), far)
        level_span = max(p.level_s, p.span_intervals * interval)
        noise_span = max(p.noise_s, p.span_intervals * interval)
        mean_r = line[MEAN_R] - self._decay(recent, level_span) * (held / scale - line[MEAN_R])
        mean_z = line[MEAN_Z] - self._decay(recent, noise_span) * (min(z, NOISE_MAX) - line[MEAN_Z])
        stat = (z, abs(mean_r) / max(line[SIZE_R], 1e-9), mean_z / max(line[SIZE_Z], 1e-9))
        quantile: list[float] = np.exp(line[QUANTILE]).tolist()
        need = max(p.warm_up_s, min(p.warm_up_intervals * interval, p.warm_up_s_max))
        visits = (weight[2] * s2 + weight[3] * s3) / per_hour
        noted = (
            expected, scale, interval, (t - line[FIRST]) / 1_000 >= need, visits / (visits + 1),
            *stat, *quantile, *line[EXCESS],
        )  # fmt: skip

        count = line[SEEN] + 1
        rate = 1 / min(count, max(p.memory_s / interval, 2.0))
        error, usual_size = residual, size
        if count > EARLY:
            error = min(max(residual, -p.clip * sd - floor), p.clip * sd + floor)
            usual_size = min(size, max(p.clip, 1.3 * quantile[0]) * scale)
        usual_size *= TO_SIGMA
        self._learn_places(bins, parts, weight, share, error * (1 - rate), per_hour)
        state.spread[at_hour] = spread + (usual_size - spread) / (min(behind, p.profile_days * per_hour) + 1)
        self._learn_tails(stat, quantile, count, interval / level_span, interval / noise_span)
        self._learn_reading(t, x, interval, gap, (z, scale, innovation, residual, carried, held, mean_r, mean_z))
        line[LEVEL] += rate * error
        line[SCALE] += rate * (usual_size - line[SCALE])
        return noted

    def _learn_reading(self, t: float, x: float, interval: float, gap: float, now: tuple[float, ...]) -> None:
        """The reading, its residual, how large those are and how alike, and the short means."""
        line = self._line
        z, scale, innovation, residual, carried, held, mean_r, mean_z = now
        count = line[SEEN] + 1
        rate = 1 / min(count, max(self._p.memory_s / interval, 2.0))
        reach = line[REACH] * scale
        line[R], was = residual if count <= EARLY else carried + min(max(innovation, -reach), reach), line[R]
        line[REACH] = 2 * line[REACH] if z > line[REACH] else self._p.clip
        if gap < 1.5:
            line[COV] += rate * (held * was - line[COV])
        line[VAR] += rate * (held * held - line[VAR])
        line[MEAN_R], line[MEAN_Z] = mean_r, mean_z
        line[SIZE_R] += rate * (min(abs(mean_r), 1e6) - line[SIZE_R])
        line[SIZE_Z] += rate * (mean_z - line[SIZE_Z])
        unit = abs(x - line[X])
        if unit > 0 and (line[UNIT] == 0 or unit < line[UNIT]):
            line[UNIT] = unit
        line[T], line[X], line[SEEN], line[INTERVAL] = t, x, count, interval

    def _learn_places(
        self, bins: list[int], parts: list[float], weight: list[float], share: list[float], error: float,
        per_hour: float,
    ) -> None:  # fmt: skip
        """Daily profile and profile of this kind of day."""
        (w0, w1, w2, w3), (s0, s1, s2, s3) = weight, share
        d0 = s0 / (w0 + s0 + SHRINK_DAY * per_hour)
        d1 = s1 / (w1 + s1 + SHRINK_DAY * per_hour)
        rest = error * (1 - (s0 * d0 + s1 * d1))
        by = (d0 * error, d1 * error, s2 / (w2 + s2 + SHRINK_KIND * per_hour) * rest,
              s3 / (w3 + s3 + SHRINK_KIND * per_hour) * rest)  # fmt: skip
        most = self._p.profile_days * per_hour
        profile, weights = self._state.profile, self._state.weight
        for place, part, more, had, got in zip(bins, parts, by, weight, share, strict=True):
            profile[place] = part + more
            visits = had + got
            weights[place] = visits if visits < most else most

    def _learn_tails(
        self, stat: tuple[float, ...], quantile: list[float], count: float, level: float, noise: float
    ) -> None:
        """As :func:`models.tail.learn`; ``level`` and ``noise`` are how much of their spans a reading is."""
        line = self._line
        gain = 1 + 8 / (1 + count / 25) if count > 10 else 0.0
        for k, part in enumerate((gain, gain * min(level, 1.0), gain * min(noise, 1.0))):
            over, step = stat[k] - quantile[k], tail.STEP * part
            if over > 0:
                line[QUANTILE.start + k] += step * (1 - tail.P0)
                excess = line[EXCESS.start + k]
                line[EXCESS.start + k] = excess + step * (min(over, tail.EXCESS_CLIP * excess) - excess)
            else:
                line[QUANTILE.start + k] += step * -tail.P0
