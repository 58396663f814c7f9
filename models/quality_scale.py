"""Wrong unit and gain: a series reports what is expected of it, times a factor (a unit may have an offset, too).

Of readings that have left their usual course (level shift or drift), close together and to one side of it, sums are
kept from which the misfit of ``x = factor · expected + offset`` follows for any unit. It is held against the scatter
of ``x − expected``: a shift by a constant leaves the second alone, another unit the first. Where the course hardly
moves in that time, the size of the changes from reading to reading tells: a constant leaves it as it is, a factor
does not. Factors of ten and more need no such proof. Units: :data:`models.quality_limits.UNITS`. A factor that is no
unit's is a gain, which the changes must bear out in any case: a drift may happen to go with the course.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from domain.readings import Floats, Mask, Rows
from models.contract import Payload
from models.quality_limits import UNITS, ScaleLimits
from models.series_spec import SeriesSpec

(COUNT, LAST, SIDE, X, E, XX, XE, EE, CHANGE, MOVE, SIZE, RUN, RUN_UNIT, RUN_LAST) = range(14)
_LINES: Final = 14
_UNITS_MAX: Final = max(map(len, UNITS.values()))


@dataclass(slots=True)
class Away:
    """Readings, each of another row, with what is known of them when they come."""

    row: Rows
    t: Floats  # seconds
    x: Floats
    expected: Floats
    interval: Floats  # seconds
    change: Floats  # of the residual since the reading before
    move: Floats  # the usual change
    size: Floats  # the usual residual


@dataclass(slots=True)
class Verdicts:
    """In another unit; in one that is far from theirs; off by a factor that is no unit's: ``bool[n]`` each."""

    unit: Mask
    far: Mask
    gain: Mask


