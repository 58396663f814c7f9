"""Sensor faults: each does to its own series what its name says."""

from functools import cache

import numpy as np
import pytest

from domain.readings import Readings
from domain.times import HOUR_MS, MINUTE_MS
from simulator.faults import FAULTS, CounterReset, SensorFault, Silent
from simulator.plan import plan_town
from simulator.script import FixedScript
from simulator.signals import City

TOWN = plan_town(7)
START = 1_772_409_600_000 + 15 * HOUR_MS
END = START + 40 * MINUTE_MS


@cache
def clean() -> Readings:
    return City(TOWN, 7).readings(START - HOUR_MS, END + HOUR_MS)


def broken(fault: SensorFault) -> Readings:
    return City(TOWN, 7).readings(START - HOUR_MS, END + HOUR_MS, FixedScript(sensors=(fault,)))


def table(readings: Readings) -> dict[tuple[str, int], float]:
    return {(readings.series[i], int(t)): float(x) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)}


def during(fault: SensorFault, series: str) -> tuple[np.ndarray, np.ndarray]:
    """Clean and faulty values of a series while the fault acts."""
    was, now = table(clean()), table(broken(fault))
    keys = [key for key in was if key[0] == series and START <= key[1] < END]
    return np.array([was[key] for key in keys]), np.array([now.get(key, np.nan) for key in keys])


@pytest.mark.parametrize("kind", list(FAULTS))
@pytest.mark.parametrize("target", ["loop-012", "air-004/air.no2", "air-003", "meter-009"])
def test_touches_its_own_series_in_its_time_only(kind: str, target: str) -> None:
    fault = FAULTS[kind](target, START, END)
    was, now = table(clean()), table(broken(fault))
    different = {key for key in was if was[key] != now.get(key)}
    named = set(fault.truth(TOWN).series)
    assert now.keys() <= was.keys()
    assert {name for name, _ in different} <= named
    assert all(START <= t < END for _, t in different)
    if kind != "counter-reset" or target.startswith("meter"):
        assert different
    assert fault.truth(TOWN).cause == "sensor"


@pytest.mark.parametrize("kind", list(FAULTS))
def test_does_not_depend_on_how_the_range_is_cut(kind: str) -> None:
    script = FixedScript(sensors=(FAULTS[kind]("meter-009", START, END),))
    city = City(TOWN, 7)
    parts: dict[tuple[str, int], float] = {}
    for begin in range(START - HOUR_MS, END + HOUR_MS, 11 * MINUTE_MS):
        parts |= table(city.readings(begin, min(begin + 11 * MINUTE_MS, END + HOUR_MS), script))
    assert parts == table(broken(script.sensors[0]))


def test_stuck_repeats_the_last_value_before_it() -> None:
    _, now = during(FAULTS["stuck"]("loop-012", START, END), "loop-012/traffic.speed")
    before = [x for (name, t), x in table(clean()).items() if name == "loop-012/traffic.speed" and t < START]
    assert set(now) == {before[-1]}


def test_drift_grows_noise_widens_offset_shifts_spikes_are_rare() -> None:
    series = "air-004/air.no2"
    was, now = during(FAULTS["drift"](series, START, END), series)
    assert np.all(np.diff(now - was) > 0)
    was, now = during(FAULTS["noise"](series, START, END), series)
    assert (now - was).std() > 30
    was, now = during(FAULTS["offset"](series, START, END), series)
    assert np.allclose(now - was, 90)
    was, now = during(FAULTS["spike"](series, START, END), series)
    assert 0 < (now != was).mean() < 0.5


def test_drop_out_is_zero_and_silence_is_nothing() -> None:
    _, now = during(FAULTS["drop-out"]("loop-012", START, END), "loop-012/traffic.flow")
    assert set(now) == {0.0}
    _, now = during(Silent("loop-012", START, END), "loop-012/traffic.flow")
    assert np.isnan(now).all()


def test_counter_starts_again_and_counts_on_and_power_is_left_alone() -> None:
    fault = CounterReset("meter-009", START, END)
    was, now = during(fault, "meter-009/energy.energy_import")
    assert 0 <= now[0] < 10
    assert np.allclose(np.diff(now), np.diff(was), atol=0.002)
    was, now = during(fault, "meter-009/energy.active_power")
    assert np.array_equal(was, now)


def test_wrong_unit_is_miles_per_hour() -> None:
    was, now = during(FAULTS["wrong-unit"]("loop-012", START, END), "loop-012/traffic.speed")
    assert np.allclose(now * 1.609344, was, atol=0.01)
