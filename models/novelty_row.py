"""The novelty detector on one row: a stretch of its readings at once.

The formulas are those of :mod:`models.novelty_step`, which takes one reading of each of many rows. What follows from
reading to reading is worked out in plain numbers; what is compared with the past, in arrays over the stretch: the
newest slots do not count as the past, so nothing that a stretch adds is missed. Both give the same to the last bit,
and a test holds them to it.
"""

from dataclasses import dataclass
from math import floor, isfinite, nan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats
from models.decay import Decays
from models.novelty_state import (
    COUNT,
    FIRST,
    GRID,
    HIGHEST,
    HOUR,
    INTERVAL,
    KEPT,
    KINDS,
    LONG,
    LOWEST,
    MEAN,
    MIDDLE,
    NEXT_SCALE,
    ORIGIN,
    RATE,
    RECORD,
    SCALE,
    SEEN,
    SHORT,
    SLOT,
    SLOTS,
    SQUARE,
    NoveltyParameters,
    NoveltyState,
    T,
    X,
)
from models.novelty_step import EARLY, FAR, FAST_S, KEPT_MIN, LEARNED, NEWEST, UNLIKE, Grid

STRETCH_MAX: Final = 32  # readings, so that the arrays stay in the cache
_PAST: Final = SLOTS - NEWEST
_LARGE: Final = 1e120
_MUST_BE_FINITE: Final = (MEAN, HOUR, MIDDLE, INTERVAL, SLOT, ORIGIN, HIGHEST, LOWEST)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What the recursions of some readings of one row came to, a value each.

    Attributes:
        ahead: slots from the last one stored to that of the reading.
        ends: ``(value, mean of hours, mean of the hour)`` that each slot from the last one stored on ended with.
    """

    y: list[float]
    mean: list[float]
    hour: list[float]
    ahead: list[int]
    recent: list[float]
    spacing: list[float]
    ends: list[tuple[float, float, float]]


class NoveltyRow:
    """The state of one row in plain numbers.

    Attributes:
        serves: plain numbers do for this row: it has a past to be compared with, and nothing in it may overflow.
    """

    __slots__ = ("_decay", "_line", "_p", "_row", "_state", "serves")

    def __init__(self, state: NoveltyState, p: NoveltyParameters, row: int) -> None:
        self._state, self._p, self._row = state, p, row
        self._line: list[float] = state.line[:, row].tolist()
        line = self._line
        self._decay = Decays()
        small = (*(line[k] for k in _MUST_BE_FINITE), *line[SHORT], *line[LONG], *line[SQUARE])
        self.serves = (
            line[KEPT] >= KEPT_MIN and line[SEEN] >= EARLY and line[SCALE] > 0
            and all(-_LARGE < value < _LARGE for value in small)
        )  # fmt: skip

    @property
    def grid_s(self) -> float:
        return self._line[GRID]

    def take(self, t: list[float], x: list[float], grid: Grid) -> tuple[Floats, list[float], list[float]]:
        """Judge, then learn as many of the readings as go together, at times from none on.

        Args:
            t: seconds. x: finite, none of them a counter's, all to be learned.

        Returns:
            ``float64[channels, taken]`` deviations, and of each reading the age of the row and its spacing.
        """
        first = int(self._line[SLOT])
        went = self._follow(t, x)
        n = len(went.y)
        if not n:
            return np.empty((KINDS, 0)), [], []
        past = self._past(first, went.ends)
        found = _nearest(past, grid, went, self._line[SCALE], self._p.day_weight).T.tolist()
        z = self._deviations(found, went)
        self._store(first, past)
        begun = self._line[FIRST]
        return np.array(z).T, [when - begun for when in t[:n]], went.spacing

    def _follow(self, t: list[float], x: list[float]) -> Stretch:
        line, p, went = self._line, self._p, Stretch([], [], [], [], [], [], [])
        low, high = line[MIDDLE] - FAR * line[SCALE], line[MIDDLE] + FAR * line[SCALE]
        ahead = 0
        for when, value in zip(t, x, strict=True):
            slot, before = floor(when / line[GRID]), line[INTERVAL]
            moved = slot - line[SLOT]
            if before < FAST_S or not 0 <= moved <= 1:
                break
            raw = min(max(value, -1e100), 1e100)
            y = min(max(raw - line[ORIGIN], low), high)
            dt = when - line[T]
            spacing = min(max(dt, 0.9 * before), 1.1 * before)
            recent, least = min(dt, 3 * spacing), 1 / (line[SEEN] + 1)
            for k, span in ((MEAN, p.mean_s), (HOUR, p.hour_s)):
                line[k] += max(-self._decay(recent, max(span, 3 * spacing)), least) * (y - line[k])
            line[T], line[X], line[RATE], line[INTERVAL] = when, raw, raw, spacing
            line[SEEN] += 1
            end = (y, line[MEAN], line[HOUR])
            if moved:
                ahead += 1
                line[SLOT] = slot
                line[KEPT] += 1
            if moved or not went.ends:
                went.ends.append(end)
            else:
                went.ends[-1] = end
            went.y.append(y)
            went.mean.append(line[MEAN])
            went.hour.append(line[HOUR])
            went.ahead.append(ahead)
            went.recent.append(recent)
            went.spacing.append(spacing)
            if line[KEPT] >= line[NEXT_SCALE]:
                break
        return went

    def _past(self, first: int, ends: list[tuple[float, float, float]]) -> NDArray[np.float32]:
        """``float32[3, SLOTS + slots ahead]``: the ring of the row in the order of time, up to its slot now."""
        ahead = int(self._line[SLOT]) - first
        past = np.empty((3, SLOTS + ahead), np.float32)
        ring, cut = self._state.ring[:, self._state.seat[self._row]], (first + 1) % SLOTS
        past[:, : SLOTS - cut] = ring[:, cut:]
        past[:, SLOTS - cut : SLOTS] = ring[:, :cut]
        past[:, past.shape[1] - len(ends) :] = np.array(ends).T
        return past

    def _deviations(self, found: list[list[float]], went: Stretch) -> list[list[float]]:
        """As :meth:`models.novelty_step.Turn.deviations`, reading by reading and channel by channel."""
        line, p = self._line, self._p
        count, short, mean, square = line[COUNT], line[SHORT], line[LONG], line[SQUARE]
        least, clip = p.floor * max(line[SCALE], 0.0), p.clip
        out = []
        for k, distances in enumerate(found):
            self._records(distances, went.y[k])
            spacing = went.spacing[k]
            share = -self._decay(went.recent[k], max(p.short_s, p.short_intervals * spacing))
            most = max(p.memory_s / spacing, 2.0)
            z = [nan] * KINDS
            for c, here in enumerate(distances):
                if not isfinite(here):
                    continue
                seen, usual, variance = count[c], mean[c], square[c]
                now = short[c] + share * (here - short[c]) if seen > 0 else here
                step = here - usual
                if seen >= LEARNED:
                    deviation = sqrt(variance)
                    deviation = (deviation if deviation > least else least) + 1e-12
                    z[c] = (now - usual) / deviation
                    reach = usual + clip * deviation
                    if here > reach:
                        step = reach - usual
                count[c] = seen = seen + 1
                gain = 1 / (seen if seen < most else most)
                short[c] = now
                mean[c] = usual + gain * step
                square[c] = (1 - gain) * (variance + gain * step * step)
            out.append(z)
        line[COUNT], line[SHORT], line[LONG], line[SQUARE] = count, short, mean, square
        return out

    def _records(self, distances: list[float], y: float) -> None:
        """How far the pattern is more unlike than it ever was, and the value beyond all seen so far."""
        line, unlike = self._line, distances[UNLIKE]
        record = line[RECORD]
        more = unlike - record
        distances.append(max(more, 0.0) if more == more else nan)
        distances.append(max(y - line[HIGHEST], line[LOWEST] - y, 0.0))
        if not record >= unlike:
            line[RECORD] = unlike if unlike == unlike else record
        line[HIGHEST], line[LOWEST] = max(line[HIGHEST], y), min(line[LOWEST], y)

    def _store(self, first: int, past: NDArray[np.float32]) -> None:
        line, row = self._line, self._row
        at = np.arange(first, int(line[SLOT]) + 1) % SLOTS
        self._state.ring[:, self._state.seat[row], at] = past[:, SLOTS - 1 :]
        self._state.line[:, row] = line
        if line[KEPT] >= line[NEXT_SCALE]:
            self._state.rescale(np.array([row]))
            self._line = self._state.line[:, row].tolist()


def _nearest(past: NDArray[np.float32], grid: Grid, went: Stretch, scale: float, day_weight: float) -> Floats:
    """``float64[5, n]``: how far the readings are from their past in the first five channels."""
    y, mean, hour = np.array([went.y, went.mean, went.hour], np.float32)[:, :, None]
    ahead = np.array(went.ahead)
    values, means, hours = past
    value = _windows(values)[ahead]
    value -= y
    np.abs(value, out=value)
    recent = _windows(means)[ahead]
    recent -= mean
    np.abs(recent, out=recent)
    recent += value
    at = ahead + (SLOTS - 1)
    same = at[:, None] - grid.same
    weighted = np.float32(scale) * day_weight * grid.apart
    at_hour = np.abs(hours.take(same) - hour) + weighted
    at_time = np.abs(values.take(same) - y) + weighted
    now = hours.take(at[:, None] - grid.now)
    now[:, :1] = hour
    unlike = np.abs(hours.take(at[:, None, None] - grid.pattern) - now[:, None, :]).mean(axis=2)
    nearest = [np.fmin.reduce(columns, axis=1) for columns in (value, recent, unlike, at_hour, at_time)]
    return np.stack(nearest).astype(np.float64)


def _windows(line: NDArray[np.float32]) -> NDArray[np.float32]:
    """``float32[slots ahead + 1, SLOTS − NEWEST]``: row k is the past of a reading k slots ahead. A view."""
    size = line.strides[0]
    return np.ndarray((len(line) - SLOTS + 1, _PAST), np.float32, line, 0, (size, size))
