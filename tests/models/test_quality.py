"""Each test of single series fires on its fault and not on good data; frames and restores change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.flags import Flag, Test
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.quality import QualityTests
from models.series_spec import SeriesSpec

MINUTE, HOUR = 60_000, 3_600_000
DAY = 24  # hourly readings


def made(name: str, rated_kw: float | None = None, **extra: str) -> QualityTests:
    tests = QualityTests()
    tests.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a", rated_kw=rated_kw, extra=extra))])
    return tests


def judged(x, start: int = 0, step: int = HOUR) -> Judged:
    n = len(x)
    t = start + np.arange(n) * step
    return Judged(
        np.zeros(n, np.int32), t, np.asarray(x, float), np.full(n, Flag.GOOD, np.uint8), np.zeros(n, np.uint32)
    )


def check(tests: QualityTests, x, start: int = 0, step: int = HOUR):
    return tests.check(judged(x, start, step))[:2]


def ordinary(days: float, seed: int = 1, scatter: float = 3.0) -> np.ndarray:
    """Hourly values with a daily course and a bounded scatter; what chance alone raises, the benchmark counts."""
    n = int(days * DAY)
    rng = np.random.default_rng(seed)
    return np.round(60 + 20 * np.sin(2 * np.pi * np.arange(n) / DAY) + rng.uniform(-scatter, scatter, n), 2)


def found(failed: np.ndarray, test: Test) -> np.ndarray:
    return np.flatnonzero((failed & np.uint32(test)) != 0)


def test_ordinary_readings_are_good() -> None:
    flags, failed = check(made("air.no2"), ordinary(56))
    assert (flags == Flag.GOOD).all()
    assert not failed.any()


def test_outside_the_sensor_span_fails_and_outside_the_user_span_is_suspect() -> None:
    flags, failed = check(made("air.no2"), [50.0, 5_000.0, -11.0, 1_500.0, 51.0])
    assert flags.tolist() == [Flag.GOOD, Flag.FAIL, Flag.FAIL, Flag.SUSPECT, Flag.GOOD]
    assert failed.tolist() == [0, Test.GROSS_RANGE, Test.GROSS_RANGE, Test.GROSS_RANGE, 0]


def test_the_user_span_is_a_column_of_the_sensors_table() -> None:
    assert check(made("air.no2", user_min="0", user_max="90"), [50.0, 91.0])[0].tolist() == [Flag.GOOD, Flag.SUSPECT]


def test_power_above_its_rating_is_suspect() -> None:
    flags, _ = check(made("energy.active_power", rated_kw=100.0), [119.0, 121.0, -121.0])
    assert flags.tolist() == [Flag.GOOD, Flag.SUSPECT, Flag.SUSPECT]


@pytest.mark.parametrize("size", [40.0, -40.0])
def test_a_spike_is_proved_by_the_reading_after_it(size: float) -> None:
    x = ordinary(30)
    x[-5] += size
    flags, failed = check(made("air.no2"), x)
    assert found(failed, Test.SPIKE).tolist() == [len(x) - 5]
    assert (flags[failed == 0] == Flag.GOOD).all()


def test_a_spike_that_ends_a_frame_is_revised_by_the_next() -> None:
    tests, x = made("air.no2"), ordinary(30)
    x[-2] += 40
    _, failed, earlier = tests.check(judged(x[:-1]))
    assert not found(failed, Test.SPIKE).size
    assert not len(earlier)
    _, failed, earlier = tests.check(judged(x[-1:], (len(x) - 1) * HOUR))
    assert not failed.any()
    assert (earlier.row.tolist(), earlier.t.tolist()) == ([0], [(len(x) - 2) * HOUR])
    assert earlier.tests.tolist() == [Test.SPIKE]


def test_a_step_is_no_spike() -> None:
    x = ordinary(30)
    x[-5:] += 40
    assert not found(check(made("air.no2"), x)[1], Test.SPIKE).size


def test_faster_than_the_weather_is_suspect() -> None:
    flags, failed = check(made("air.temperature"), [10.0, 10.5, 15.0, 15.1], step=MINUTE)
    assert flags.tolist() == [Flag.GOOD, Flag.GOOD, Flag.SUSPECT, Flag.GOOD]
    assert failed[2] == Test.RATE_OF_CHANGE


def test_after_a_long_gap_a_rate_says_nothing() -> None:
    tests = made("air.temperature")
    check(tests, [10.0])
    assert check(tests, [20.0], start=HOUR)[0].tolist() == [Flag.GOOD]


def test_a_stuck_sensor_is_suspect_then_fails_and_is_good_again() -> None:
    tests = made("air.no2")
    check(tests, ordinary(30))
    flags, failed = check(tests, np.full(20, 60.5), start=30 * DAY * HOUR)
    stuck = found(failed, Test.FLAT_LINE)
    assert 6 <= stuck[0] <= 7
    assert (np.diff(stuck) == 1).all()
    assert flags[-1] == Flag.FAIL
    assert not found(failed, Test.DROPOUT).size
    assert not found(check(tests, ordinary(1), start=(30 * DAY + 20) * HOUR)[1], Test.FLAT_LINE).size


@pytest.mark.parametrize("kind", ["night zeros", "sparse", "coarse", "constant", "long plateaus"])
def test_what_is_flat_by_nature_is_not_flagged(kind: str) -> None:
    rng = np.random.default_rng(2)
    n = 14 * 1_440
    minute = np.arange(n) % 1_440
    wave = 60 + 20 * np.sin(2 * np.pi * minute / 1_440) + rng.normal(0, 2, n)
    series = {
        "night zeros": np.where(minute < 360, 0.0, rng.poisson(30, n) * 60.0),
        "sparse": (rng.random(n) < 0.02) * 60.0,
        "coarse": np.round(wave / 20) * 20,
        "constant": np.full(n, 1.0),
        "long plateaus": np.repeat(1 + np.arange(n // 240 + 1) * 7 % 50, 240)[:n].astype(float),
    }
    _, failed = check(made("traffic.flow"), series[kind], step=MINUTE)
    assert len(found(failed, Test.FLAT_LINE | Test.DROPOUT)) < 0.001 * n


def test_zero_in_a_busy_series_is_a_dropout() -> None:
    tests = made("traffic.flow")
    rng = np.random.default_rng(3)
    check(tests, 1_000 + rng.poisson(30, 30 * DAY) * 60.0)
    _, failed = check(tests, np.zeros(12), start=30 * DAY * HOUR)
    assert found(failed, Test.DROPOUT)[0] == 3


def test_a_noise_burst_is_noise_and_a_single_spike_is_not() -> None:
    x = ordinary(30)
    x[-60] += 30
    x[-24:] += np.random.default_rng(5).normal(0, 20, 24)
    _, failed = check(made("air.no2"), x)
    noise = found(failed, Test.NOISE)
    assert noise.size >= 4
    assert (noise < len(x) - 24).sum() <= 1  # and one reading alone is not told of


def test_a_step_that_stays_is_a_level_shift_and_no_drift() -> None:
    x = ordinary(60)
    x[-48:] += 25
    _, failed = check(made("air.no2"), x)
    level = found(failed, Test.LEVEL)
    assert len(x) - 48 <= level[0] <= len(x) - 24
    assert len(level) > 3 * len(found(failed, Test.DRIFT))


def test_a_slow_departure_is_a_drift() -> None:
    x = ordinary(60)
    x[-120:] += np.linspace(0, 30, 120)
    _, failed = check(made("air.no2"), x)
    drift = found(failed, Test.DRIFT)
    assert drift.size > len(found(failed, Test.LEVEL))
    assert drift[0] >= len(x) - 120


def test_far_from_the_hour_of_the_week_is_against_climatology() -> None:
    x = ordinary(60)
    x[-1] += 60
    assert found(check(made("air.no2"), x)[1], Test.CLIMATOLOGY).tolist() == [len(x) - 1]


def test_a_signal_that_hardly_moves_is_attenuated() -> None:
    x = ordinary(60)
    x[-72:] = np.round(60 + 0.1 * (x[-72:] - 60), 3)
    attenuated = found(check(made("air.no2"), x)[1], Test.ATTENUATED)
    assert attenuated.size > 10
    assert attenuated[0] >= len(x) - 72


def meter(hours: int) -> np.ndarray:
    """Quarter-hourly counter of a meter with about 2 kW."""
    return 1_000 + np.cumsum(np.random.default_rng(4).uniform(0.3, 0.7, 4 * hours))


def count(x: np.ndarray, rated_kw: float | None = 5.0):
    return check(made("energy.energy_import", rated_kw=rated_kw), x, step=15 * MINUTE)


def test_a_good_counter_is_good() -> None:
    flags, failed = count(meter(24 * 14))
    assert (flags == Flag.GOOD).all()
    assert not failed.any()


def test_a_dip_of_a_counter_fails_and_the_recovery_is_good() -> None:
    x = meter(48)
    x[100] = 0.0
    flags, failed = count(x)
    assert np.flatnonzero(flags != Flag.GOOD).tolist() == [100]
    assert failed[100] & Test.COUNTER


@pytest.mark.parametrize(("goes_on_from", "test"), [(0.2, Test.COUNTER_RESET), (400.0, Test.COUNTER_SWAP)])
def test_a_reset_or_swap_fails_until_it_is_believed_and_is_then_counted_on(goes_on_from: float, test: Test) -> None:
    x = meter(48)
    x[100:] -= x[100] - goes_on_from
    flags, failed = count(x)
    assert flags[98:106].tolist() == [1, 1, Flag.FAIL, Flag.FAIL, Flag.FAIL, Flag.SUSPECT, 1, 1]
    assert found(failed, test).tolist() == [100, 101, 102, 103]


def test_a_full_register_rolls_over() -> None:
    x = meter(48)
    x += 99_999.9 - x[100] - 0.1
    x = np.where(x > 99_999.9, x - 99_999.9, x)
    assert found(count(x)[1], Test.COUNTER_ROLLOVER).size


@pytest.mark.parametrize("rated_kw", [5.0, None])
def test_an_impossible_step_fails(rated_kw: float | None) -> None:
    x = meter(48)
    x[150] += 53_700  # evcc 30592: a recovery booked as 53.7 MWh in a quarter of an hour
    assert np.flatnonzero(count(x, rated_kw)[0] != Flag.GOOD).tolist() == [150]


def test_a_step_is_bounded_by_the_time_since_the_last_good_value() -> None:
    tests = made("energy.energy_import", rated_kw=5.0)
    check(tests, meter(2), step=15 * MINUTE)
    assert check(tests, [meter(2)[-1] + 40.0], start=12 * HOUR)[0].tolist() == [Flag.GOOD]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 1_100), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_frames_restores_and_later_rows_change_nothing(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = ordinary(45, seed=seed)
    x[rng.integers(700, 1_000)] += 40
    x[1_000:1_020] = 44.4
    x[1_040:1_060] += rng.normal(0, 20, 20)
    flags, failed, _ = made("air.no2").check(judged(x))
    cut, parts = made("air.no2"), []
    ends = sorted({*(c for c in np.cumsum(cuts).tolist() if c < len(x)), len(x)})
    got_flags, got_failed = np.zeros(len(x), np.uint8), np.zeros(len(x), np.uint32)
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        got_flags[begin:end], got_failed[begin:end], earlier = cut.check(judged(x[begin:end], begin * HOUR))
        for t, flag, tests in zip(earlier.t.tolist(), earlier.flag.tolist(), earlier.tests.tolist(), strict=True):
            parts.append(t)
            got_flags[t // HOUR] = max(got_flags[t // HOUR], flag)
            got_failed[t // HOUR] |= tests
        again = made("air.no2")
        again.restore(cut.snapshot())
        again.ensure([SeriesSpec(f"s/{n}", quantity(n), Sensor("s", "a")) for n in ("air.no2", "air.o3")])
        cut = again
    np.testing.assert_array_equal(flags, got_flags, f"seed {seed}")
    np.testing.assert_array_equal(failed, got_failed, f"seed {seed}")
    assert found(failed, Test.FLAT_LINE).size, f"seed {seed}"
