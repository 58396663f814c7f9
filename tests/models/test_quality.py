import numpy as np
import pytest

from domain.flags import Flag, Test
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.quality import QualityTests
from models.series_spec import SeriesSpec

MINUTE = 60_000
DAY = 1_440


def made(*names: str, rated_kw: float | None = None) -> QualityTests:
    """Tests of series of one sensor."""
    tests = QualityTests()
    tests.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a", rated_kw=rated_kw)) for name in names])
    return tests


def check(tests: QualityTests, x, start: int = 0, step: int = MINUTE, row: int = 0):
    n = len(x)
    t = start + np.arange(n) * step
    return tests.check(
        Judged(
            np.full(n, row, np.int32), t, np.asarray(x, float), np.full(n, Flag.GOOD, np.uint8), np.zeros(n, np.uint32)
        )
    )


def together(tests: QualityTests, *x: float, t: int = 0):
    """One reading of each row at one time."""
    n = len(x)
    rows = np.arange(n, dtype=np.int32)
    return tests.check(
        Judged(rows, np.full(n, t), np.array(x, float), np.full(n, Flag.GOOD, np.uint8), np.zeros(n, np.uint32))
    )


def ordinary(days: float, seed: int = 1, decimals: int = 1) -> np.ndarray:
    n = int(days * DAY)
    rng = np.random.default_rng(seed)
    return np.round(60 + 20 * np.sin(2 * np.pi * np.arange(n) / DAY) + rng.normal(0, 2, n), decimals)


def test_ordinary_readings_are_good():
    flags, tests = check(made("air.no2"), ordinary(7))
    assert (flags == Flag.GOOD).all()
    assert not tests.any()


def test_outside_the_span_fails_and_is_not_learned():
    tests = made("air.no2")
    flags, failed = check(tests, [50.0, 5_000.0, -11.0, 51.0])
    assert flags.tolist() == [Flag.GOOD, Flag.FAIL, Flag.FAIL, Flag.GOOD]
    assert failed.tolist() == [0, Test.GROSS_RANGE, Test.GROSS_RANGE, 0]


def test_power_above_its_rating_is_suspect():
    flags, failed = check(made("energy.active_power", rated_kw=100.0), [119.0, 121.0, -121.0])
    assert flags.tolist() == [Flag.GOOD, Flag.SUSPECT, Flag.SUSPECT]
    assert failed.tolist() == [0, Test.GROSS_RANGE, Test.GROSS_RANGE]


@pytest.mark.parametrize("size", [40.0, -40.0])
def test_a_spike_is_suspect_and_the_return_from_it_is_not(size: float):
    tests = made("air.no2")
    x = ordinary(3)
    x[-5] += size
    flags, failed = check(tests, x)
    assert np.flatnonzero(flags != Flag.GOOD).tolist() == [len(x) - 5]
    assert failed[-5] == Test.SPIKE


def test_the_learned_spike_limit_is_the_series_own():
    x = ordinary(3)
    x[::100] += 40  # such jumps are usual here
    x[-50] += 40
    assert (check(made("air.no2"), x)[0] == Flag.GOOD).all()


def test_faster_than_the_weather_is_suspect():
    flags, failed = check(made("air.temperature"), [10.0, 10.5, 15.0, 15.1])
    assert flags.tolist() == [Flag.GOOD, Flag.GOOD, Flag.SUSPECT, Flag.GOOD]
    assert failed[2] == Test.RATE_OF_CHANGE


def test_after_a_long_gap_a_rate_says_nothing():
    tests = made("air.temperature")
    check(tests, [10.0])
    assert check(tests, [20.0], start=60 * MINUTE)[0].tolist() == [Flag.GOOD]


def test_a_stuck_sensor_is_suspect_then_fails():
    tests = made("air.no2")
    check(tests, ordinary(2))
    flags, failed = check(tests, np.full(120, 55.5), start=2 * DAY * MINUTE)
    first = np.argmax(flags == Flag.SUSPECT)
    assert 30 <= first <= 35
    assert flags[-1] == Flag.FAIL
    assert failed[-1] == Test.FLAT_LINE
    back = check(tests, [56.0], start=(2 * DAY + 120) * MINUTE)
    assert back[0].tolist() == [Flag.GOOD]


