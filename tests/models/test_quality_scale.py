"""Another unit is told from a shift by a constant, and from good data; so is a gain."""

import numpy as np
import pytest

from domain.flags import Test
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.quality import QualityTests
from models.series_spec import SeriesSpec

STEP = 300_000
DAY = 288


def failed(name: str, x: np.ndarray) -> np.ndarray:
    tests = QualityTests()
    tests.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a"))])
    n = len(x)
    t = np.arange(n, dtype=np.int64) * STEP
    return tests.check(Judged(np.zeros(n, np.int32), t, x, np.ones(n, np.uint8), np.zeros(n, np.uint32)))[1]


def usual(days: int, level: float, swing: float) -> np.ndarray:
    rng = np.random.default_rng(5)
    n = days * DAY
    return level + swing * np.sin(2 * np.pi * np.arange(n) / DAY) + 0.03 * swing * rng.uniform(-1, 1, n)


@pytest.mark.parametrize(
    ("name", "level", "swing", "factor", "offset"),
    [
        ("traffic.speed", 70.0, 20.0, 0.621371, 0.0),
        ("energy.active_power", 300.0, 100.0, 1_000.0, 0.0),
        ("air.o3", 60.0, 30.0, 1 / 1.995, 0.0),
        ("air.temperature", 8.0, 5.0, 1.8, 32.0),
        ("air.humidity", 70.0, 15.0, 0.01, 0.0),
    ],
)
def test_another_unit_is_named(name: str, level: float, swing: float, factor: float, offset: float) -> None:
    x = usual(9, level, swing)
    x[8 * DAY + 40 :] = factor * x[8 * DAY + 40 :] + offset
    told = failed(name, x) & np.uint32(Test.UNIT)
    assert not told[: 8 * DAY + 40].any()
    assert np.count_nonzero(told[8 * DAY + 40 :]) >= 3


def test_another_unit_is_named_after_a_restart_too() -> None:
    """Only the learned state is kept; the factors come back with what is declared of the series."""
    x = usual(9, 70.0, 20.0)
    x[8 * DAY + 40 :] *= 0.621371
    n, cut = len(x), 8 * DAY + 42
    judged = Judged(np.zeros(n, np.int32), np.arange(n, dtype=np.int64) * STEP, x, np.ones(n, np.uint8),
                    np.zeros(n, np.uint32))  # fmt: skip
    specs = [SeriesSpec("s/traffic.speed", quantity("traffic.speed"), Sensor("s", "a"))]
    before, after = QualityTests(), QualityTests()
    before.ensure(specs)
    before.check(judged.take(np.arange(cut)))
    after.restore(before.snapshot())
    after.ensure(specs)
    told = after.check(judged.take(np.arange(cut, n)))[1]
    np.testing.assert_array_equal(told, failed("traffic.speed", x)[cut:])
    assert (told & np.uint32(Test.UNIT)).any()


def test_a_shift_by_a_constant_is_no_other_unit() -> None:
    x = usual(9, 70.0, 20.0)
    x[8 * DAY + 40 :] -= 0.38 * x[8 * DAY + 40]  # as far down as miles would be, at first
    tests = failed("traffic.speed", x)
    assert (tests & np.uint32(Test.LEVEL)).any()
    assert not (tests & np.uint32(Test.UNIT)).any()


def test_a_speed_that_hardly_varies_is_named_by_how_it_flickers() -> None:
    """Free flow all day: a factor and a constant leave the same course, but a factor calms the flicker, too."""
    rng = np.random.default_rng(8)
    x = 90 + rng.normal(0, 2, 9 * DAY)
    miles, lower = x.copy(), x.copy()
    miles[8 * DAY + 40 :] *= 0.621371
    lower[8 * DAY + 40 :] -= 0.378629 * 90
    assert (failed("traffic.speed", miles) & np.uint32(Test.UNIT)).any()
    tests = failed("traffic.speed", lower)
    assert (tests & np.uint32(Test.LEVEL)).any()
    assert not (tests & np.uint32(Test.UNIT)).any()


