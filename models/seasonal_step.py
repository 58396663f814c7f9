"""One round of the seasonal detector: score one reading of each row, then learn it. Pure numpy on columns."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats
from domain.scores import Judged
from models import tail
from models.rounds import Round
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
    Calendar,
    R,
    SeasonalParameters,
    SeasonalState,
    T,
    X,
)

_FLOOR_SHARE: Final = 1e-4  # of the level: no scale is finer than what an instrument resolves
_TO_SIGMA: Final = 1.2533  # mean absolute deviation to standard deviation, Gaussian
_EARLY: Final = 30  # readings learned without clipping: their scale is not known yet
_FAR: Final = 6.0  # residuals beyond so many of their standard deviations count as this
_NOISE_MAX: Final = 8.0
_SHRINK_DAY: Final = 0.3  # visits of prior weight: zero offset from the level …
_SHRINK_KIND: Final = 1.0  # … and from the profile of every day
_SHRINK_SPREAD: Final = 2.0  # … and the scale of all hours


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rounds leave for the verdict: columns of n readings, statistics and their tails ``float64[3, n]``."""

    expected: Floats
    scale: Floats
    interval: Floats
    warm: NDArray[np.bool_]
    visited: Floats  # 0..1: how well this kind of day is known
    stat: Floats
    quantile: Floats
    excess: Floats

    @classmethod
    def empty(cls, n: int) -> "Seen":
        return cls(
            np.empty(n),
            np.empty(n),
            np.empty(n),
            np.empty(n, dtype=bool),
            np.empty(n),
            np.empty((3, n)),
            np.empty((3, n)),
            np.empty((3, n)),
        )


