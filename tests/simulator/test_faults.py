"""Sensor faults: each does to its own series what its name says."""

from functools import cache

import numpy as np
import pytest

from domain.readings import Readings
from domain.times import HOUR_MS, MINUTE_MS
from simulator.faults import FAULTS, CounterReset, SensorFault, Silent
from simulator.kinds import KINDS
from simulator.plan import plan_town
from simulator.script import FixedScript
from simulator.signals import City

TOWN = plan_town(7)
START = 1_772_409_600_000 + 15 * HOUR_MS
END = START + 40 * MINUTE_MS


BEFORE, AFTER = 20 * MINUTE_MS, 30 * MINUTE_MS


@cache
def city() -> City:
    """Shared: what it says does not depend on what it was asked before (test_signals)."""
    return City(TOWN, 7)


@cache
def clean() -> Readings:
    return city().readings(START - BEFORE, END + AFTER)


def broken(fault: SensorFault) -> Readings:
    return city().readings(START - BEFORE, END + AFTER, FixedScript(sensors=(fault,)))


def table(readings: Readings) -> dict[tuple[str, int], float]:
    return {(readings.series[i], int(t)): float(x) for i, t, x in zip(readings.i, readings.t, readings.x, strict=True)}


def during(fault: SensorFault, series: str) -> tuple[np.ndarray, np.ndarray]:
    """Clean and faulty values of a series while the fault acts."""
    was, now = table(clean()), table(broken(fault))
    keys = [key for key in was if key[0] == series and START <= key[1] < END]
    return np.array([was[key] for key in keys]), np.array([now.get(key, np.nan) for key in keys])


def made(kind: str, target: str) -> SensorFault:
    # A skew of half a second more than some intervals lets no two readings have one time.
    return FAULTS[kind](target, START, END, 300.5 if kind == "clock-skew" else KINDS[kind].strength.default)


@pytest.mark.parametrize("kind", list(FAULTS))
@pytest.mark.parametrize("target", ["loop-012", "air-004/air.no2", "air-003", "meter-009"])
def test_touches_its_own_series_in_its_time_only(kind: str, target: str) -> None:
    fault = made(kind, target)
    was, now = table(clean()), table(broken(fault))
    different = {key for key in was if was[key] != now.get(key)}
    named = set(fault.truth(TOWN).series)
    new = now.keys() - was.keys()
    assert not new or kind == "clock-skew"  # which moves readings in time
    assert {name for name, _ in different} <= named
    assert {name for name, _ in new} <= named
    assert all(START <= t < END for _, t in different)
    # Each series that the label names is really different.
    assert {name for name, _ in different} == named
    assert fault.truth(TOWN).cause == "sensor"


@pytest.mark.parametrize("kind", list(FAULTS))
def test_does_not_depend_on_how_the_range_is_cut(kind: str) -> None:
    script = FixedScript(sensors=(made(kind, "meter-009"),))
    parts: dict[tuple[str, int], float] = {}
    for begin in range(START - BEFORE, END + AFTER, 11 * MINUTE_MS):
        parts |= table(city().readings(begin, min(begin + 11 * MINUTE_MS, END + AFTER), script))
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


def test_counter_rolls_over_and_is_swapped() -> None:
    series = "meter-009/energy.energy_import"
    was, now = during(FAULTS["counter-rollover"]("meter-009", START, END, 5.0), series)
    fall = int(np.argmin(np.diff(now)))
    assert np.array_equal(now[: fall + 1], was[: fall + 1])
    assert 0 < fall < len(now) - 1
    assert 0 <= now[fall + 1] < now[fall]
    assert np.allclose(np.delete(np.diff(now), fall), np.delete(np.diff(was), fall), atol=0.002)
    was, now = during(FAULTS["counter-swap"]("meter-009", START, END, 12.0), series)
    assert 12 <= now[0] < 22
    assert np.allclose(np.diff(now), np.diff(was), atol=0.002)


def test_gain_clipping_and_loose_contact() -> None:
    was, now = during(FAULTS["gain"]("air-004/air.no2", START, END), "air-004/air.no2")
    assert np.allclose(now, 1.5 * was, atol=1e-3)
    was, now = during(FAULTS["clipped"]("meter-009/energy.active_power", START, END), "meter-009/energy.active_power")
    assert len(set(now)) < 0.5 * len(set(was))
    assert np.all(now <= was)
    was, now = during(FAULTS["intermittent"]("loop-012", START, END, 0.4), "loop-012/traffic.flow")
    assert 0.15 < (now == 0).mean() < 0.7
    assert set(now) - {0.0} <= set(was)


def test_a_damped_signal_moves_as_before_by_a_tenth() -> None:
    was, now = during(FAULTS["damped"]("air-004/air.no2", START, END), "air-004/air.no2")
    assert np.allclose(np.diff(now), 0.1 * np.diff(was), atol=1e-3)
    assert "meter-009/energy.energy_import" not in FAULTS["damped"]("meter-009", START, END).truth(TOWN).series


def test_card_off_has_no_flow_and_no_speed() -> None:
    _, flow = during(FAULTS["card-off"]("loop-012", START, END), "loop-012/traffic.flow")
    _, speed = during(FAULTS["card-off"]("loop-012", START, END), "loop-012/traffic.speed")
    assert set(flow) == {0.0}
    assert np.isnan(speed).all()


def test_swapped_channels_report_each_other() -> None:
    fault = FAULTS["swapped-channels"]("loop-012", START, END)
    flow_was, flow_now = during(fault, "loop-012/traffic.flow")
    speed_was, speed_now = during(fault, "loop-012/traffic.speed")
    assert np.array_equal(flow_now, speed_was)
    assert np.array_equal(speed_now, flow_was)


def test_a_skewed_clock_moves_the_stamps_and_not_the_values() -> None:
    fault = FAULTS["clock-skew"]("meter-009", START, END, 300.5)
    series = "meter-009/energy.active_power"
    was = [x for (name, t), x in sorted(table(clean()).items()) if name == series and START <= t < END]
    now = [x for (name, t), x in sorted(table(broken(fault)).items()) if name == series and t % 1_000 == 500]
    assert now == was


def test_a_battery_runs_down_until_nothing_comes() -> None:
    _, now = during(FAULTS["battery-decline"]("loop-012", START, END), "loop-012/traffic.speed")
    thirds = [np.isnan(part).mean() for part in np.array_split(now, 3)]
    assert thirds[0] < thirds[1] < thirds[2]
    assert np.isnan(now[-len(now) // 6 :]).all()


def test_wrong_unit_is_miles_per_hour() -> None:
    was, now = during(FAULTS["wrong-unit"]("loop-012", START, END), "loop-012/traffic.speed")
    assert np.allclose(now * 1.609344, was, atol=0.01)
