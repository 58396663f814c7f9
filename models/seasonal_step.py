"""One round of the seasonal detector: score one reading of each row, then learn it. Pure numpy on columns."""

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

FLOOR_SHARE: Final = 1e-4  # of the level: no scale is finer than what an instrument resolves
TO_SIGMA: Final = 1.2533  # mean absolute deviation to standard deviation, Gaussian
EARLY: Final = 30  # readings learned without clipping: their scale is not known yet
FAR: Final = 6.0  # residuals beyond so many of their standard deviations count as this
NOISE_MAX: Final = 8.0
SHRINK_DAY: Final = 0.3  # visits of prior weight: zero offset from the level …
SHRINK_KIND: Final = 1.0  # … and from the profile of every day
SHRINK_SPREAD: Final = 2.0  # … and the scale of all hours


class Seen:
    """What the rounds leave for the verdict on n readings.

    Attributes:
        table: ``float64[14, n]``, of which the others are views.
        visited: 0..1: how well this kind of day is known. warm: 1 when scored, 0 before.
        stat: ``float64[3, n]`` a statistic for each channel; quantile, excess: ``float64[3, n]`` its tail.
    """

    def __init__(self, n: int) -> None:
        self.table: Floats = np.empty((14, n))
        self.expected, self.scale, self.interval, self.warm, self.visited = self.table[:5]
        self.stat, self.quantile, self.excess = self.table[5:8], self.table[8:11], self.table[11:]


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
    now = _Turn(state, p, readings, calendar, cumulative, turn)
    now.expect()
    now.size_up()
    now.judge()
    now.note(seen)
    now.learn_reading()
    now.learn_profile()
    now.learn_scales()
    now.store(learnable)