def step(
    state: SeasonalState,
    p: SeasonalParameters,
    readings: Judged,
    calendar: Calendar,
    cumulative: NDArray[np.bool_],
    learnable: NDArray[np.bool_],
    turn: Round,
    seen: Seen,
) -> None:
    """Score the readings at ``turn`` (each row once) into ``seen``, then learn the learnable ones into ``state``."""
    row = readings.row[turn]
    t = readings.t[turn].astype(np.float64)
    x = readings.x[turn]
    at = row * BINS + calendar.at[:, turn]
    share = calendar.weight[:, turn]
    old = state.line[:, row]
    new = old.copy()

    # Time since the last reading; the sampling interval follows the median difference, 10 % at a time.
    begun = old[SEEN] > 0
    dt = np.where(begun, (t - old[T]) / 1_000, 0.0)
    known = old[INTERVAL]
    interval = np.where(np.isnan(known), dt, np.minimum(np.maximum(dt, 0.9 * known), 1.1 * known))
    interval = np.maximum(interval, 1e-3)
    new[INTERVAL] = np.where(begun, interval, np.nan)
    gap = dt / interval

    # What is expected.
    parts = state.profile[at]
    weight = state.weight[at]
    usual = old[LEVEL] + (parts * share).sum(axis=0)
    rho = np.minimum(np.maximum(old[COV] / np.maximum(old[VAR], 1e-300), 0.0), 0.999) ** gap
    carried = rho * old[R]
    expected = usual + carried
    y = x
    counts = cumulative[turn]
    if counts.any():
        # A counter is modelled by its rate per hour. One that falls has no rate: the counter tests speak of it.
        rate = (x - old[X]) / np.maximum(dt, 1e-3) * 3_600
        y = np.where(counts, np.where(begun & (rate >= 0), rate, expected), x)
    innovation = y - expected
    residual = y - usual

    # How far it usually strays at this hour.
    per_hour = np.maximum(3_600 / interval, 1.0)
    hour = row * HOURS + calendar.hour[turn]
    spread = state.spread[hour]
    behind = state.weight[row * BINS + calendar.hour[turn]]
    prior = _SHRINK_SPREAD * per_hour
    floor = _FLOOR_SHARE * np.abs(usual) + 0.5 * old[UNIT] + 1e-12
    scale = np.maximum((behind * spread + prior * old[SCALE]) / (behind + prior), floor)
    size = np.abs(innovation)
    z = np.minimum(size / scale, 1e6)

    # The three statistics.
    recent = np.minimum(dt, 3 * interval)
    sd = np.sqrt(old[VAR])
    far = np.where(old[SEEN] < _EARLY, np.inf, _FAR * sd + floor)
    held = np.minimum(np.maximum(residual, -far), far)
    level_span = np.maximum(p.level_s, p.span_intervals * interval)
    noise_span = np.maximum(p.noise_s, p.span_intervals * interval)
    mean_r = old[MEAN_R] - np.expm1(-recent / level_span) * (held / scale - old[MEAN_R])
    mean_z = old[MEAN_Z] - np.expm1(-recent / noise_span) * (np.minimum(z, _NOISE_MAX) - old[MEAN_Z])
    stat = np.empty((3, len(x)))
    stat[0] = z
    stat[1] = np.abs(mean_r) / np.maximum(old[SIZE_R], 1e-9)
    stat[2] = mean_z / np.maximum(old[SIZE_Z], 1e-9)
    quantile = np.exp(old[QUANTILE])

    visits = (weight[2:] * share[2:]).sum(axis=0) / per_hour
    lasted = (t - old[FIRST]) / 1_000
    need = np.maximum(p.warm_up_s, np.minimum(p.warm_up_intervals * interval, p.warm_up_s_max))
    hours = np.maximum(dt, 1e-3) / 3_600
    seen.expected[turn] = np.where(counts, old[X] + np.maximum(expected, 0.0) * hours, expected)
    seen.scale[turn] = np.where(old[SEEN] < 3, np.nan, np.where(counts, scale * hours, scale))
    seen.interval[turn] = interval
    seen.warm[turn] = lasted >= need
    seen.visited[turn] = visits / (visits + 1)
    seen.stat[:, turn] = stat
    seen.quantile[:, turn] = quantile
    seen.excess[:, turn] = old[EXCESS]

    # Learn.
    count = old[SEEN] + 1
    rate_of = 1 / np.minimum(count, np.maximum(p.memory_s / interval, 2.0))
    early = count <= _EARLY
    reach = old[REACH] * scale
    new[R] = np.where(early, residual, carried + np.minimum(np.maximum(innovation, -reach), reach))
    new[REACH] = np.where(z > old[REACH], 2 * old[REACH], p.clip)
    new[T], new[X], new[SEEN] = t, x, count
    new[FIRST] = np.where(begun, old[FIRST], t)
    unit = np.abs(x - old[X])
    new[UNIT] = np.where(begun & (unit > 0) & ~counts & ((old[UNIT] == 0) | (unit < old[UNIT])), unit, old[UNIT])

    error = np.where(early, residual, np.minimum(np.maximum(residual, -p.clip * sd - floor), p.clip * sd + floor))
    new[LEVEL] = old[LEVEL] + rate_of * error
    error = error * (1 - rate_of)
    daily = share[:2] / (weight[:2] + share[:2] + _SHRINK_DAY * per_hour)
    kind = share[2:] / (weight[2:] + share[2:] + _SHRINK_KIND * per_hour)
    parts[:2] += daily * error
    parts[2:] += kind * (error * (1 - (share[:2] * daily).sum(axis=0)))
    weight = np.minimum(weight + share, p.profile_days * per_hour)

    near = begun & (gap < 1.5)
    new[VAR] = old[VAR] + rate_of * (held * held - old[VAR])
    new[COV] = np.where(near, old[COV] + rate_of * (held * old[R] - old[COV]), old[COV])
    usual_size = np.where(early, size, np.minimum(size, np.maximum(p.clip, 1.3 * quantile[0]) * scale)) * _TO_SIGMA
    new[SCALE] = np.where(begun, old[SCALE] + rate_of * (usual_size - old[SCALE]), 0.0)
    spread = spread + (usual_size - spread) / (np.minimum(behind, p.profile_days * per_hour) + 1)
    new[MEAN_R], new[MEAN_Z] = mean_r, mean_z
    new[SIZE_R] = old[SIZE_R] + rate_of * (np.minimum(np.abs(mean_r), 1e6) - old[SIZE_R])
    new[SIZE_Z] = old[SIZE_Z] + rate_of * (mean_z - old[SIZE_Z])
    gain = np.empty((3, len(x)))
    gain[0] = np.where(count > 10, 1 + 8 / (1 + count / 25), 0.0)
    gain[1] = gain[0] * np.minimum(interval / level_span, 1.0)
    gain[2] = gain[0] * np.minimum(interval / noise_span, 1.0)
    new[QUANTILE], new[EXCESS] = tail.learn(stat, old[QUANTILE], old[EXCESS], gain)

    keep = learnable[turn]
    if not keep.all():
        row, new, at, parts, weight, hour, spread = (
            row[keep], new[:, keep], at[:, keep], parts[:, keep], weight[:, keep], hour[keep], spread[keep],
        )  # fmt: skip
    state.line[:, row] = new
    state.profile[at] = parts
    state.weight[at] = weight
    state.spread[hour] = spread
