"""Two channels of one instrument that have changed places, and what only looks like it."""

import numpy as np
import pytest

from domain.flags import Flag, Test
from domain.quantities import quantity
from domain.scores import Judged
from domain.sensors import Sensor
from models.quality import QualityTests
from models.quality_swapped import Swapped
from models.series_spec import SeriesSpec

STEP, DAY = 300_000, 288
N = 6 * DAY
BEGIN, END = 5 * DAY + 100, 5 * DAY + 172  # by day


def made(first: str, second: str) -> Swapped:
    swapped = Swapped()
    swapped.ensure([SeriesSpec(f"s/{name}", quantity(name), Sensor("s", "a")) for name in (first, second)])
    return swapped


def daily(level: float, swing: float, flicker: float, seed: int, phase: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return level + swing * np.sin(2 * np.pi * (np.arange(N) / DAY - phase)) + flicker * rng.normal(0, 1, N)


def road() -> tuple[np.ndarray, np.ndarray]:
    flow = np.round(np.maximum(daily(700, 400, 70, 1, 0.25), 0) / 60) * 60
    return flow, daily(60, 5, 2, 2, 0.75)


def told(swapped: Swapped, x: np.ndarray, y: np.ndarray, cut: int = 12) -> list[tuple[int, int]]:
    """(row, step) of what is found, in frames of ``cut`` readings of both."""
    found = []
    for k in range(0, N, cut):
        t = np.arange(k, min(k + cut, N), dtype=np.int64) * STEP
        row = np.repeat(np.array([0, 1], np.int32), len(t))
        found += swapped.judge(row, np.tile(t, 2), np.concatenate((x[k : k + cut], y[k : k + cut])))
    return sorted((row, t // STEP) for row, t in found)


@pytest.mark.parametrize(
    ("names", "x", "y"),
    [
        (("traffic.flow", "traffic.speed"), *road()),
        (("energy.active_power", "energy.voltage"), daily(40, 20, 1, 3), daily(231, 1, 0.5, 4)),
        (("air.temperature", "air.humidity"), daily(12, 4, 0.3, 5), daily(70, 10, 1, 6, 0.5)),
    ],
)
def test_an_exchange_is_told_of_both_channels_until_it_is_over(
    names: tuple[str, str], x: np.ndarray, y: np.ndarray
) -> None:
    a, b = x.copy(), y.copy()
    a[BEGIN:END], b[BEGIN:END] = y[BEGIN:END], x[BEGIN:END]
    found = told(made(*names), a, b)
    assert {row for row, _ in found} == {0, 1}
    assert min(k for _, k in found) <= BEGIN + 12
    assert all(BEGIN <= k < END for _, k in found)
    assert len(found) >= 2 * (END - BEGIN - 12)


def test_an_ordinary_day_a_queue_and_shifts_of_both_are_no_exchange() -> None:
    flow, speed = road()
    for begin in range(2 * DAY, N, DAY):
        flow[begin + 100 : begin + 112] = 60.0  # a queue, in which the flow is what the speed was
        speed[begin + 100 : begin + 112] = 15.0
    flow[BEGIN:END] -= 0.4 * flow[BEGIN:END]
    speed[BEGIN:END] += 40
    assert told(made("traffic.flow", "traffic.speed"), flow, speed) == []


def test_gases_that_go_against_each_other_are_no_exchange() -> None:
    """In a winter night NO2 rises to where ozone was and ozone falls to where NO2 was, within two hours."""
    no2, o3 = daily(25, 5, 1.5, 7), daily(60, 8, 1.5, 8)
    ramp = np.concatenate((np.linspace(0, 1, 24), np.ones(END - BEGIN - 48), np.linspace(1, 0, 24)))
    no2[BEGIN:END] += 35 * ramp
    o3[BEGIN:END] -= 35 * ramp
    assert told(made("air.no2", "air.o3"), no2, o3) == []


def test_what_is_found_does_not_depend_on_frames_nor_on_who_comes_first() -> None:
    x, y = road()
    x[BEGIN:END], y[BEGIN:END] = y[BEGIN:END].copy(), x[BEGIN:END].copy()
    x[3 * DAY + 5 : 3 * DAY + 9] = np.nan
    whole = told(made("traffic.flow", "traffic.speed"), x, y, N)
    assert len(whole) > 100
    assert told(made("traffic.flow", "traffic.speed"), x, y, 1) == whole
    apart, found = made("traffic.flow", "traffic.speed"), []
    for k in range(0, N, 60):  # all of the one, then all of the other
        t = np.arange(k, min(k + 60, N), dtype=np.int64) * STEP
        for row, values in ((1, y), (0, x)):
            found += apart.judge(np.full(len(t), row, np.int32), t, values[k : k + 60])
    assert sorted((row, t // STEP) for row, t in found) == whole


@pytest.mark.parametrize("cut", [DAY, BEGIN + 2, BEGIN + 20, END])
def test_a_restored_state_goes_on_as_before(cut: int) -> None:
    x, y = road()
    x[BEGIN:END], y[BEGIN:END] = y[BEGIN:END].copy(), x[BEGIN:END].copy()
    row, t = np.repeat(np.array([0, 1], np.int32), N), np.tile(np.arange(N, dtype=np.int64) * STEP, 2)
    both = np.concatenate((x, y))
    early = (t < cut * STEP) | ((row == 0) & (t < (cut + 3) * STEP))  # three wait for their partner
    one = made("traffic.flow", "traffic.speed")
    one.judge(row[early], t[early], both[early])
    again = made("traffic.flow", "traffic.speed")
    again.restore(one.snapshot())
    found = [each.judge(row[~early], t[~early], both[~early]) for each in (one, again)]
    assert found[0] == found[1]
    np.testing.assert_array_equal(one.snapshot()["hours"], again.snapshot()["hours"])
    np.testing.assert_array_equal(one.snapshot()["one"], again.snapshot()["one"])


def test_refused_readings_tell_of_it_and_are_told_of_it() -> None:
    """A speed of 1,100 km/h is no speed; it is the flow."""
    tests = QualityTests()
    tests.ensure([SeriesSpec(f"s/{n}", quantity(n), Sensor("s", "a")) for n in ("traffic.flow", "traffic.speed")])
    flow, speed = road()
    flow[BEGIN:END], speed[BEGIN:END] = speed[BEGIN:END].copy(), flow[BEGIN:END].copy()
    marked, refused_marked, revised = 0, 0, 0
    for k in range(N):
        for row, x in ((1, speed[k]), (0, flow[k])):  # each in a frame of its own
            one = Judged(np.array([row], np.int32), np.array([k * STEP]), np.array([x]), np.ones(1, np.uint8),
                         np.zeros(1, np.uint32))  # fmt: skip
            new, refused = (Judged.empty(), one) if row and x > 250 else (one, Judged.empty())
            flag, failed, earlier = tests.check(new, refused)
            marked += int((failed & np.uint32(Test.SWAPPED) != 0).sum())
            assert (flag[failed & np.uint32(Test.SWAPPED) != 0] >= Flag.SUSPECT).all()
            refused_marked += int((refused.tests & np.uint32(Test.SWAPPED) != 0).sum())
            revised += int((earlier.tests & np.uint32(Test.SWAPPED) != 0).sum())
    assert marked > 40
    assert revised > 40  # the speed came before the flow
    assert refused_marked == 0
    both = QualityTests()
    both.ensure([SeriesSpec(f"s/{n}", quantity(n), Sensor("s", "a")) for n in ("traffic.flow", "traffic.speed")])
    t = np.arange(N, dtype=np.int64) * STEP
    high = speed > 250
    row = np.concatenate((np.zeros(N, np.int32), np.ones(int((~high).sum()), np.int32)))
    new = Judged(row, np.concatenate((t, t[~high])), np.concatenate((flow, speed[~high])),
                 np.ones(len(row), np.uint8), np.zeros(len(row), np.uint32))  # fmt: skip
    n = int(high.sum())
    refused = Judged(np.ones(n, np.int32), t[high], speed[high], np.full(n, 4, np.uint8), np.full(n, 1, np.uint32))
    _, failed, _ = both.check(new, refused)
    assert int((failed & np.uint32(Test.SWAPPED) != 0).sum()) >= marked
    assert (refused.tests & np.uint32(Test.SWAPPED) != 0).sum() > 40
