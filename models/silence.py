"""Dead-man timer: which live series have stopped speaking, judged on the clock of the log, and gaps seen afterwards.

A gap that begins and ends between two looks at the clock (a recording goes by in leaps) is told when it is over.
"""

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from domain.errors import Misconfigured
from domain.readings import Floats, Ints, Rows
from domain.times import DAY_MS
from models.contract import Payload

_NEVER = np.iinfo(np.int64).min
_DAY_S = 86_400.0
#: Each gap that is told raises what is allowed by a quarter, and that fades in two weeks: a series that often has gaps
#: is told of about once in two weeks, and however long one outage was, the next is not missed because of it. Ours.
_PATIENCE_STEP = 1.25
_FADES_S = 14 * _DAY_S / math.log(_PATIENCE_STEP)

Gap = tuple[int, int, int, int]  # row, last reading before, first after, when that was due; epoch ms


class Silence:
    """A series is watched once it is live: its last reading was recent, in its own intervals, when it arrived.

    Recordings that lie in the past therefore never count as silent, and a series that has ended is told of once.
    """

    kind: ClassVar[str] = "silence"
    version: ClassVar[str] = "2"

    def __init__(self, intervals: float = 5.0, at_least_s: float = 120.0, live_intervals: float = 10.0) -> None:
        """Silent after ``intervals`` sampling intervals and at least ``at_least_s`` without a reading.

        Raises:
            Misconfigured: a duration that is not positive.
        """
        if min(intervals, at_least_s, live_intervals) <= 0:
            raise Misconfigured(
                f"intervals {intervals}, at_least_s {at_least_s}, live_intervals {live_intervals} must be above 0"
            )
        self._intervals = intervals
        self._at_least_s = at_least_s
        self._live_intervals = live_intervals
        self._last: Ints = np.empty(0, np.int64)
        self._live = np.empty(0, dtype=bool)
        self._silent = np.empty(0, dtype=bool)
        self._back = np.empty(0, dtype=bool)
        self._gaps: list[Gap] = []
        self._usual: Floats = np.empty(0)  # seconds without a reading that were not told of at `_usual_t`
        self._usual_t: Ints = np.empty(0, np.int64)
        # The day of its last reading, and the longest step without a gap on the day before and on that day, seconds.
        self._step_day: Ints = np.empty(0, np.int64)
        self._steps: Floats = np.empty((2, 0))

    def seen(self, row: Rows, t: Ints, now: int, interval_s: Floats) -> None:
        """Readings sorted by (row, t) met at ``now``, epoch ms; ``interval_s`` is ``float64[rows]``, NaN if unknown."""
        self._grow(len(interval_s))
        if not len(row):
            return
        patience_ms = np.maximum(self._live_intervals * np.nan_to_num(interval_s, nan=60.0), self._at_least_s) * 1_000
        self._note_gaps(row, t, now, interval_s, patience_ms)
        ends = np.append(np.flatnonzero(row[1:] != row[:-1]), len(row) - 1)
        rows, latest = row[ends], t[ends]
        newer = latest > self._last[rows]
        rows, latest = rows[newer], latest[newer]
        self._last[rows] = latest
        self._live[rows] = now - latest <= patience_ms[rows]
        self._back[rows] |= self._silent[rows]
        self._silent[rows] = False

    def _note_gaps(self, row: Rows, t: Ints, now: int, interval_s: Floats, patience_ms: Floats) -> None:
        """Gaps are few: only steps longer than usual are walked, each against what was allowed until then."""
        first = np.ones(len(row), dtype=bool)
        first[1:] = row[1:] != row[:-1]
        before = np.where(first, self._last[row], np.roll(t, 1))
        live = np.where(first, self._live[row] & ~self._silent[row], now - before <= patience_ms[row])
        begun = (before != _NEVER) & np.isfinite(interval_s[row])
        step_s = np.where(begun, t - np.where(begun, before, t), 0) / 1_000
        steps = np.where(step_s <= np.nan_to_num(self._intervals * interval_s[row]), step_s, 0.0)
        for k in np.flatnonzero(
            begun & (step_s > np.maximum(self._intervals * interval_s[row], self._at_least_s))
        ).tolist():
            at, interval = int(row[k]), float(interval_s[row[k]])
            last = int(before[k])
            allowed = max(self._intervals * interval, self._at_least_s, float(self._faded(at, last)))
            if step_s[k] > allowed:
                if live[k]:
                    mine = (row == at) & (t <= last) & (t // DAY_MS >= last // DAY_MS - 1)
                    longest = max(self._longest(at, last), float(steps[mine].max(initial=0.0)))
                    due = last + int(1_000 * max(interval, longest))
                    self._gaps.append((at, last, int(t[k]), due))
                self._usual[at], self._usual_t[at] = allowed * _PATIENCE_STEP, t[k]
        self._note_steps(row, t, steps)

    def _longest(self, row: int, last: int) -> float:
        """The longest of the steps kept, of the day of ``last`` and the day before it."""
        since = last // DAY_MS - 1
        return max((float(self._steps[k, row]) for k in (0, 1) if self._step_day[row] - 1 + k >= since), default=0.0)

    def _note_steps(self, row: Rows, t: Ints, steps: Floats) -> None:
        """By days, which do not depend on how readings are cut into frames."""
        days = t // DAY_MS
        for day in np.unique(days).tolist():
            here = days == day
            rows, taken = row[here], steps[here]
            later = day - self._step_day[rows]
            kept = self._steps[:, rows]
            moved = np.where(later == 1, np.stack([kept[1], np.zeros(len(rows))]), np.where(later > 1, 0.0, kept))
            self._steps[:, rows] = moved
            self._step_day[rows] = np.maximum(self._step_day[rows], day)
            np.maximum.at(self._steps[1], rows, taken)

    def _faded(self, row: Any, last: Any) -> Floats:
        """Seconds that gaps after ``last`` (epoch ms) may take of each row: what was learned, less what has faded."""
        age_s = np.maximum(0, np.maximum(last, 0) - self._usual_t[row]) / 1_000
        return np.asarray(self._usual[row] * np.exp(-age_s / _FADES_S))

    def gaps(self) -> list[Gap]:
        """Gaps since this was last asked that no timer has told of."""
        found, self._gaps = self._gaps, []
        return found

    def _allowed_ms(self, interval_s: Floats) -> Floats:
        learned = self._faded(slice(None), self._last)
        return np.asarray(np.maximum(np.maximum(self._intervals * interval_s, self._at_least_s), learned) * 1_000)

    def due_ms(self, row: int, last: int, interval_s: Floats) -> tuple[int, int]:
        """When the reading after ``last`` was due, and when its absence counts as silence; epoch ms.

        A series that does not keep to its interval owes a reading after the longest step it has taken of late.
        """
        step_s = max(float(interval_s[row]), self._longest(row, last))
        return last + int(step_s * 1_000), last + int(self._allowed_ms(interval_s)[row])

    def overdue(self, now: int, interval_s: Floats) -> Rows:
        """Rows that have newly fallen silent at ``now``; a row whose interval is not known yet is not judged."""
        self._grow(len(interval_s))
        allowed_ms = self._allowed_ms(interval_s)
        waiting = self._live & ~self._silent & np.isfinite(interval_s)
        late = np.zeros(len(waiting), dtype=bool)
        late[waiting] = now - self._last[waiting] > allowed_ms[waiting]
        self._silent |= late
        return np.flatnonzero(late).astype(np.int32)

    def back(self) -> Rows:
        """Rows that had fallen silent and have spoken again since this was last asked."""
        rows = np.flatnonzero(self._back).astype(np.int32)
        self._back[:] = False
        return rows

    def last(self) -> Ints:
        """``int64[rows]``: event time of the last reading, epoch ms; the smallest integer where there was none."""
        return self._last.copy()

    def silent(self) -> Rows:
        """Rows that are silent now."""
        return np.flatnonzero(self._silent).astype(np.int32)

    def _grow(self, rows: int) -> None:
        more = rows - len(self._last)
        if more > 0:
            self._last = np.append(self._last, np.full(more, _NEVER, np.int64))
            self._live = np.append(self._live, np.zeros(more, dtype=bool))
            self._silent = np.append(self._silent, np.zeros(more, dtype=bool))
            self._back = np.append(self._back, np.zeros(more, dtype=bool))
            self._usual = np.append(self._usual, np.zeros(more))
            self._usual_t = np.append(self._usual_t, np.zeros(more, np.int64))
            self._step_day = np.append(self._step_day, np.full(more, -1, np.int64))
            self._steps = np.concatenate([self._steps, np.zeros((2, more))], axis=1)

    def snapshot(self) -> Payload:
        columns = {
            name: getattr(self, f"_{name}").copy() for name in ("last", "live", "silent", "back", "usual", "usual_t")
        }
        columns |= {"step_day": self._step_day.copy(), "steps": self._steps.copy()}
        return {**columns, "gaps": [list(gap) for gap in self._gaps]}

    def restore(self, payload: Mapping[str, Any]) -> None:
        self._last = np.array(payload["last"], np.int64)
        self._live = np.array(payload["live"], dtype=bool)
        self._silent = np.array(payload["silent"], dtype=bool)
        self._back = np.array(payload["back"], dtype=bool)
        self._usual = np.array(payload["usual"], np.float64)
        self._usual_t = np.array(payload["usual_t"], np.int64)
        rows = len(self._last)  # states of the first releases know nothing of steps
        self._step_day = np.array(payload.get("step_day", np.full(rows, -1)), np.int64)
        self._steps = np.array(payload.get("steps", np.zeros((2, rows))), np.float64)
        self._gaps = [
            (int(row), int(last), int(until), int((*due, last)[0])) for row, last, until, *due in payload["gaps"]
        ]
