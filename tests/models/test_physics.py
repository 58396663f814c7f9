"""What the quantities of one sensor cannot be at one time, however their readings come in."""

import numpy as np
import pytest

from domain.quantities import quantity
from domain.sensors import Sensor
from models.physical_laws import TOGETHER_MS
from models.physics import Physics
from models.series_spec import SeriesSpec

KW, VOLTS, AMPS, FACTOR = "energy.active_power", "energy.voltage", "energy.current", "energy.power_factor"
FLOW, SPEED, OCCUPANCY = "traffic.flow", "traffic.speed", "traffic.occupancy"


def made(*names: str) -> Physics:
    physics = Physics()
    physics.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a")) for name in names])
    return physics


def together(names, values, offset: int = 0) -> list[bool]:
    """One reading of each, the second ``offset`` ms later than the first."""
    n = len(values)
    t = np.zeros(n, np.int64)
    t[1:2] += offset
    return made(*names).broken(np.arange(n, dtype=np.int32), t, np.array(values, float), np.ones(n, bool)).tolist()


@pytest.mark.parametrize(
    ("names", "values", "wrong"),
    [
        ((FLOW, OCCUPANCY), (0.0, 0.2), [True, True]),
        ((FLOW, OCCUPANCY), (0.0, 1.0), [False, False]),
        ((OCCUPANCY, FLOW), (0.0, 900.0), [True, True]),
        ((FLOW, SPEED), (0.0, 50.0), [False, True]),
        ((FLOW, SPEED), (600.0, 0.0), [True, True]),
        ((FLOW, SPEED, OCCUPANCY), (1_200.0, 60.0, 0.12), [False, False, False]),
        ((FLOW, SPEED, OCCUPANCY), (300.0, 100.0, 0.5), [True, True, True]),
        (("air.pm10", "air.pm25"), (20.0, 40.0), [True, True]),
        (("air.pm10", "air.pm25"), (20.0, 22.0), [False, False]),
        ((KW, "energy.apparent_power"), (120.0, 100.0), [True, True]),
        ((KW, VOLTS, AMPS, FACTOR), (2.2, 230.0, 10.0, 0.95), [False] * 4),
        ((KW, VOLTS, AMPS, FACTOR), (6.6, 230.0, 10.0, 0.95), [False] * 4),
        ((KW, VOLTS, AMPS, FACTOR), (22.0, 230.0, 10.0, 0.95), [True] * 4),
    ],
)
def test_contradictions_inside_a_sensor(names, values, wrong) -> None:
    assert together(names, values) == wrong


def test_readings_are_of_one_time_within_the_tolerance_only() -> None:
    assert together((FLOW, SPEED), (0.0, 50.0), TOGETHER_MS) == [False, True]
    assert together((FLOW, SPEED), (0.0, 50.0), TOGETHER_MS + 1) == [False, False]


def test_other_sensors_do_not_contradict() -> None:
    physics = Physics()
    physics.ensure([SeriesSpec(f"{s}/{q}", quantity(q), Sensor(s, "a")) for s, q in (("a", FLOW), ("b", SPEED))])
    row, t = np.arange(2, dtype=np.int32), np.zeros(2, np.int64)
    assert not physics.broken(row, t, np.array([0.0, 50.0]), np.ones(2, bool)).any()
    assert not physics.concerns(row)


def test_only_what_a_fresh_reading_takes_part_in_is_told() -> None:
    row, t = np.array([0, 1, 0, 1], np.int32), np.array([0, 0, 60_000, 60_000])
    wrong = made(FLOW, SPEED).broken(row, t, np.array([0.0, 50.0, 0.0, 50.0]), np.array([False, False, True, False]))
    assert wrong.tolist() == [False, False, False, True]
