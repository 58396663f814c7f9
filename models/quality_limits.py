"""Thresholds of the quality tests, each with where it comes from. Durations in seconds."""

import math
from dataclasses import dataclass
from typing import Final

from domain.quantities import Quantity
from domain.sensors import Sensor

#: Suspect above rated power times this: connected capacity with the usual overload margin (domain facts, section 3).
RATED_MARGIN: Final = 1.2

#: Other units that a value may be reported in, as (factor, offset): x = factor · value + offset. Speed: mph, m/s; flow:
#: per minute, per five minutes; gases: ppb at 20 °C (domain facts, section 1), CO also µg/m³; particles: mg/m³;
#: temperature: °F, K; shares: per cent and the other way round; power: W, MW; voltage: kV; current: mA.
UNITS: Final = {
    "traffic.speed": ((0.621371, 0.0), (1 / 3.6, 0.0)),
    "traffic.flow": ((1 / 60, 0.0), (1 / 12, 0.0)),
    "traffic.occupancy": ((100.0, 0.0),),
    "air.no2": ((1 / 1.9125, 0.0), (1.9125, 0.0), (0.001, 0.0)),
    "air.o3": ((1 / 1.995, 0.0), (1.995, 0.0), (0.001, 0.0)),
    "air.so2": ((1 / 2.663, 0.0), (2.663, 0.0), (0.001, 0.0)),
    "air.co": ((1 / 1.164, 0.0), (1_000.0, 0.0)),
    "air.pm10": ((0.001, 0.0),),
    "air.pm25": ((0.001, 0.0),),
    "air.temperature": ((1.8, 32.0), (1.0, 273.15)),
    "air.humidity": ((0.01, 0.0),),
    "air.pressure": ((0.1, 0.0), (0.750062, 0.0)),
    "air.wind_speed": ((3.6, 0.0), (1.943844, 0.0), (2.236936, 0.0)),
    "energy.active_power": ((1_000.0, 0.0), (0.001, 0.0)),
    "energy.reactive_power": ((1_000.0, 0.0), (0.001, 0.0)),
    "energy.apparent_power": ((1_000.0, 0.0), (0.001, 0.0)),
    "energy.voltage": ((0.001, 0.0),),
    "energy.current": ((1_000.0, 0.0),),
    "energy.power_factor": ((100.0, 0.0),),
}

#: Largest credible change between one-minute samples, per minute: WMO-No. 8 (CIMO guide), quality control of automatic
#: weather stations. Quantities that are not here have no universal limit; the learned spike test covers them.
RATE_PER_MINUTE: Final = {
    "air.temperature": 3.0,
    "air.humidity": 10.0,
    "air.pressure": 0.5,
    "air.wind_speed": 20.0,
}
#: Where energy registers wrap, in kWh: five to seven decimal digits, and the 23-bit watt-hour register (domain facts,
#: section 3: rollover at 838,860.7 Wh, counted in tenths).
REGISTER_ENDS: Final = (838.8607, 8_388.607, 99_999.9, 999_999.9, 9_999_999.9)
RATE_GAP_S_MAX: Final = 600.0  # after a longer gap a rate says nothing (QARTOD: undefined after a gap)


#: User span (QARTOD gross range, flag 3): outside it a reading is possible but not usual. The sensors table overrides
#: it per sensor by the columns ``user_min`` and ``user_max`` (in the unit of the quantity, for all its series).
USER_SPAN: Final = {
    "traffic.flow": (0.0, 12_500.0),  # six lanes at the PeMS capacity of 2,076 veh/h
    "traffic.speed": (0.0, 180.0),  # twice the usual limits of 90 km/h and less
    "air.no2": (-10.0, 1_065.0),  # five times and more the DAQI's top band (Defra 2013)
    "air.pm10": (-10.0, 2_000.0),
    "air.pm25": (-10.0, 1_000.0),
    "air.o3": (-10.0, 500.0),
    "air.so2": (-10.0, 2_000.0),
    "air.co": (-1.0, 50.0),
    "air.temperature": (-40.0, 50.0),  # WMO-No. 8 range of use
    "energy.frequency": (49.5, 50.5),  # ±1 %, domain facts, section 3
}