class Scale:
    """Sums per row since it left its usual course, and how long it has been far off by the factor of a unit."""

    def __init__(self, limits: ScaleLimits = ScaleLimits()) -> None:  # noqa: B008  frozen values
        self._limits = limits
        self._units = np.empty((0, 2, _UNITS_MAX))  # factor, offset
        self._state: Floats = np.zeros((_LINES, 0))

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        more = len(specs) - self._state.shape[1]
        if more > 0:
            self._state = np.concatenate([self._state, np.zeros((_LINES, more))], axis=1)
        new = specs[len(self._units) :]  # what is declared is not in the state: after a restore, all of them
        table = np.full((len(new), 2, _UNITS_MAX), np.nan)
        for row, spec in enumerate(new):
            units = UNITS.get(spec.quantity.name, ())
            table[row, :, : len(units)] = np.array(units).reshape(-1, 2).T
        self._units = np.concatenate([self._units, table])

    def far_off(self, a: Away) -> Mask:
        """Which of these readings have been off by a hundred times and more for so long that it can only be a unit."""
        limits, found = self._limits, np.zeros(len(a.row), dtype=bool)
        ratio = a.x / a.expected
        off = (ratio > limits.very_far / limits.run_near) | ((ratio > 0) & (ratio < limits.run_near / limits.very_far))
        s = self._state
        s[RUN, a.row[~off]] = 0.0
        at = np.flatnonzero(off)
        if not len(at):
            return found
        row = a.row[at]
        factor, offset = self._units[row, 0], self._units[row, 1]
        apart = np.abs(np.log(a.x[at, None] / (factor * a.expected[at, None] + offset)))
        apart[~((factor >= limits.very_far) | (factor <= 1 / limits.very_far)) | np.isnan(apart)] = np.inf
        unit = np.argmin(apart, axis=1)
        near = apart[np.arange(len(at)), unit] < np.log(limits.run_near)
        goes_on = near & (s[RUN_UNIT, row] == unit) & (a.t[at] - s[RUN_LAST, row] <= limits.together * a.interval[at])
        s[RUN, row] = np.where(goes_on, s[RUN, row], 0.0) + near
        s[RUN_UNIT, row], s[RUN_LAST, row] = unit, a.t[at]
        found[at] = s[RUN, row] >= limits.run_readings
        return found

    def judge(self, a: Away) -> Verdicts:
        """What these readings are, which are off their usual course."""
        s = self._add(a)
        n, limits = np.maximum(s[COUNT], 1.0), self._limits
        scatter = _scatter(s, n)
        f, o, apart = self._nearest(a.row, s[X] / n, s[E] / n)
        misfit = _misfit(s, n, f, o)
        fits = (apart < limits.near) & (misfit < _allowed(s, n, f, limits))
        far = (f >= limits.far) | (f <= 1 / limits.far) | (np.abs(o) >= limits.far_offset)
        far &= fits & (n >= limits.readings_far)
        moved = (n >= limits.readings) & (misfit < limits.better * scatter)
        still = (apart < limits.still_near) & (misfit < limits.still_better * scatter)
        unit = far | (fits & (moved | (still & _as_lively(s, f, limits.lively, limits))))
        return Verdicts(unit, far, self._gain(s, n, scatter) & ~unit)

    def _nearest(self, row: Rows, x: Floats, expected: Floats) -> tuple[Floats, Floats, Floats]:
        """Factor and offset of the unit that explains a mean best, and by how much it does not, in logarithms."""
        factor, offset = self._units[row, 0], self._units[row, 1]
        apart = np.abs(np.log(x[:, None] / (factor * expected[:, None] + offset)))
        apart = np.where(np.isfinite(apart), apart, np.inf)
        at, best = np.arange(len(row)), np.argmin(apart, axis=1)
        return np.nan_to_num(factor[at, best], nan=1.0), np.nan_to_num(offset[at, best]), apart[at, best]

    def _gain(self, s: Floats, n: Floats, scatter: Floats) -> Mask:
        limits = self._limits
        g = np.where((s[XE] > 0) & (s[EE] > 0), s[XE] / s[EE], 1.0)
        misfit = _misfit(s, n, g, np.zeros_like(g))
        large = (np.abs(np.log(g)) >= limits.gain_least) & (misfit < _allowed(s, n, g, limits))
        moved = (misfit < limits.better * scatter) & _as_lively(s, g, limits.gain_lively, limits)
        still = (misfit < limits.still_better * scatter) & _as_lively(s, g, limits.lively, limits)
        return np.asarray(large & (moved | still))

    def _add(self, a: Away) -> Floats:
        """The sums with these readings in them; those of a row begin anew after a pause or on the other side."""
        s = self._state[:, a.row]
        off = a.x - a.expected
        goes_on = (a.t - s[LAST] <= self._limits.together * a.interval) & (s[SIDE] * off > 0)
        s[:RUN] = np.where(goes_on, s[:RUN], 0.0)
        s[LAST], s[SIDE] = a.t, np.sign(off)
        s[COUNT] += 1
        for line, value in ((X, a.x), (E, a.expected), (XX, a.x**2), (XE, a.x * a.expected), (EE, a.expected**2),
                            (CHANGE, a.change), (MOVE, a.move), (SIZE, a.size)):  # fmt: skip
            s[line] += value
        self._state[:, a.row] = s
        return s

    def snapshot(self) -> Payload:
        return {"state": self._state.copy()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._state = np.array(payload["state"], np.float64)


def _misfit(s: Floats, n: Floats, f: Floats, o: Floats) -> Floats:
    """Mean square of ``x − f · expected − o``."""
    whole = s[XX] + f**2 * s[EE] + n * o**2 - 2 * f * s[XE] - 2 * o * s[X] + 2 * f * o * s[E]
    return np.asarray(np.maximum(whole, 0.0) / n)


def _scatter(s: Floats, n: Floats) -> Floats:
    """What the best constant shift leaves of the mean square of ``x − expected``."""
    whole = s[XX] - 2 * s[XE] + s[EE] - (s[X] - s[E]) ** 2 / n
    return np.asarray(np.maximum(whole, 0.0) / n)


def _allowed(s: Floats, n: Floats, f: Floats, limits: ScaleLimits) -> Floats:
    """The largest mean square misfit of what still fits: by its size, or by what the series usually scatters."""
    by_size, by_scatter = limits.fits * np.abs(s[X] / n), limits.fits_scatter * np.abs(f) * s[SIZE] / n
    return np.asarray(np.maximum(by_size, by_scatter) ** 2)


def _as_lively(s: Floats, f: Floats, near: float, limits: ScaleLimits) -> Mask:
    """Whether changes from reading to reading have become larger or smaller by about ``f`` (to ``near`` of its log)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(np.log(s[CHANGE] / s[MOVE] / f))
        return np.asarray((s[COUNT] >= limits.still_readings) & (apart < near * np.abs(np.log(f))))
