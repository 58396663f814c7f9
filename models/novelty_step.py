"""One round of the novelty detector: the novelty of one reading of each row, then learn it. Pure numpy on columns."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints, Rows
from models.novelty_state import (
    CHANNELS,
    COUNT,
    DAY_S,
    FIRST,
    GRID,
    GRIDS_S,
    HIGHEST,
    HOUR,
    HOUR_AT,
    INTERVAL,
    KEPT,
    LONG,
    LOWEST,
    MEAN,
    MEAN_AT,
    MIDDLE,
    ORIGIN,
    RECORD,
    SCALE,
    SEEN,
    SHORT,
    SLOT,
    SLOTS,
    SQUARE,
    VALUE_AT,
    NoveltyParameters,
    NoveltyState,
    T,
)

FAST_S: Final = 240.0  # series that report more often are judged by their expectation alone
NEWEST: Final = 3  # slots that are too recent to be called the past
EARLY: Final = 8  # readings until the sampling interval is known well enough to choose the grid
_PATTERN: Final = 6  # hourly means that make a pattern
UNLIKE: Final = CHANNELS.index("pattern")
_RECORD: Final = CHANNELS.index("record")
_RANGE: Final = CHANNELS.index("range")
_NEAR: Final = 12  # slots to either side of the same time on an earlier day
LEARNED: Final = 40.0  # distances until a channel has a mean and a deviation
KEPT_MIN: Final = 8.0  # slots until there is a past to be compared with
FAR: Final = 1e3  # 5–95 % ranges from the middle: values beyond count as this
_Q_SHIFT: Final = float(np.log10(np.sqrt(2 * np.pi) / 2))


def tail_evidence(z: Floats) -> Floats:
    """``−log10 P(Z ≥ z)`` of a standard normal for z ≥ 0, within 0.01; 0.3 below, NaN for NaN."""
    z = np.minimum(np.maximum(z, 0.0), 40.0)
    return np.asarray(z * z * 0.21714724 + np.log10(z + np.sqrt(z * z + 8 / np.pi)) + _Q_SHIFT)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where to look in the ring, for rows on one grid: offsets into the past and what they count in time of day.

    Attributes:
        same: ``int64[days × near]`` slots back to about the same time of earlier days. apart: their difference in time
            of day, 0..1 days.
        pattern: ``int64[days, 6]`` slots back to the pattern of earlier days. now: ``int64[6]`` to that of today.
    """

    same: Ints
    apart: NDArray[np.float32]
    pattern: Ints
    now: Ints

    @classmethod
    def of(cls, grid_s: float, days: int) -> "Grid":
        a_day = max(int(DAY_S // grid_s), 1)
        hour = max(int(3_600 // grid_s), 1)
        near = np.arange(-min(_NEAR, a_day // 2), min(_NEAR, a_day // 2) + 1)
        same = (np.arange(days + 1)[:, None] * a_day + near[None, :]).ravel()
        apart = np.abs(np.tile(near, days + 1)) / a_day
        past = (same >= NEWEST) & (same < SLOTS)
        now = np.arange(_PATTERN) * hour
        return cls(
            same[past], apart[past].astype(np.float32), np.arange(1, days + 1)[:, None] * a_day + now[None, :], now
        )


class Grids(dict[float, Grid]):
    """By the seconds of a slot; worked out when first asked for."""

    def __init__(self, days: int) -> None:
        self._days = days

    def __missing__(self, grid_s: float) -> Grid:
        made = self[grid_s] = Grid.of(grid_s, self._days)
        return made


class Turn:
    """One reading of each of some rows, and all that is worked out on the way; the methods go in their order."""

    def __init__(
        self, state: NoveltyState, p: NoveltyParameters, grids: Grids, row: Rows, t: Floats, y: Floats
    ) -> None:
        """``t`` in seconds; ``y`` finite."""
        self.state, self.p, self.grids, self.row, self.t = state, p, grids, row, t
        old = self.old = state.line[:, row]
        self.new = old.copy()
        seen = old[SEEN]
        begun = seen > 0
        self.origin = np.where(begun, old[ORIGIN], y)
        y = y - self.origin
        known = old[SCALE] > 0
        reach = np.where(known, FAR * old[SCALE], 1e30)
        middle = np.where(known, old[MIDDLE], 0.0)
        self.y = np.minimum(np.maximum(y, middle - reach), middle + reach)

        # The sampling interval: the least difference at first, then 10 % at a time towards the last.
        self.dt = np.where(begun, t - old[T], 0.0)
        before = old[INTERVAL]
        settled = np.minimum(np.maximum(self.dt, 0.9 * before), 1.1 * before)
        early = np.fmin(before, np.where(begun, self.dt, np.nan))
        self.interval = np.where(seen < EARLY, early, settled)
        self.spacing = np.where(self.interval > 1e-3, self.interval, 1.0)
        self.recent = np.minimum(self.dt, 3 * self.spacing)

        # The mean of the last hours and that of the last hour: over all at first.
        least = 1 / (seen + 1)
        for line, span in ((MEAN, p.mean_s), (HOUR, p.hour_s)):
            share = np.maximum(-np.expm1(-self.recent / np.maximum(span, 3 * self.spacing)), least)
            was = np.where(begun, old[line], self.y)
            self.new[line] = was + share * (self.y - was)
        self.grid = old[GRID]
        self.slot = np.floor(t / self.grid)  # NaN until the grid is chosen
        self.new[T], self.new[ORIGIN], self.new[INTERVAL], self.new[SEEN] = t, self.origin, self.interval, seen + 1
        self.new[FIRST] = np.where(begun, old[FIRST], t)

    def distances(self) -> Floats:
        """``float64[channels, n]``: how far each reading is from the nearest of its past; NaN where there is none."""
        found = np.full((len(CHANNELS), len(self.y)), np.nan)
        ready = self.old[KEPT] >= KEPT_MIN
        for grid_s in set(self.grid[ready].tolist()):
            which = np.flatnonzero(ready & (self.grid == grid_s))
            found[:5, which] = self._of(self.grids[grid_s], which)
        self._records(found, ready)
        return found

    def _records(self, found: Floats, ready: NDArray[np.bool_]) -> None:
        """How far the pattern is more unlike than it ever was, and the value beyond all seen so far."""
        old, new = self.old, self.new
        unlike = found[UNLIKE]
        found[_RECORD] = np.maximum(unlike - old[RECORD], 0.0)
        new[RECORD] = np.fmax(old[RECORD], unlike)
        beyond = np.maximum(np.maximum(self.y - old[HIGHEST], old[LOWEST] - self.y), 0.0)
        found[_RANGE] = np.where(ready, beyond, np.nan)
        new[HIGHEST], new[LOWEST] = np.fmax(old[HIGHEST], self.y), np.fmin(old[LOWEST], self.y)

    def _of(self, grid: Grid, which: NDArray[np.intp]) -> Floats:
        seat, at = self.state.seat[self.row[which]], self.slot[which].astype(np.int64)
        ring = self.state.ring
        y = self.y[which].astype(np.float32)
        mean, hour = (self.new[line, which].astype(np.float32) for line in (MEAN, HOUR))
        in_line = bool((np.diff(seat) == 1).all())  # a view will do
        past = ring[:, seat[0] : seat[-1] + 1] if in_line else ring[:, seat]
        value = np.abs(past[VALUE_AT] - y[:, None])
        newest = (at[:, None] - np.arange(NEWEST)) % SLOTS
        value[np.arange(len(seat))[:, None], newest] = np.nan
        recent = np.abs(past[MEAN_AT] - mean[:, None])
        recent += value
        scale = self.old[SCALE, which].astype(np.float32)
        here = ring[HOUR_AT]
        same = here[seat[:, None], (at[:, None] - grid.same) % SLOTS] - hour[:, None]
        weighted = (self.p.day_weight * scale)[:, None] * grid.apart
        at_hour = np.abs(same) + weighted
        then = here[seat[:, None, None], (at[:, None, None] - grid.pattern) % SLOTS]
        now = here[seat[:, None], (at[:, None] - grid.now) % SLOTS]
        now[:, 0] = hour
        unlike = np.abs(then - now[:, None, :]).mean(axis=2)
        at_time = np.abs(ring[VALUE_AT][seat[:, None], (at[:, None] - grid.same) % SLOTS] - y[:, None]) + weighted
        nearest = [np.fmin.reduce(columns, axis=1) for columns in (value, recent, unlike, at_hour, at_time)]
        return np.stack(nearest).astype(np.float64)

    def deviations(self, distance: Floats) -> Floats:
        """``float64[channels, n]``: short mean of each distance in deviations from its long mean, NaN where a channel
        cannot say; then learns the distances."""
        p, old, new = self.p, self.old, self.new
        known = np.isfinite(distance)
        count, short, mean, square = old[COUNT], old[SHORT], old[LONG], old[SQUARE]
        here = np.where(known, distance, 0.0)
        share = -np.expm1(-self.recent / np.maximum(p.short_s, p.short_intervals * self.spacing))
        now = np.where(count > 0, short + share * (here - short), here)
        deviation = np.maximum(np.sqrt(square), p.floor * np.fmax(old[SCALE], 0.0)) + 1e-12
        ready = known & (count >= LEARNED)
        found = np.where(ready, (now - mean) / deviation, np.nan)
        learned = np.where(ready, np.minimum(here, mean + p.clip * deviation), here)
        gain = 1 / np.minimum(count + 1, np.maximum(p.memory_s / self.spacing, 2.0))
        step = learned - mean
        new[COUNT] = count + known
        new[SHORT] = np.where(known, now, short)
        new[LONG] = np.where(known, mean + gain * step, mean)
        new[SQUARE] = np.where(known, (1 - gain) * (square + gain * step * step), square)
        return found

    def store(self, learnable: NDArray[np.bool_]) -> None:
        """Put back what was learned of the learnable ones."""
        keep = np.flatnonzero(learnable)
        self._choose_grids(keep)
        self._keep(keep[np.isfinite(self.new[GRID, keep])])
        self.state.line[:, self.row[keep]] = self.new[:, keep]
        self.state.rescale(self.row[keep])

    def _choose_grids(self, which: NDArray[np.intp]) -> None:
        chosen = which[(self.new[SEEN, which] >= EARLY) & np.isnan(self.grid[which])]
        if not len(chosen):
            return
        grids = np.array(GRIDS_S)
        at = np.minimum(np.searchsorted(grids, 0.95 * self.spacing[chosen]), len(grids) - 1)
        self.new[GRID, chosen] = grids[at]
        self.state.seat_rows(self.row[chosen])
        self.slot[chosen] = np.floor(self.t[chosen] / grids[at])

    def _keep(self, which: NDArray[np.intp]) -> None:
        """A slot holds what it ended with; one that no reading fell into holds the one before, unless it is a gap."""
        row, slot = self.row[which], self.slot[which]
        moved = slot > self.old[SLOT, which]
        if moved.any():
            filled = self.dt <= 2.5 * np.maximum(self.spacing, 0.0)
            self.state.advance(row[moved], slot[moved], filled[which][moved])
        at = slot.astype(np.int64) % SLOTS
        new = moved | np.isnan(self.old[SLOT, which])
        kept = np.stack([self.y[which], self.new[MEAN, which], self.new[HOUR, which]])
        self.state.ring[:, self.state.seat[row], at] = kept
        self.new[SLOT, which] = slot
        self.new[KEPT, which] += new