def test_a_temperature_that_rises_by_thirty_degrees_is_no_fahrenheit() -> None:
    x = usual(9, 8.0, 5.0)
    x[8 * DAY + 40 :] += 38.0  # what the offset and the factor come to in the mean
    tests = failed("air.temperature", x)
    assert (tests & np.uint32(Test.LEVEL)).any()
    assert not (tests & np.uint32(Test.UNIT)).any()


def test_milligrams_are_named_though_every_low_value_is_usual() -> None:
    rng = np.random.default_rng(9)
    x = 9.0 * rng.gamma(3.0, 1 / 3.0, 21 * DAY)
    x[20 * DAY + 40 :] *= 0.001
    told = failed("air.pm25", x) & np.uint32(Test.UNIT)
    assert not told[: 20 * DAY + 40].any()
    assert np.count_nonzero(told[20 * DAY + 40 :]) > 100


def test_a_queue_is_no_other_unit() -> None:
    """Speed falls to about two thirds for an hour and a half, and comes back."""
    rng = np.random.default_rng(10)
    x = usual(9, 80.0, 12.0)
    for begin in range(7 * DAY, 9 * DAY, 60):
        x[begin : begin + 18] *= rng.uniform(0.45, 0.8, 18)
    assert not (failed("traffic.speed", x) & np.uint32(Test.UNIT | Test.GAIN)).any()


def test_what_is_far_off_by_a_unit_teaches_nothing() -> None:
    x = usual(10, 300.0, 100.0)
    x[8 * DAY + 40 : 8 * DAY + 100] *= 1_000
    tests = failed("energy.active_power", x)
    assert np.count_nonzero(tests[8 * DAY + 40 : 8 * DAY + 100] & np.uint32(Test.UNIT)) > 50
    assert not tests[8 * DAY + 160 :].any()  # the slow mean of the residual needs four hours to come back


def flickering(days: int, level: float, swing: float, flicker: float) -> np.ndarray:
    rng = np.random.default_rng(6)
    n = days * DAY
    return level + swing * np.sin(2 * np.pi * np.arange(n) / DAY) + flicker * rng.uniform(-1, 1, n)


@pytest.mark.parametrize(
    ("name", "level", "swing", "gain"),
    [
        ("traffic.flow", 600.0, 250.0, 1.5), ("energy.active_power", 40.0, 15.0, 0.5),
        ("energy.voltage", 230.0, 1.0, 1.3), ("generic.noise", 50.0, 10.0, 1.6),
    ],
)  # fmt: skip
def test_a_gain_is_told_from_a_constant(name: str, level: float, swing: float, gain: float) -> None:
    x = flickering(9, level, swing, 0.03 * level)
    begin = 8 * DAY + 40
    times, plus = x.copy(), x.copy()
    times[begin:] *= gain
    plus[begin:] += (gain - 1) * level
    told = failed(name, times)
    assert not (told[:begin] & np.uint32(Test.GAIN)).any()
    assert np.count_nonzero(told & np.uint32(Test.GAIN)) >= 3
    told = failed(name, plus)
    assert (told & np.uint32(Test.LEVEL)).any()
    assert not (told & np.uint32(Test.GAIN | Test.UNIT)).any()


def test_a_drift_that_goes_with_the_course_is_no_gain() -> None:
    """Both rise the whole morning, so that a factor fits as well as the drift does."""
    x = flickering(9, 600.0, 250.0, 18.0)
    begin = 8 * DAY - 72  # the lowest of the course
    x[begin : begin + 144] += 400.0 * np.arange(144) / 144
    told = failed("traffic.flow", x)
    assert (told & np.uint32(Test.DRIFT | Test.LEVEL)).any()
    assert not (told & np.uint32(Test.GAIN)).any()


def test_a_pollution_episode_is_no_gain() -> None:
    """Particles come and go within five hours, on top of what there is."""
    x = flickering(9, 20.0, 6.0, 1.5)
    for begin in (7 * DAY + 30, 8 * DAY + 100):
        x[begin : begin + 60] += 60.0 * np.sin(np.pi * np.arange(60) / 60)
    assert not (failed("air.pm25", x) & np.uint32(Test.GAIN | Test.UNIT)).any()
