"""Named causes of sensor faults: which failed tests make a finding, what it is called, and how it is told."""

from dataclasses import dataclass
from typing import Final

from domain.flags import Test
from domain.times import HOUR_MS


@dataclass(frozen=True, slots=True)
class Cause:
    """One named cause. Causes of a higher ``rank`` win; among equals the one that more readings speak for.

    Attributes:
        rule: machine-readable name, also the rule of the finding.
        tests: any of these bits in a reading speaks for the cause.
        readings: so many, no more than a few intervals apart, before it is told.
        words: what the series does, as the middle of a sentence.
        cell_ms: it is known of whole cells of time, when each is over; 0: of each reading.
        proven: the evidence alone says sensor; otherwise neighbours that do the same make it an event in the city.
    """

    rule: str
    tests: Test
    rank: int
    readings: int
    words: str
    proven: bool = True
    cell_ms: int = 0


CAUSES: Final = (
    Cause("quality.counter_rollover", Test.COUNTER_ROLLOVER, 9, 1, "has wrapped at the end of its register (rollover)"),
    Cause("quality.counter_reset", Test.COUNTER_RESET, 9, 2, "counts again from zero (counter reset)"),
    Cause("quality.counter_swap", Test.COUNTER_SWAP, 9, 2, "goes on from another count (meter swapped)"),
    Cause("quality.counter_dip", Test.COUNTER, 8, 1, "counts in a way a meter cannot (dip or impossible step)"),
    Cause("quality.swapped", Test.SWAPPED, 8, 1, "reports what the channel beside it measures (channels swapped)"),
    Cause("quality.out_of_range", Test.GROSS_RANGE, 7, 3, "reports what cannot be (out of range)"),
    Cause("quality.wrong_unit", Test.UNIT, 8, 3, "is off by the factor of another unit (wrong unit)"),
    Cause("quality.gain", Test.GAIN, 5, 3, "reads too high or too low by a factor (gain)", False),
    Cause("quality.dropout", Test.DROPOUT, 4, 1, "reports only zero where there is something to measure (drop-out)"),
    Cause("quality.stuck", Test.FLAT_LINE, 4, 1, "repeats one value for longer than it ever did (stuck)"),
    Cause("quality.noise", Test.NOISE, 4, 2, "scatters far more than it ever did (noise)"),
    Cause("quality.level", Test.LEVEL, 4, 1, "has stepped to another level and stays there (level shift)", False),
    Cause("quality.drift", Test.DRIFT, 4, 1, "has crept away from its usual course (drift)", False),
    Cause("quality.physics", Test.PHYSICS, 3, 4, "contradicts the other quantities of the same sensor (physics)"),
    Cause("quality.neighbour", Test.NEIGHBOUR, 2, 3,
          "differs from its neighbours more than it ever did (neighbour test)", cell_ms=HOUR_MS),
    Cause("quality.spike", Test.SPIKE, 2, 1, "jumps and comes back within one reading (spike)"),
    Cause("quality.rate_of_change", Test.RATE_OF_CHANGE, 1, 1, "changes faster than is possible (rate of change)"),
    Cause("quality.attenuated", Test.ATTENUATED, 1, 3, "hardly moves any more (attenuated: clogged or damped)"),
)  # fmt: skip
RULES: Final = {cause.rule: cause for cause in CAUSES}
_SPIKES_ARE_NOISE: Final = 2
TELLING: Final = Test(sum({int(bit) for cause in CAUSES for bit in cause.tests}))


def named(counts: dict[str, int]) -> Cause | None:
    """The cause that ``counts`` (rule → readings that speak for it) stand for; None while there are too few."""
    if counts.get("quality.spike", 0) >= _SPIKES_ARE_NOISE:
        counts = {**counts, "quality.noise": counts.get("quality.noise", 0) + counts["quality.spike"]}
    told = [(RULES[rule], n) for rule, n in counts.items() if n >= RULES[rule].readings]
    return max(told, key=lambda pair: (pair[0].rank, pair[1], pair[0].rule))[0] if told else None