class _Turn:
    """One reading of each of some rows, and all that is worked out on the way; the methods go in their order."""

    def __init__(
        self, state: SeasonalState, p: SeasonalParameters, readings: Judged, calendar: Calendar,
        cumulative: NDArray[np.bool_], turn: Round,
    ) -> None:  # fmt: skip
        """Gather the rows: what was known of them, and how long ago."""
        self.state, self.p, self.turn = state, p, turn
        self.counts, self.hour_of_day = cumulative[turn], calendar.hour[turn]
        self.row = readings.row[turn]
        self.t = readings.t[turn].astype(np.float64)
        self.x = readings.x[turn]
        self.at = self.row * BINS + calendar.at[:, turn]
        self.share = calendar.weight[:, turn]
        self.old = state.line[:, self.row]
        self.new = self.old.copy()

        # Time since the last reading; the sampling interval follows the median difference, 10 % at a time.
        self.begun = self.old[SEEN] > 0
        self.dt = np.where(self.begun, (self.t - self.old[T]) / 1_000, 0.0)
        known = self.old[INTERVAL]
        self.interval = np.where(np.isnan(known), self.dt, np.minimum(np.maximum(self.dt, 0.9 * known), 1.1 * known))
        self.interval = np.maximum(self.interval, 1e-3)
        self.new[INTERVAL] = np.where(self.begun, self.interval, np.nan)
        self.gap = self.dt / self.interval

    def expect(self) -> None:
        """What is expected of each, and how far off it is."""
        self.parts = self.state.profile[self.at]
        self.weight = self.state.weight[self.at]
        self.usual = self.old[LEVEL] + (self.parts * self.share).sum(axis=0)
        rho = np.minimum(np.maximum(self.old[COV] / np.maximum(self.old[VAR], 1e-300), 0.0), 0.999) ** self.gap
        self.carried = rho * self.old[R]
        self.expected = self.usual + self.carried
        y = self.x
        if self.counts.any():
            # A counter is modelled by its rate per hour. One that falls has no rate: the counter tests speak of it.
            rate = (self.x - self.old[X]) / np.maximum(self.dt, 1e-3) * 3_600
            y = np.where(self.counts, np.where(self.begun & (rate >= 0), rate, self.expected), self.x)
        self.innovation = y - self.expected
        self.residual = y - self.usual

    def size_up(self) -> None:
        """How far it usually strays at this hour, and how far it strayed now, in that unit."""
        self.per_hour = np.maximum(3_600 / self.interval, 1.0)
        self.hour = self.row * HOURS + self.hour_of_day
        self.spread = self.state.spread[self.hour]
        self.behind = self.state.weight[self.row * BINS + self.hour_of_day]
        prior = SHRINK_SPREAD * self.per_hour
        self.floor = FLOOR_SHARE * np.abs(self.usual) + 0.5 * self.old[UNIT] + 1e-12
        self.scale = np.maximum(
            (self.behind * self.spread + prior * self.old[SCALE]) / (self.behind + prior), self.floor
        )
        self.size = np.abs(self.innovation)
        self.z = np.minimum(self.size / self.scale, 1e6)

    def judge(self) -> None:
        """The three statistics."""
        recent = np.minimum(self.dt, 3 * self.interval)
        self.sd = np.sqrt(self.old[VAR])
        far = np.where(self.old[SEEN] < EARLY, np.inf, FAR * self.sd + self.floor)
        self.held = np.minimum(np.maximum(self.residual, -far), far)
        self.level_span = np.maximum(self.p.level_s, self.p.span_intervals * self.interval)
        self.noise_span = np.maximum(self.p.noise_s, self.p.span_intervals * self.interval)
        self.mean_r = self.old[MEAN_R] - np.expm1(-recent / self.level_span) * (
            self.held / self.scale - self.old[MEAN_R]
        )
        self.mean_z = self.old[MEAN_Z] - np.expm1(-recent / self.noise_span) * (
            np.minimum(self.z, NOISE_MAX) - self.old[MEAN_Z]
        )
        self.stat = np.empty((3, len(self.x)))
        self.stat[0] = self.z
        self.stat[1] = np.abs(self.mean_r) / np.maximum(self.old[SIZE_R], 1e-9)
        self.stat[2] = self.mean_z / np.maximum(self.old[SIZE_Z], 1e-9)
        self.quantile = np.exp(self.old[QUANTILE])

    def note(self, seen: Seen) -> None:
        """What the verdict needs, into the columns of all readings."""
        visits = (self.weight[2:] * self.share[2:]).sum(axis=0) / self.per_hour
        lasted = (self.t - self.old[FIRST]) / 1_000
        need = np.maximum(self.p.warm_up_s, np.minimum(self.p.warm_up_intervals * self.interval, self.p.warm_up_s_max))
        hours = np.maximum(self.dt, 1e-3) / 3_600
        seen.expected[self.turn] = np.where(
            self.counts, self.old[X] + np.maximum(self.expected, 0.0) * hours, self.expected
        )
        seen.scale[self.turn] = np.where(
            self.old[SEEN] < 3, np.nan, np.where(self.counts, self.scale * hours, self.scale)
        )
        seen.interval[self.turn] = self.interval
        seen.warm[self.turn] = lasted >= need
        seen.visited[self.turn] = visits / (visits + 1)
        seen.stat[:, self.turn] = self.stat
        seen.quantile[:, self.turn] = self.quantile
        seen.excess[:, self.turn] = self.old[EXCESS]

    def learn_reading(self) -> None:
        """The last reading, its residual, and how fast to learn."""
        self.count = self.old[SEEN] + 1
        self.rate_of = 1 / np.minimum(self.count, np.maximum(self.p.memory_s / self.interval, 2.0))
        self.early = self.count <= EARLY
        reach = self.old[REACH] * self.scale
        self.new[R] = np.where(
            self.early, self.residual, self.carried + np.minimum(np.maximum(self.innovation, -reach), reach)
        )
        self.new[REACH] = np.where(self.z > self.old[REACH], 2 * self.old[REACH], self.p.clip)
        self.new[T], self.new[X], self.new[SEEN] = self.t, self.x, self.count
        self.new[FIRST] = np.where(self.begun, self.old[FIRST], self.t)
        unit = np.abs(self.x - self.old[X])
        self.new[UNIT] = np.where(
            self.begun & (unit > 0) & ~self.counts & ((self.old[UNIT] == 0) | (unit < self.old[UNIT])),
            unit,
            self.old[UNIT],
        )

    def learn_profile(self) -> None:
        """Level, daily profile and profile of this kind of day."""
        error = np.where(
            self.early,
            self.residual,
            np.minimum(
                np.maximum(self.residual, -self.p.clip * self.sd - self.floor), self.p.clip * self.sd + self.floor
            ),
        )
        self.new[LEVEL] = self.old[LEVEL] + self.rate_of * error
        error = error * (1 - self.rate_of)
        daily = self.share[:2] / (self.weight[:2] + self.share[:2] + SHRINK_DAY * self.per_hour)
        kind = self.share[2:] / (self.weight[2:] + self.share[2:] + SHRINK_KIND * self.per_hour)
        self.parts[:2] += daily * error
        self.parts[2:] += kind * (error * (1 - (self.share[:2] * daily).sum(axis=0)))
        self.weight = np.minimum(self.weight + self.share, self.p.profile_days * self.per_hour)

    def learn_scales(self) -> None:
        """Scales, correlation and the tails of the statistics."""
        near = self.begun & (self.gap < 1.5)
        self.new[VAR] = self.old[VAR] + self.rate_of * (self.held * self.held - self.old[VAR])
        self.new[COV] = np.where(
            near, self.old[COV] + self.rate_of * (self.held * self.old[R] - self.old[COV]), self.old[COV]
        )
        usual_size = (
            np.where(
                self.early,
                self.size,
                np.minimum(self.size, np.maximum(self.p.clip, 1.3 * self.quantile[0]) * self.scale),
            )
            * TO_SIGMA
        )
        self.new[SCALE] = np.where(self.begun, self.old[SCALE] + self.rate_of * (usual_size - self.old[SCALE]), 0.0)
        self.spread = self.spread + (usual_size - self.spread) / (
            np.minimum(self.behind, self.p.profile_days * self.per_hour) + 1
        )
        self.new[MEAN_R], self.new[MEAN_Z] = self.mean_r, self.mean_z
        self.new[SIZE_R] = self.old[SIZE_R] + self.rate_of * (np.minimum(np.abs(self.mean_r), 1e6) - self.old[SIZE_R])
        self.new[SIZE_Z] = self.old[SIZE_Z] + self.rate_of * (self.mean_z - self.old[SIZE_Z])
        gain = np.empty((3, len(self.x)))
        gain[0] = np.where(self.count > 10, 1 + 8 / (1 + self.count / 25), 0.0)
        gain[1] = gain[0] * np.minimum(self.interval / self.level_span, 1.0)
        gain[2] = gain[0] * np.minimum(self.interval / self.noise_span, 1.0)
        self.new[QUANTILE], self.new[EXCESS] = tail.learn(self.stat, self.old[QUANTILE], self.old[EXCESS], gain)

    def store(self, learnable: NDArray[np.bool_]) -> None:
        """Put back what was learned of the learnable ones."""
        keep = learnable[self.turn]
        learned = slice(None) if keep.all() else keep
        row, at, hour = self.row[learned], self.at[:, learned], self.hour[learned]
        self.state.line[:, row] = self.new[:, learned]
        self.state.profile[at] = self.parts[:, learned]
        self.state.weight[at] = self.weight[:, learned]
        self.state.spread[hour] = self.spread[learned]