def user_span(quantity: Quantity, sensor: Sensor) -> tuple[float, float]:
    """Lower and upper end of the user span of a series; infinite where there is none."""
    lower, upper = USER_SPAN.get(quantity.name, (-math.inf, math.inf))
    return _number(sensor.extra.get("user_min"), lower), _number(sensor.extra.get("user_max"), upper)


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text and text.strip() else default
    except ValueError:
        return default


@dataclass(frozen=True, slots=True)
class FlatLimits:
    """A run of identical values is suspect when it is longer than all of these (detection facts, section 1: 0.8 to 1.0
    of stuck sensors found), and fails at twice that.
    """

    readings: float = 6.0
    times_longest: float = 1.5
    longest_memory_s: float = 45 * 86_400.0
    seconds: float = 1_800.0
    zero_readings: float = 3.0  # zero is no usual value where it has not come in longer runs before
    zero_seconds: float = 900.0
    runs_first: float = 20.0  # runs a series must have shown: one that hardly ever changes cannot be stuck
    learned_s: float = 86_400.0  # history before the first verdict
    zero_learned_s: float = 3 * 86_400.0


@dataclass(frozen=True, slots=True)
class ShapeLimits:
    """Spike, step, noise and drift in units of the series' own scatter at that hour of day; each must also exceed
    what the series itself has shown, a record that fades within weeks. Multiples: ``benchmarks/quality/faults.py``, the
    design half of its series, at well under one alert per sensor-week; the spike rule itself is QARTOD's.
    """

    spike: float = 5.5  # |x[n−1] − (x[n] + x[n−2]) / 2|, in mean changes from reading to reading
    spike_fail: float = 12.0
    spike_record: float = 1.5
    noise: float = 2.7  # median of the last eight such differences
    noise_record: float = 1.1
    step: float = 14.0  # median of three readings against the three before
    step_record: float = 1.1
    drift: float = 1.5  # running mean of the residual, in mean residuals at that hour,
    slow_s: float = 4 * 3_600.0  # over so long,
    slow_readings: float = 24.0  # and at least so many readings
    drift_record: float = 0.9
    attenuated: float = 0.25  # of the mean change of the last ten days or so
    climatology: float = 8.0  # mean residuals at that hour (QARTOD climatology test; about 6 sigma)
    record_memory_s: float = 30 * 86_400.0
    #: The largest of n days is on average exceeded on the day after once in n + 1 times. Where tails are exponential it
    #: grows with ln n: the record of a young series is raised by so much for each factor e that it lacks of the memory.
    young: float = 0.2
    learned_s: float = 7 * 86_400.0  # history before the first verdict of a slow series,
    learned_fast_s: float = 3 * 86_400.0  # and of one that has shown `learned_many` readings by then
    learned_readings: float = 100.0
    learned_many: float = 400.0