@pytest.mark.parametrize("kind", ["night zeros", "sparse", "coarse", "constant", "long plateaus"])
def test_what_is_flat_by_nature_is_not_flagged(kind: str):
    rng = np.random.default_rng(2)
    n = 14 * DAY
    minute = np.arange(n) % DAY
    series = {
        "night zeros": np.where(minute < 360, 0.0, rng.poisson(30, n) * 60.0),
        "sparse": (rng.random(n) < 0.02) * 60.0,
        "coarse": np.round(ordinary(14) / 20) * 20,
        "constant": np.full(n, 1.0),
        "long plateaus": np.repeat(rng.integers(1, 50, n // 240 + 1), 240)[:n].astype(float),
    }
    _, failed = check(made("traffic.flow"), series[kind])
    flat = (failed & Test.FLAT_LINE) > 0
    assert flat.mean() < 0.001


def test_stuck_at_zero_in_a_busy_series_is_found_in_the_end():
    tests = made("traffic.flow")
    rng = np.random.default_rng(3)
    check(tests, 1_000 + rng.poisson(30, 4 * DAY) * 60.0)
    flags, _ = check(tests, np.zeros(DAY), start=4 * DAY * MINUTE)
    assert (flags[:300] == Flag.GOOD).all()
    assert flags[-1] == Flag.FAIL


def meter(hours: int) -> np.ndarray:
    """Quarter-hourly counter of a meter with about 2 kW."""
    return 1_000 + np.cumsum(np.random.default_rng(4).uniform(0.3, 0.7, 4 * hours))


def test_a_dip_of_a_counter_fails_and_the_recovery_is_good():
    x = meter(48)
    x[100] = 0.0
    flags, failed = check(made("energy.energy_import", rated_kw=5.0), x, step=15 * MINUTE)
    assert np.flatnonzero(flags != Flag.GOOD).tolist() == [100]
    assert failed[100] == Test.COUNTER


def test_a_reset_is_failed_until_it_is_believed_and_then_counted_on():
    x = meter(48)
    x[100:] -= x[100] - 3.0
    flags, _ = check(made("energy.energy_import", rated_kw=5.0), x, step=15 * MINUTE)
    assert flags[98:106].tolist() == [1, 1, Flag.FAIL, Flag.FAIL, Flag.FAIL, Flag.SUSPECT, 1, 1]


@pytest.mark.parametrize("rated_kw", [5.0, None])
def test_an_impossible_step_fails(rated_kw: float | None):
    x = meter(48)
    x[150] += 53_700  # evcc 30592: a recovery booked as 53.7 MWh in a quarter of an hour
    flags, _ = check(made("energy.energy_import", rated_kw=rated_kw), x, step=15 * MINUTE)
    assert np.flatnonzero(flags != Flag.GOOD).tolist() == [150]


def test_a_step_is_bounded_by_the_time_since_the_last_good_value():
    tests = made("energy.energy_import", rated_kw=5.0)
    check(tests, meter(2), step=15 * MINUTE)
    last = meter(2)[-1]
    flags, _ = check(tests, [last + 40.0], start=12 * 3_600_000)
    assert flags.tolist() == [Flag.GOOD]


@pytest.mark.parametrize(
    ("names", "values", "wrong"),
    [
        (("traffic.flow", "traffic.occupancy"), (0.0, 0.2), [True, True]),
        (("traffic.flow", "traffic.occupancy"), (0.0, 1.0), [False, False]),
        (("traffic.occupancy", "traffic.flow"), (0.0, 900.0), [True, True]),
        (("traffic.flow", "traffic.speed"), (0.0, 50.0), [False, True]),
        (("traffic.flow", "traffic.speed"), (600.0, 0.0), [True, True]),
        (("air.pm10", "air.pm25"), (20.0, 40.0), [True, True]),
        (("air.pm10", "air.pm25"), (20.0, 22.0), [False, False]),
        (("energy.active_power", "energy.apparent_power"), (120.0, 100.0), [True, True]),
    ],
)
def test_contradictions_inside_a_sensor_are_suspect(names, values, wrong):
    flags, failed = together(made(*names), *values)
    assert (flags == Flag.SUSPECT).tolist() == wrong
    assert ((failed & Test.PHYSICS) > 0).tolist() == wrong


def test_readings_of_other_times_and_other_sensors_do_not_contradict():
    tests = QualityTests()
    tests.ensure(
        [
            SeriesSpec("a/traffic.flow", quantity("traffic.flow"), Sensor("a", "x")),
            SeriesSpec("b/traffic.speed", quantity("traffic.speed"), Sensor("b", "x")),
            SeriesSpec("a/traffic.speed", quantity("traffic.speed"), Sensor("a", "x")),
        ]
    )
    row = np.array([0, 1, 2], np.int32)
    t = np.array([0, 0, MINUTE])
    judged = Judged(row, t, np.array([0.0, 50.0, 50.0]), np.ones(3, np.uint8), np.zeros(3, np.uint32))
    assert (tests.check(judged)[0] == Flag.GOOD).all()


def test_frames_restores_and_later_rows_change_nothing():
    x = ordinary(4)
    x[4_000] += 60
    x[5_000:5_100] = 44.4
    whole, cut = made("air.no2"), made("air.no2")
    flags, failed = check(whole, x)
    parts = []
    for k in range(0, len(x), 500):
        parts.append(check(cut, x[k : k + 500], start=k * MINUTE))
        again = made("air.no2")
        again.restore(cut.snapshot())
        again.ensure([SeriesSpec(f"s/{n}", quantity(n), Sensor("s", "a")) for n in ("air.no2", "air.o3")])
        cut = again
    np.testing.assert_array_equal(flags, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(failed, np.concatenate([part[1] for part in parts]))
    assert (flags != Flag.GOOD).any()
