"""What a series looks like against its own past: climatology, spike, step, noise, drift and attenuated signal.

All statistics are in the series' own scatter, which is learned per hour of day; a statistic is suspect when it exceeds
both the limit and the record of the series. One round (a reading of each row) at a time, in numpy on columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from domain.flags import Flag, Test
from domain.readings import Floats, Ints
from models.contract import Payload
from models.kinds_of_day import weekend
from models.quality_course import Course
from models.quality_limits import ShapeLimits
from models.quality_scale import Away, Scale
from models.quality_steps import FIRST, INTERVAL, SEEN, Columns, T, X
from models.series_spec import SeriesSpec

_RING: Final = 6  # residuals kept: two medians of three
_ROUGH: Final = 8  # spike statistics kept: a single spike spoils three, so their median is untouched
_LEAN: Final = 8.0  # readings
_GAP: Final = 3.0  # intervals after which what came before is no neighbour in time
_CLIP: Final = 40.0
_STEP_TELLS: Final = 4.5  # mean changes; smaller steps are the series' own
_STEP_SHARE: Final = 0.7  # of the slow residual: so large a step explains it
_STEP_LEFT: Final = 0.3  # of the residual before a step back: so much of what began it is still remembered
_FROM_USUAL: Final = 0.5  # of a step: what began so close to the usual course has left it by that step
_UNUSUAL: Final = 3.0  # mean residuals
_LEARNED_MOST: Final = 12.0  # mean residuals from what is expected
_DAY: Final = 86_400.0
_WEEK: Final = 7 * _DAY
_OFF_COURSE: Final = np.uint32(Test.LEVEL | Test.DRIFT)
(LAST_R, BEFORE_R, BEFORE_T, CHANGE, VIVID, SLOW, BIG_STEP, STILL, STILL_MEAN) = range(9)
# Of spike, noise, step and drift: the record, the record when it last began to rise, and when that was (seconds).
_RECORD, _BASE, _RISEN = slice(9, 13), slice(13, 17), slice(17, 21)
_LINES: Final = 21
_MEAN, _COUNT, _SIZE, _MOVE = range(4)  # per hour of day: mean, readings, mean |residual|, mean |change of it|


@dataclass(slots=True)
class _Now:
    """What a round knows of each of its rows: residual, scales, whether it is old enough to be judged."""

    r: Floats
    size: Floats
    move: Floats
    near: NDArray[np.bool_]
    near2: NDArray[np.bool_]
    warm: NDArray[np.bool_]
    day_share: Floats  # of a day that one sampling interval is
    slow_share: Floats  # of the time over which the slow residual is taken
    strange: NDArray[np.bool_]  # a kind of day that the series has not lived through
    young: Floats  # by so much more than its record a series has to show, as its record is young


class Shape:
    """State per row: ``float64[rows, 168]`` twice, ``[rows, 4, 24]``, rings of 6 and 8, and 21 single numbers.

    Attributes:
        away: ``float64[n]`` residuals of the round judged last, in mean residuals; NaN while that is being learned.
    """

    def __init__(self, limits: ShapeLimits) -> None:
        self._limits = limits
        self._least = np.array([[limits.spike], [limits.noise], [limits.step], [limits.drift]])
        of_record = (limits.spike_record, limits.noise_record, limits.step_record, limits.drift_record)
        self._of_record = np.array(of_record)[:, None]
        self._course = Course()
        self._day = np.zeros((0, 4, 24))
        self._ring = np.full((0, _RING), np.nan)
        self._rough = np.zeros((0, _ROUGH))
        self._one = np.zeros((_LINES, 0))
        self._scale = Scale()
        self.away: Floats = np.empty(0)

    def ensure(self, specs: Sequence[SeriesSpec]) -> None:
        """Make room for these series."""
        self._course.ensure(len(specs))
        self._scale.ensure(specs)
        more = len(specs) - len(self._day)
        if more <= 0:
            return
        for name, fill in (("_day", 0.0), ("_ring", np.nan), ("_rough", 0.0)):
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.full((more, *old.shape[1:]), fill)]))
        self._one = np.concatenate([self._one, np.zeros((_LINES, more))], axis=1)

    def judge(self, c: Columns, s: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Flag the readings of a round and learn them; ``s`` is their state before they are remembered.

        Returns two masks: readings that prove the reading before them a spike, suspect and surely.
        """
        of_day = (c.t // 3_600).astype(np.int64) % 24
        one = self._one[:, c.row]
        now, day = self._expect(c, s, one, of_day)
        self.away = np.where(now.warm, now.r / now.size, np.nan)
        before, after = self._either_side(c, now)
        moved = after - before
        stat = np.stack((self._spike(now, one), self._noise(c, now, one), self._step(moved, now, one),
                         self._slow(now, one)))  # fmt: skip
        spike, noise, step, away = self._beyond(stat, now, one, c.t)
        c.fail(noise, Flag.SUSPECT, Test.NOISE)
        self._attenuated(c, s, now, one)
        self._level(c, now, one, before, after, stat[2], step, away)
        off = np.abs(now.r)
        c.unusual |= now.warm & (off > _UNUSUAL * now.size)
        c.fail(now.warm & (off > self._limits.climatology * now.size), Flag.SUSPECT, Test.CLIMATOLOGY)
        self._scaled(c, s, now, one)
        self._learn(c, s, now, day, one, of_day)
        self._one[:, c.row] = one
        return spike, spike & (stat[0] > self._limits.spike_fail)

    def _expect(self, c: Columns, s: Floats, one: Floats, of_day: Ints) -> tuple[_Now, Floats]:
        day = self._day.reshape(-1).take(_cells(c, of_day))  # [4, n]
        interval = np.maximum(s[INTERVAL], 1.0)
        days = self._day[:, _MEAN], self._day[:, _COUNT]
        expected = self._course.expected(c.row, c.t, interval, days, c.x)
        age = c.t - s[FIRST]
        limits = self._limits
        old = (age >= limits.learned_s) | ((age >= limits.learned_fast_s) & (s[SEEN] >= limits.learned_many))
        near = (s[SEEN] > 0) & (day[_COUNT] >= 2) & (c.t - s[T] <= _GAP * interval)
        # An hour of day that has been seen on a few days only leans on the mean of all hours.
        many = np.minimum(day[_COUNT], 60.0)
        blended = (many * day[_MOVE] + _LEAN * one[CHANGE]) / (many + _LEAN)
        now = _Now(
            r=c.x - expected,
            size=np.maximum(day[_SIZE], 1e-9),
            move=np.maximum(np.maximum(blended, 0.3 * one[CHANGE]), 1e-9),
            near=near,
            near2=near & (s[T] - one[BEFORE_T] <= _GAP * interval),
            warm=old & (s[SEEN] >= limits.learned_readings) & (day[_COUNT] >= 5) & ~c.cumulative & (one[CHANGE] > 0),
            day_share=np.minimum(interval / _DAY, 1.0),
            slow_share=np.minimum(interval / limits.slow_s, 1 / limits.slow_readings),
            strange=(age < _WEEK) & weekend((c.t // _DAY).astype(np.int64)),
            young=1 + limits.young * np.log(np.maximum(limits.record_memory_s / np.maximum(age, 1.0), 1.0)),
        )
        return now, day

    def _spike(self, now: _Now, one: Floats) -> Floats:
        """QARTOD spike test on residuals: the middle of three, away from both its neighbours to the same side."""
        up, down = one[LAST_R] - now.r, one[LAST_R] - one[BEFORE_R]
        away = np.abs(one[LAST_R] - (now.r + one[BEFORE_R]) / 2)
        alone = (np.sign(up) == np.sign(down)) & (np.minimum(np.abs(up), np.abs(down)) >= 0.5 * away)
        return np.where(now.near2 & alone, np.minimum(away / (now.move * np.maximum(one[VIVID], 0.6)), _CLIP), 0.0)

    def _noise(self, c: Columns, now: _Now, one: Floats) -> Floats:
        """Median of the last eight distances of a reading from the mean of those around it."""
        away = np.abs(one[LAST_R] - (now.r + one[BEFORE_R]) / 2) / now.move
        rough = self._rough[c.row]
        rough = np.where(now.near2[:, None], np.column_stack((rough[:, 1:], np.minimum(away, _CLIP))), rough)
        self._rough[c.row] = rough
        return np.asarray(np.where(now.near2, np.sort(rough, axis=1)[:, _ROUGH // 2], 0.0))

    def _either_side(self, c: Columns, now: _Now) -> tuple[Floats, Floats]:
        """Median of the three residuals before the last three, and of the last three; NaN at first."""
        ring = self._ring[c.row]
        ring[:, :-1] = ring[:, 1:]
        ring[:, -1] = now.r
        self._ring[c.row] = ring
        return _median3(ring[:, :3]), _median3(ring[:, 3:])

    def _step(self, moved: Floats, now: _Now, one: Floats) -> Floats:
        stat = np.abs(moved) / (now.move * np.maximum(one[VIVID], 0.6))
        return np.where(now.near & np.isfinite(stat), np.minimum(stat, _CLIP), 0.0)

    def _slow(self, now: _Now, one: Floats) -> Floats:
        one[SLOW] += now.slow_share * (np.clip(now.r / now.size, -6, 6) - one[SLOW])
        return np.asarray(np.abs(one[SLOW]))

    def _beyond(self, stat: Floats, now: _Now, one: Floats, t: Floats) -> NDArray[np.bool_]:
        """``bool[4, n]``: statistics beyond their limit and their record. The record fades; what is extraordinary
        raises it within a day by no more than half, so that one fault does not hide the next.
        """
        record, least = one[_RECORD], self._least
        found = now.warm & (stat > now.young * np.maximum(least, self._of_record * record))
        begins = t - one[_RISEN] > _DAY
        base = np.where(begins, record, one[_BASE])
        most = np.where(base > 0, 1.5 * np.maximum(base, least), least)
        reached = np.minimum(stat, most) * now.warm
        fade = np.exp(-now.day_share * _DAY / self._limits.record_memory_s)
        one[_RISEN] = np.where(begins & (reached > record), t, one[_RISEN])
        one[_RECORD], one[_BASE] = np.maximum(record, reached) * fade, base * fade
        return np.asarray(found)

    def _attenuated(self, c: Columns, s: Floats, now: _Now, one: Floats) -> None:
        """The mean change from reading to reading over about a day has fallen far below that of the days before."""
        share = np.maximum(now.day_share, 1 / 200) * now.near2
        one[STILL] += share * (np.abs(c.x - s[X]) - one[STILL])
        quiet = now.warm & now.near2 & (one[STILL] < self._limits.attenuated * one[STILL_MEAN])
        c.fail(quiet, Flag.SUSPECT, Test.ATTENUATED)
        slower = np.where(one[STILL_MEAN] > 0, share / 10, 1.0) * now.warm * now.near2 * ~quiet
        one[STILL_MEAN] += slower * (one[STILL] - one[STILL_MEAN])

    def _level(
        self, c: Columns, now: _Now, one: Floats, before: Floats, after: Floats, stat: Floats,
        stepped: NDArray[np.bool_], away: NDArray[np.bool_],
    ) -> None:  # fmt: skip
        """A step that stays, and a slow mean of the residual that is farther out than it ever was."""
        slow, moved = np.abs(one[SLOW]), after - before
        # What has come back to its course is well, though the slow mean has not followed yet.
        away &= now.r * np.sign(one[SLOW]) > 0.5 * slow * now.size
        # Working days say nothing of a weekend's course: on the first one only steps are told.
        away &= ~now.strange
        # A level is told from a drift by the step away from its usual course that it began with, remembered for four
        # times the slow residual's time; a step back to that course ends whichever it was.
        usual = np.abs(before) < _FROM_USUAL * np.abs(moved)
        one[BIG_STEP] *= 1 - now.slow_share / 4
        larger = now.near & (stat > _STEP_TELLS) & usual & (np.abs(moved) > np.abs(one[BIG_STEP]))
        one[BIG_STEP] = np.where(larger, moved, one[BIG_STEP])
        began = np.abs(one[BIG_STEP])
        begun = (np.sign(one[BIG_STEP]) == np.sign(now.r)) & (began > _STEP_SHARE * slow * now.size)
        back = ~usual & (np.abs(after) < np.abs(before))
        crept = stepped & back & ~((np.sign(one[BIG_STEP]) == np.sign(before)) & (began > _STEP_LEFT * np.abs(before)))
        c.fail((stepped & ~crept) | (away & begun), Flag.SUSPECT, Test.LEVEL)
        c.fail((away & ~begun & ~stepped) | crept, Flag.SUSPECT, Test.DRIFT)

    def _scaled(self, c: Columns, s: Floats, now: _Now, one: Floats) -> None:
        """Whether readings are off by a factor; what is far off by that of another unit fails and teaches nothing."""
        change, expected = np.abs(now.r - one[LAST_R]), c.x - now.r

        def away(k: Any) -> Away:
            return Away(c.row[k], c.t[k], c.x[k], expected[k], s[INTERVAL, k], change[k], now.move[k], now.size[k])

        c.fail(now.warm & self._scale.far_off(away(slice(None))), Flag.FAIL, Test.UNIT)
        shifted = np.flatnonzero(now.warm & ((c.tests & _OFF_COURSE) != 0))
        if len(shifted):
            told = self._scale.judge(away(shifted))
            c.tests[shifted[told.unit]] |= np.uint32(Test.UNIT)
            c.tests[shifted[told.gain]] |= np.uint32(Test.GAIN)
            c.flag[shifted[told.far]] = Flag.FAIL

    def _learn(self, c: Columns, s: Floats, now: _Now, day: Floats, one: Floats, of_day: Ints) -> None:
        in_hour = np.minimum(1.0, np.maximum(s[INTERVAL], 1.0) / 3_600)
        count = day[_COUNT]
        gain = np.maximum(1 / (1 + count), in_hour / 60)
        bounded = np.where(count > 5, 5.0, np.inf)
        change = np.abs(now.r - one[LAST_R])
        relative = np.minimum(change / now.move, 4.0)
        one[VIVID] = np.where(one[VIVID] > 0, one[VIVID], 1.0)
        one[VIVID] += np.where(now.near & now.warm, 0.5 * now.day_share * (relative - one[VIVID]), 0.0)
        with np.errstate(invalid="ignore"):
            move = np.minimum(change, np.where(day[_MOVE] > 0, bounded * day[_MOVE], np.inf))
            size = np.minimum(np.abs(now.r), np.where(day[_SIZE] > 0, bounded * day[_SIZE], np.inf))
        day[_MOVE] += np.where(now.near, gain * (move - day[_MOVE]), 0.0)
        day[_SIZE] += gain * (size - day[_SIZE])
        one[CHANGE] += np.where(now.near, np.maximum(gain / 8, 0.0) * (move - one[CHANGE]), 0.0)
        # What is out of all proportion (another unit) must not carry the usual course away with it.
        most = np.where(now.warm, _LEARNED_MOST * now.size, np.inf)
        # What has left its usual course moves it slowly, also where little is known yet.
        settled = (c.tests & _OFF_COURSE) == 0
        day[_MEAN] += np.maximum(settled / (1 + count), 0.05 * in_hour) * np.clip(c.x - day[_MEAN], -most, most)
        day[_COUNT] += 1
        teaches = ((c.tests & np.uint32(Test.UNIT)) == 0) | (c.flag != Flag.FAIL)  # so far off it teaches nothing
        self._day.reshape(-1)[_cells(c, of_day)[:, teaches]] = day[:, teaches]
        self._course.learn(c.row, c.t, c.x, c.x - now.r, most, in_hour, settled, teaches)
        one[BEFORE_R], one[LAST_R], one[BEFORE_T] = one[LAST_R].copy(), now.r, s[T]

    def residual(self) -> Floats:
        """``float64[rows]``: slow residual of each row in its own scatter; what neighbours are compared by."""
        return np.array(self._one[SLOW])

    def snapshot(self) -> Payload:
        names = ("day", "ring", "rough", "one")
        parts = {name: getattr(self, f"_{name}").copy() for name in names}
        return {**parts, **self._course.snapshot(), "scale": self._scale.snapshot()}

    def restore(self, payload: Mapping[str, Any]) -> None:
        for name in ("day", "ring", "rough", "one"):
            setattr(self, f"_{name}", np.array(payload[name], np.float64))
        self._course.restore(payload)
        self._scale.restore(payload["scale"])


def _median3(x: Floats) -> Floats:
    """Median of three columns."""
    a, b, c = x[:, 0], x[:, 1], x[:, 2]
    return np.asarray(np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c)))


def _cells(c: Columns, of_day: Ints) -> Ints:
    """``int64[4, n]``: where the four numbers of each row at its hour of day stand in the flat table."""
    start = c.row.astype(np.int64) * 96 + of_day
    return np.asarray(start[None, :] + 24 * np.arange(4)[:, None])