#: What happens in one place (a queue, one customer's load) moves these there and not beside it.
LOCAL: Final = frozenset({
    "traffic.speed", "traffic.occupancy",
    "energy.active_power", "energy.reactive_power", "energy.apparent_power", "energy.current", "energy.power_factor",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class NeighbourLimits:
    """Neighbour test: hourly means of what a series is away from its usual course, in its own scatter (mean residual),
    against the median of its neighbours'. By measurement, decision 0019.
    """

    least: float = 0.7  # of a difference, in the series' own scatter,
    usual: float = 4.0  # in what is usual of the difference,
    record: float = 1.1  # and in the largest there has been
    calm: float = 0.34  # of the difference: the neighbours are no farther from their usual course,
    agree: float = 0.34  # and from each other
    slow_cells: float = 12.0  # over which the difference is taken
    cells: float = 2.0  # in a row,
    cells_local: float = 8.0  # and of a quantity of :data:`LOCAL`: what a working day does to one place is no fault
    clip: float = 12.0  # scatters: one reading counts for no more
    readings_share: float = 0.5  # of the usual number in a cell
    usual_least: float = 0.1
    usual_memory: float = 14 * 24.0  # cells
    learned_cells: float = 48.0  # before the first verdict
    learned_most: float = 4.0  # times the usual difference
    record_memory: float = 30 * 24.0  # cells


@dataclass(frozen=True, slots=True)
class ScaleLimits:
    """How a factor (another unit, a gain) is told from a shift by a constant. All ours, from simulated and recorded
    series; readings are counted while they follow each other within ``together`` intervals.
    """

    together: float = 6.0
    near: float = 0.15  # of a unit's factor, in logarithms of the mean
    readings: float = 8.0
    better: float = 0.35  # of the variance that a constant shift leaves
    fits: float = 0.12  # root mean square misfit, of the mean size,
    fits_scatter: float = 2.0  # or of the usual mean residual
    far: float = 10.0  # times, or one over it
    far_offset: float = 100.0  # kelvin
    readings_far: float = 3.0
    still_readings: float = 40.0  # where the course hardly moves: the changes from reading to reading
    still_near: float = 0.03
    still_better: float = 1.1
    lively: float = 0.4  # of the factor, in logarithms
    gain_least: float = 0.25  # logarithm: a quarter more, or a fifth less, is no matter of weather or weekday
    gain_lively: float = 0.7  # where the course has moved and fits
    very_far: float = 100.0  # named without having been found off its course,
    run_near: float = 2.0  # times, of the factor
    run_readings: float = 6.0


#: Quantities whose channels lie side by side in common instruments, so that they may be connected the wrong way round:
#: loop detector outputs, gas cells, size fractions of one optical counter, terminals of a meter. Ours, to be added to.
_PAIRS: Final = (
    ("traffic.flow", "traffic.speed"),
    ("air.no2", "air.o3"),
    ("air.pm25", "air.pm10"),
    ("air.temperature", "air.humidity"),
    ("energy.active_power", "energy.voltage"),
)
BESIDE: Final = {**dict(_PAIRS), **{second: first for first, second in _PAIRS}}


@dataclass(frozen=True, slots=True)
class SwapLimits:
    """How an exchange of two channels is told; changes and residuals in the usual ones of the quantity. All ours, from
    the simulated town with and without faults.
    """

    learned_readings: float = 200.0
    learned_of: float = 1_000.0  # changes
    days: float = 20.0
    gap: float = 3.0  # steps, after which a change says nothing
    jump: float = 12.0  # usual changes, of both together,
    jump_each: float = 1.5  # and of each, away from where it was,
    meets: float = 4.0  # while each comes so close to where the other was,
    better: float = 0.35  # and both are closer by that
    readings: float = 4.0
    evidence: float = 1.5  # sum over the readings of (misfit of its own course − of the other's) / both
    evidence_most: float = 6.0
    mean_of: float = 30.0  # readings, whose mean
    off_most: float = 2.0  # lies no further from the other's course


@dataclass(frozen=True, slots=True)
class PemsLimits:
    """Daily tests of traffic detectors as Caltrans PeMS runs them (domain facts, section 4); shares of the samples."""

    from_hour: int = 5
    to_hour: int = 22
    sufficient: float = 0.6  # fewer: Insufficient (1,224 of 2,040 samples of 30 s)
    high_occupancy: float = 0.7
    high_flow_per_hour: float = 2_400.0  # ramps: 20 vehicles in 30 s
    high_share: float = 0.2
    ramp_zero_flow: float = 0.95
    intermittent: float = 0.02  # flow 0 with occupancy; the other way round 0.5, but the physics flag tells both
    constant: float = 1e-5  # sum of |change of occupancy| within four hours
    failed_share: float = 0.1  # ours: so many failed readings make a day's verdict


PEMS: Final = PemsLimits()

#: PeMS 'Card off': share of samples with zero occupancy, by road class of the sensors table.
CARD_OFF: Final = {"urban": 0.59, "rural": 0.90, "low_volume": 1.0}

#: What a lost reading costs by field, for the worklist: people alarmed on it at once count most. Ours, to be changed.
IMPORTANCE: Final = {"traffic": 3.0, "air": 2.0, "energy": 1.0, "generic": 1.0}


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
