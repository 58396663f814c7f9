"""The sequential quality tests, one round (a reading of each row) at a time: rate, flat line, counter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.flags import Flag, Test
from domain.readings import Flags, Floats, Rows
from models.quality_limits import RATE_GAP_S_MAX, REGISTER_ENDS, CounterLimits, FlatLimits

# State of a row: one line each of the state matrix.
(SEEN, FIRST, T, X, INTERVAL, RUN, RUN_START, RUNS, LONGEST, LONGEST_ZERO) = range(10)
(GOOD_T, GOOD_X, RATE_MAX, PENDING, PENDING_X, PENDING_T, NAMED, UNUSUAL, RUN_UNUSUAL) = range(10, 19)
LINES = 19


@dataclass(slots=True)
class Columns:
    """One round: rows, their readings, what is declared of them, and the verdict being made."""

    row: Rows
    t: Floats  # seconds
    x: Floats
    cumulative: NDArray[np.bool_]
    rated: Floats  # kW, NaN where not declared
    rate_limit: Floats  # per minute, NaN where there is none
    flag: Flags
    tests: NDArray[np.uint32]
    unusual: NDArray[np.bool_]  # far from what is usual at this hour of the week

    def fail(self, where: NDArray[np.bool_], flag: Flag, test: Test) -> None:
        """Raise the flag of the readings at ``where`` (suspect or fail) and note the test."""
        if where.any():
            self.flag[where] = np.maximum(self.flag[where], np.uint8(flag))
            self.tests[where] |= np.uint32(test)


def rate_of_change(c: Columns, s: Floats) -> None:
    """Change per minute against the limit of the quantity; after a gap it says nothing."""
    if np.isnan(c.rate_limit).all():
        return
    dt = np.where(s[SEEN] >= 1, c.t - s[T], 0.0)
    per_minute = np.abs(c.x - s[X]) / np.maximum(dt / 60, 1.0)
    fast = (dt > 0) & (dt <= RATE_GAP_S_MAX) & (per_minute > c.rate_limit)
    c.fail(fast, Flag.SUSPECT, Test.RATE_OF_CHANGE)


def flat_line(c: Columns, s: Floats, limits: FlatLimits) -> None:
    """Runs of identical values against the longest so far, apart for zero; ``s`` is changed in place."""
    same = (s[SEEN] >= 1) & (c.x == s[X])
    zero = c.x == 0
    was_zero = s[X] == 0
    fade = np.exp(-np.where(s[SEEN] >= 1, c.t - s[T], 0.0) / limits.longest_memory_s)
    s[LONGEST] *= fade
    s[LONGEST_ZERO] *= fade
    longest = np.where(zero, s[LONGEST_ZERO], s[LONGEST])
    # A run that has ended is learned; one that was out of all proportion only by so much at a time.
    ended = (s[SEEN] >= 1) & ~same
    for line, mine in ((LONGEST, ~was_zero), (LONGEST_ZERO, was_zero)) if ended.any() else ():
        most = np.maximum(s[line] * limits.times_longest, limits.readings) * limits.times_longest
        learning = s[RUNS] < limits.runs_first
        length = np.where(learning, s[RUN], np.minimum(s[RUN], most))
        s[line] = np.where(ended & mine, np.maximum(s[line], length), s[line])
    s[RUNS] += ended
    s[RUN] = np.where(same, s[RUN] + 1, 1.0)
    s[RUN_START] = np.where(same, s[RUN_START], c.t)
    s[RUN_UNUSUAL] = np.where(same, s[RUN_UNUSUAL], s[UNUSUAL])

    lasted = c.t - s[RUN_START]
    seconds = np.where(zero, limits.zero_seconds, limits.seconds)
    history = c.t - s[FIRST] - lasted >= np.where(zero, limits.zero_learned_s, limits.learned_s)
    judged = history & (s[RUNS] >= limits.runs_first)
    readings = np.maximum(np.where(zero, limits.zero_readings, limits.readings), limits.times_longest * longest)
    flat = judged & (s[RUN] > readings) & (lasted > seconds)
    if not flat.any():
        return
    surely = judged & (s[RUN] > 2 * readings) & (lasted > 2 * seconds)
    # A series that had moved away before it came to zero has been shifted below it: no drop-out.
    shifted = s[RUN_UNUSUAL] > 0
    for where, test in (
        (~zero, Test.FLAT_LINE),
        (zero & ~shifted, Test.FLAT_LINE | Test.DROPOUT),
        (zero & shifted, Test.LEVEL),
    ):
        c.fail(flat & where, Flag.SUSPECT, test)
        c.fail(surely & where, Flag.FAIL, test)


def counter(c: Columns, s: Floats, limits: CounterLimits) -> None:
    """Dip, reset, swap and implausible step of counters; ``s`` is changed in place."""
    begun = c.cumulative & (s[SEEN] >= 1)
    hours = np.maximum(c.t - s[GOOD_T], 1.0) / 3_600
    learned = np.where(
        (c.t - s[FIRST] >= limits.learned_s) & (s[RATE_MAX] > 0), limits.times_largest * s[RATE_MAX], np.inf
    )
    bound = np.where(np.isnan(c.rated), learned, limits.margin * c.rated)
    step = c.x - s[GOOD_X]
    bad = begun & ((step < 0) | (step > bound * hours + limits.slack_kwh))
    # What follows a bad reading plausibly, again and again, is the new register.
    since = np.maximum(c.t - s[PENDING_T], 1.0) / 3_600
    onward = c.x - s[PENDING_X]
    follows = bad & (s[PENDING] > 0) & (onward >= 0) & (onward <= bound * since + limits.slack_kwh)
    pending = np.where(bad, np.where(follows, s[PENDING] + 1, 1.0), 0.0)
    rebased = bad & (pending > limits.rebase_readings)
    named = np.where(follows, s[NAMED], _kind_of_counter_fault(c.x, s[GOOD_X], step, bound, limits))
    c.fail(bad & ~rebased, Flag.FAIL, Test.COUNTER)
    c.fail(rebased, Flag.SUSPECT, Test.COUNTER)
    c.tests[bad] |= named[bad].astype(np.uint32)
    s[NAMED] = np.where(bad, named, 0.0)

    good = c.cumulative & (~bad | rebased)
    rate = np.where(begun & ~bad, step / hours, 0.0)
    s[RATE_MAX] = np.where(good, np.maximum(s[RATE_MAX], rate), s[RATE_MAX])
    changed = good & (rebased | (s[SEEN] == 0) | (step != 0))
    s[GOOD_X] = np.where(changed, c.x, s[GOOD_X])
    s[GOOD_T] = np.where(changed, c.t, s[GOOD_T])
    s[PENDING] = np.where(rebased, 0.0, pending)
    s[PENDING_X] = np.where(bad, c.x, s[PENDING_X])
    s[PENDING_T] = np.where(bad, c.t, s[PENDING_T])


def _kind_of_counter_fault(x: Floats, good: Floats, step: Floats, bound: Floats, limits: CounterLimits) -> Floats:
    """Which counter fault a bad count looks like; a dip is told from a reset by what follows (see ``counter``)."""
    slack = limits.slack_kwh + np.where(np.isfinite(bound), bound, 0.0)
    near_zero = x <= slack
    full = np.zeros(len(x), dtype=bool)
    for end in REGISTER_ENDS:  # the register was nearly full, and goes on from zero
        full |= (good > 0.98 * end) & (good <= end) & near_zero
    kind = np.where(near_zero, float(Test.COUNTER_RESET), float(Test.COUNTER_SWAP))
    kind = np.where(full, float(Test.COUNTER_ROLLOVER), kind)
    return np.where((step >= 0), 0.0, kind)


def remember(c: Columns, s: Floats) -> None:
    """The reading becomes the last one; the sampling interval follows the median difference."""
    dt = c.t - s[T]
    begun = s[SEEN] >= 1
    known = s[INTERVAL]
    followed = np.where(known == 0, dt, np.minimum(np.maximum(dt, 0.9 * known), 1.1 * known))
    s[INTERVAL] = np.where(begun, followed, 0.0)
    s[FIRST] = np.where(begun, s[FIRST], c.t)
    s[X], s[T], s[UNUSUAL] = c.x, c.t, c.unusual
    s[SEEN] += 1
