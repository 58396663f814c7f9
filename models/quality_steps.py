"""The sequential quality tests, one round (a reading of each row) at a time: spike, rate, flat line, counter."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.flags import Flag, Test
from domain.readings import Flags, Floats, Rows
from models import tail
from models.quality_limits import RATE_GAP_S_MAX, CounterLimits, FlatLimits, SpikeLimits

# State of a row: one line each of the state matrix.
(SEEN, FIRST, T, X, BEFORE, INTERVAL, LOG_JUMP, JUMP_EXCESS, LARGEST, RUN, RUN_START, RUNS, LONGEST, LONGEST_ZERO) = (
    range(14)
)
(GOOD_T, GOOD_X, RATE_MAX, PENDING, PENDING_X, PENDING_T) = range(14, 20)
LINES = 20


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

    def fail(self, where: NDArray[np.bool_], flag: Flag, test: Test) -> None:
        """Raise the flag of the readings at ``where`` (suspect or fail) and note the test."""
        if where.any():
            self.flag[where] = np.maximum(self.flag[where], np.uint8(flag))
            self.tests[where] |= np.uint32(test)


def spike_and_rate(c: Columns, s: Floats, limits: SpikeLimits) -> None:
    """Jump from the nearer of the two values before, against the tail of such jumps; ``s`` is changed in place."""
    begun = s[SEEN] >= 2
    dt = np.where(s[SEEN] >= 1, c.t - s[T], 0.0)
    jump = np.where(begun, np.minimum(np.abs(c.x - s[X]), np.abs(c.x - s[BEFORE])), 0.0)
    moved = np.where(s[SEEN] >= 1, np.abs(c.x - s[X]), 0.0)
    per_minute = moved / np.maximum(dt / 60, 1.0)
    fast = (dt > 0) & (dt <= RATE_GAP_S_MAX) & (per_minute > c.rate_limit)
    c.fail(fast, Flag.SUSPECT, Test.RATE_OF_CHANGE)

    quantile = np.exp(s[LOG_JUMP])
    found = tail.evidence(jump, quantile, s[JUMP_EXCESS])
    need = tail.needed(s[INTERVAL], limits.false_per_week)
    learned = (c.t - s[FIRST] >= limits.learned_s) & (s[SEEN] >= limits.learned_readings)
    near = dt <= 3 * np.maximum(s[INTERVAL], 1.0)
    spike = begun & learned & near & ~c.cumulative & (found > need) & (jump > limits.times_largest * s[LARGEST])
    c.fail(spike, Flag.SUSPECT, Test.SPIKE)

    # Learned from every reading, spikes too: what keeps coming is not a spike, and two times the largest still guards.
    started = begun & (jump > 0) & (s[JUMP_EXCESS] == 0)
    s[LOG_JUMP] = np.where(started, np.log(np.maximum(3 * jump, 1e-300)), s[LOG_JUMP])
    s[JUMP_EXCESS] = np.where(started, jump, s[JUMP_EXCESS])
    gain = np.where(begun & (s[JUMP_EXCESS] > 0), 1 + 8 / (1 + s[SEEN] / 25), 0.0)
    s[LOG_JUMP], s[JUMP_EXCESS] = tail.learn(jump, s[LOG_JUMP], s[JUMP_EXCESS], gain)
    fade = np.exp(-dt / limits.largest_memory_s)
    s[LARGEST] = np.maximum(s[LARGEST] * fade, np.where(spike, np.minimum(jump, 2 * s[LARGEST]), jump))


def flat_line(c: Columns, s: Floats, limits: FlatLimits) -> None:
    """Runs of identical values against the longest so far, apart for zero; ``s`` is changed in place."""
    same = (s[SEEN] >= 1) & (c.x == s[X])
    zero = c.x == 0
    was_zero = s[X] == 0
    longest = np.where(zero, s[LONGEST_ZERO], s[LONGEST])
    # A run that has ended is learned; one that was out of all proportion only by so much at a time.
    ended = (s[SEEN] >= 1) & ~same
    for line, mine in ((LONGEST, ~was_zero), (LONGEST_ZERO, was_zero)):
        most = np.maximum(s[line] * limits.times_longest, limits.readings) * limits.times_longest
        learning = s[RUNS] < limits.runs_first
        length = np.where(learning, s[RUN], np.minimum(s[RUN], most))
        s[line] = np.where(ended & mine, np.maximum(s[line], length), s[line])
    s[RUNS] += ended
    s[RUN] = np.where(same, s[RUN] + 1, 1.0)
    s[RUN_START] = np.where(same, s[RUN_START], c.t)

    lasted = c.t - s[RUN_START]
    seconds = np.where(zero, limits.zero_seconds, limits.seconds)
    history = c.t - s[FIRST] - lasted >= np.where(zero, limits.zero_learned_s, limits.learned_s)
    judged = history & (s[RUNS] >= limits.runs_first)
    readings = np.maximum(limits.readings, limits.times_longest * longest)
    c.fail(judged & (s[RUN] > readings) & (lasted > seconds), Flag.SUSPECT, Test.FLAT_LINE)
    c.fail(judged & (s[RUN] > 2 * readings) & (lasted > 2 * seconds), Flag.FAIL, Test.FLAT_LINE)


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
    c.fail(bad & ~rebased, Flag.FAIL, Test.COUNTER)
    c.fail(rebased, Flag.SUSPECT, Test.COUNTER)

    good = c.cumulative & (~bad | rebased)
    rate = np.where(begun & ~bad, step / hours, 0.0)
    s[RATE_MAX] = np.where(good, np.maximum(s[RATE_MAX], rate), s[RATE_MAX])
    changed = good & (rebased | (s[SEEN] == 0) | (step != 0))
    s[GOOD_X] = np.where(changed, c.x, s[GOOD_X])
    s[GOOD_T] = np.where(changed, c.t, s[GOOD_T])
    s[PENDING] = np.where(rebased, 0.0, pending)
    s[PENDING_X] = np.where(bad, c.x, s[PENDING_X])
    s[PENDING_T] = np.where(bad, c.t, s[PENDING_T])


def remember(c: Columns, s: Floats) -> None:
    """The reading becomes the last one; the sampling interval follows the median difference."""
    dt = c.t - s[T]
    begun = s[SEEN] >= 1
    known = s[INTERVAL]
    followed = np.where(known == 0, dt, np.minimum(np.maximum(dt, 0.9 * known), 1.1 * known))
    s[INTERVAL] = np.where(begun, followed, 0.0)
    s[FIRST] = np.where(begun, s[FIRST], c.t)
    s[BEFORE] = np.where(begun, s[X], c.x)
    s[X], s[T] = c.x, c.t
    s[SEEN] += 1
