"""Thresholds of the quality tests, each with where it comes from. Durations in seconds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats

#: Suspect above rated power times this: connected capacity with the usual overload margin (domain facts, section 3).
RATED_MARGIN: Final = 1.2

#: Largest credible change between one-minute samples, per minute: WMO-No. 8 (CIMO guide), quality control of automatic
#: weather stations. Quantities that are not here have no universal limit; the learned spike test covers them.
RATE_PER_MINUTE: Final = {
    "air.temperature": 3.0,
    "air.humidity": 10.0,
    "air.pressure": 0.5,
    "air.wind_speed": 20.0,
}
RATE_GAP_S_MAX: Final = 600.0  # after a longer gap a rate says nothing (QARTOD: undefined after a gap)


@dataclass(frozen=True, slots=True)
class FlatLimits:
    """A run of identical values is suspect when it is longer than all of these (detection facts, section 1: 0.8 to 1.0
    of stuck sensors found), and fails at twice that.
    """

    readings: float = 6.0
    times_longest: float = 1.5
    seconds: float = 1_800.0
    zero_seconds: float = 21_600.0  # nothing flows at night, and no sun shines: zero is waited for longer
    runs_first: float = 20.0  # runs a series must have shown: one that hardly ever changes cannot be stuck
    learned_s: float = 86_400.0  # history before the first verdict
    zero_learned_s: float = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class SpikeLimits:
    """A single value away from both values before it by more than the series' own jumps explain.

    The tail of the jumps is learned; ``false_per_week`` sets the evidence needed, ``times_largest`` guards series
    whose jumps are too few to know their tail.
    """

    false_per_week: float = 0.02
    times_largest: float = 2.0
    largest_memory_s: float = 7 * 86_400.0
    learned_s: float = 86_400.0
    learned_readings: float = 50.0


@dataclass(frozen=True, slots=True)
class CounterLimits:
    """Counters: bound each step by rated power × time since the last good value, never silently rebase (domain facts,
    section 3: the rule that survives dip, reset, rollover and swap).
    """

    margin: float = 1.2
    slack_kwh: float = 1.0  # readings are rounded to the register's last digit
    times_largest: float = 10.0  # of the largest rate learned, where the rated power is not known
    learned_s: float = 86_400.0
    rebase_readings: float = 3.0  # consistent readings after which a lower count is taken for the new register


Predicate = Callable[[Floats, Floats], NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two quantities of one sensor at one time that contradict each other where ``broken(first, second)``."""

    first: str
    second: str
    broken: Predicate
    flags_first: bool
    flags_second: bool
    source: str


PAIRS: Final = (
    Pair("traffic.flow", "traffic.occupancy", lambda flow, occ: (flow == 0) & (occ > 0.02) & (occ < 0.9), True, True,
         "PeMS 'Intermittent': flow 0 with occupancy; above 0.9 a vehicle stands on the loop"),
    Pair("traffic.flow", "traffic.occupancy", lambda flow, occ: (flow > 240) & (occ == 0), True, True,
         "PeMS 'Intermittent': occupancy 0 with flow; below 4 vehicles a minute occupancy may round to 0"),
    Pair("traffic.flow", "traffic.speed", lambda flow, speed: (flow == 0) & (speed > 0), False, True,
         "no vehicle, no speed: a free-flow default such as UTMC's 50 km/h is not a measurement"),
    Pair("traffic.flow", "traffic.speed", lambda flow, speed: (flow > 240) & (speed == 0), True, True,
         "flow is density × speed"),
    Pair("air.pm25", "air.pm10", lambda fine, coarse: fine > 1.15 * coarse + 5.0, True, True,
         "PM2.5 is part of PM10; tolerance of two instruments"),
    Pair("energy.active_power", "energy.apparent_power", lambda kw, kva: np.abs(kw) > 1.05 * kva + 0.1, True, True,
         "power factor is at most 1; tolerance of class 1 meters and rounding"),
)  # fmt: skip
