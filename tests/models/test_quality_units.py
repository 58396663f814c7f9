"""Another unit is told from a shift by a constant, and from good data."""

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
    ("name", "level", "swing", "factor"),
    [
        ("traffic.speed", 70.0, 20.0, 0.621371),
        ("energy.active_power", 300.0, 100.0, 1_000.0),
        ("air.o3", 60.0, 30.0, 1 / 1.995),
    ],
)
def test_another_unit_is_named(name: str, level: float, swing: float, factor: float) -> None:
    x = usual(9, level, swing)
    x[8 * DAY + 40 :] *= factor
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
