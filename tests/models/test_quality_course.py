"""The usual course that readings are held against: within the hour, over the week, and while it is young."""

import numpy as np

from domain.flags import Flag, Test
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.quality import QualityTests
from models.series_spec import SeriesSpec

STEP = 10 * 60_000
DAY = 144


def failed(x: np.ndarray, name: str = "energy.active_power", first_day: int = 0) -> np.ndarray:
    """``uint32[n]``: failed tests of readings ten minutes apart, from 00:00 of a day on; day 0 is a Thursday."""
    tests = QualityTests()
    tests.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a"))])
    n = len(x)
    flag, none = np.full(n, Flag.GOOD, np.uint8), np.zeros(n, np.uint32)
    return tests.check(Judged(np.zeros(n, np.int32), (first_day * DAY + np.arange(n)) * STEP, x, flag, none))[1]


def has(tests: np.ndarray, test: Test) -> np.ndarray:
    return np.flatnonzero((tests & np.uint32(test)) != 0)


def course(days: int, swing: float, seed: int = 3) -> np.ndarray:
    """A steep daily course with little scatter, bounded: what chance alone raises, the benchmark counts."""
    n = days * DAY
    scatter = np.random.default_rng(seed).uniform(-1, 1, n)
    return 500 + swing * np.sin(2 * np.pi * np.arange(n) / DAY) + scatter


def test_the_second_week_is_held_against_the_first_and_not_against_zero() -> None:
    """Hours of the week that were first seen after the warm-up once began at zero, bounded in how fast they learn."""
    assert not failed(course(25, swing=0.0)).any()


def test_a_shift_is_seen_on_a_steep_course_because_no_full_hour_is_one() -> None:
    x = course(24, swing=100.0)
    at = 20 * DAY + DAY // 2 + 3  # half past an hour, where the course is steepest
    x[at : at + DAY // 4] += 16.0
    tests = failed(x)
    level = has(tests, Test.LEVEL)
    assert level.size
    assert at <= level[0] <= at + 4
    assert not has(tests[: at - 1], Test.LEVEL).size


def test_a_young_record_has_to_be_broken_by_more() -> None:
    def shifted(day: int) -> bool:
        x = course(day + 2, swing=0.0)
        at = day * DAY + 6
        x[at:] += 13.0
        return bool(has(failed(x)[at : at + 6], Test.LEVEL).size)

    assert not shifted(4)
    assert shifted(32)


def test_on_the_first_weekend_a_series_may_leave_the_course_of_working_days() -> None:
    def crept(day: int) -> bool:
        """Whether six hours down and staying there is told, from 03:00 of a day on; the first is a Monday."""
        x = course(day + 1, swing=0.0)
        at = day * DAY + DAY // 8
        x[at:] -= np.minimum(np.arange(len(x) - at) / (DAY // 4), 1.0) * 6.0
        told = failed(x, first_day=4)
        return bool(has(told, Test.LEVEL).size + has(told, Test.DRIFT).size)

    thursday, saturday, sunday, second_saturday = 3, 5, 6, 12
    assert [crept(day) for day in (thursday, saturday, sunday, second_saturday)] == [True, False, False, True]
