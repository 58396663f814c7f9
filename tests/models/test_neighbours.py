"""Neighbour test: one that leaves the others is told, what they share is not; frames and restores change nothing."""

from itertools import pairwise

import numpy as np
import pytest

from domain.quantities import quantity
from domain.sensors import Link, Sensor
from models.neighbour_lists import both_ways, neighbour_lists
from models.neighbours import Neighbours
from models.series_spec import SeriesSpec

HOUR, STEP = 3_600_000, 300_000
START = 1_000 * HOUR
HOURS = 10 * 24


def specs(n: int = 5, name: str = "air.no2") -> list[SeriesSpec]:
    return [
        SeriesSpec(f"s{k}/{name}", quantity(name), Sensor(f"s{k}", "a", lat=52.0 + 0.01 * k, lon=-1.0))
        for k in range(n)
    ]


def scatter(n: int = 5, hours: int = HOURS, seed: int = 3) -> np.ndarray:
    """``float64[n, hours × 12]``: away from the usual course in its scatter; half of it is common (the weather)."""
    rng = np.random.default_rng(seed)
    shared = np.repeat(rng.normal(0, 1, hours), 12)
    return shared + rng.normal(0, 1, (n, 12 * hours))


def failed(away: np.ndarray, name: str = "air.no2", tests: Neighbours | None = None) -> set[tuple[int, int]]:
    """Row and number of the hour in which it failed."""
    tests = Neighbours() if tests is None else tests
    tests.ensure(specs(len(away), name))
    hours = away.shape[1] // 12
    for hour in range(hours):
        part = away[:, 12 * hour : 12 * hour + 12]
        t = START + hour * HOUR + np.tile(np.arange(12) * STEP, len(away))
        tests.fold(np.repeat(np.arange(len(away), dtype=np.int32), 12), t, part.ravel())
    row, start = tests.close(START + hours * HOUR)
    return set(zip(row.tolist(), ((start - START) // HOUR).tolist(), strict=True))


def test_ordinary_weather_fails_nobody() -> None:
    assert not failed(scatter())


def test_one_that_drifts_away_from_the_others_fails_alone() -> None:
    away = scatter()
    away[2, -36 * 12 :] += np.linspace(0, 6, 36 * 12)
    told = failed(away)
    assert {row for row, _ in told} == {2}
    assert 200 < min(hour for _, hour in told) < HOURS - 12
    assert (2, HOURS - 1) in told


def test_one_that_comes_back_is_well_again() -> None:
    away = scatter()
    away[2, -48 * 12 : -24 * 12] += 5
    told = failed(away)
    assert told
    assert max(hour for _, hour in told) < HOURS - 24


@pytest.mark.parametrize("who", [(0, 1, 2, 3, 4), (0, 1, 2)])
def test_what_most_share_is_no_fault(who: tuple[int, ...]) -> None:
    away = scatter()
    away[list(who), -36 * 12 :] += 5
    assert not failed(away)


def test_neighbours_that_disagree_say_nothing() -> None:
    away = scatter()
    away[2, -36 * 12 :] += 5
    away[[0, 1], -36 * 12 :] += 12
    away[[3, 4], -36 * 12 :] -= 12
    assert not {row for row, _ in failed(away)} & {2}


def test_two_neighbours_must_speak() -> None:
    away = scatter(3)
    away[2, -36 * 12 :] += 5
    assert {row for row, _ in failed(away)} == {2}
    away[0, -40 * 12 :] = np.nan
    assert not failed(away)
    assert not failed(away[1:])


def test_a_new_series_is_not_judged_yet() -> None:
    away = scatter(hours=40)
    away[2, -20 * 12 :] += 8
    assert not failed(away)


def test_an_incident_on_a_road_is_no_fault_of_a_loop() -> None:
    """Six hours of roadworks: slow at the loop and above it, free below it."""
    away = scatter()
    away[2, -20 * 12 : -14 * 12] -= 6
    away[1, -20 * 12 : -14 * 12] -= 3
    away[3, -20 * 12 : -14 * 12] += 1
    assert not failed(away, "traffic.speed")
    away[2, -36 * 12 :] -= 6  # for a day and a half
    away[1] = scatter()[1]
    assert {row for row, _ in failed(away, "traffic.speed")} == {2}


@pytest.mark.parametrize("seed", range(3))
def test_frames_and_restores_change_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    away = scatter(seed=seed)
    away[2, -36 * 12 :] += 5
    n, length = away.shape
    row, t = np.repeat(np.arange(n, dtype=np.int32), length), START + np.tile(np.arange(length) * STEP, n)
    whole = Neighbours()
    whole.ensure(specs())
    whole.fold(row, t, away.ravel())
    told = [part.tolist() for part in whole.close(START + HOURS * HOUR)]
    cut, parts = Neighbours(), [[], []]
    edges = [0, *sorted(rng.choice(np.arange(1, length), 40, replace=False).tolist()), length]
    for begin, end in pairwise(edges):
        again = Neighbours()
        if rng.random() < 0.5:
            again.ensure(specs())
        again.restore(cut.snapshot())
        again.ensure(specs())
        cut = again
        here = (t >= START + begin * STEP) & (t < START + end * STEP)
        cut.fold(row[here], t[here], away.ravel()[here])
        for kept, part in zip(parts, cut.close(START + end * STEP), strict=True):
            kept += part.tolist()
    assert parts == told
    assert len(told[0]) > 10
    one, other = whole.snapshot(), cut.snapshot()
    assert one["state"].tobytes() == other["state"].tobytes()


def test_stations_have_the_nearest_and_roads_what_they_join() -> None:
    many = specs(12)
    near = neighbour_lists(many, {})
    assert near[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sorted(near[6].tolist()) == [2, 3, 4, 5, 7, 8, 9, 10]
    links = [Link("s0", "s5", 900.0), Link("s5", "x", 400.0), Link("x", "s9", 400.0), Link("s9", "s11", 9_000.0)]
    near = neighbour_lists(many, both_ways(links))
    assert near[5].tolist() == [9, 0, -1, -1, -1, -1, -1, -1]
    assert near[0].tolist() == [5, 9, -1, -1, -1, -1, -1, -1]
    assert near[11].tolist() == [10, 9, 8, 7, 6, 5, 4, 3]  # its only link leads too far


def test_of_many_at_few_places_the_order_is_by_distance_then_name() -> None:
    """More than are compared at once, many of them equally near, some without a position: as one by one."""
    rng = np.random.default_rng(7)
    no2 = quantity("air.no2")
    sensors = [Sensor(f"s{k}", "a", lat=52.0 + 0.01 * int(rng.integers(9)), lon=-1.0) for k in range(300)]
    sensors += [Sensor("nowhere", "a"), Sensor("unknown", "a")]
    found = neighbour_lists([SeriesSpec(f"{s.sensor}/air.no2", no2, s) for s in sensors], {})
    for row in (0, 150, 299):
        others = [(abs((s.lat or 99.0) - (sensors[row].lat or 0.0)), s.sensor, k) for k, s in enumerate(sensors)]
        nearest = sorted((round(degrees, 6), name, k) for degrees, name, k in others if k != row)
        assert found[row].tolist() == [k for _, _, k in nearest[:8]]
    named = sorted(range(302), key=lambda k: sensors[k].sensor)
    assert found[300].tolist() == [k for k in named if k != 300][:8], "nobody is near to one without a position"


def test_other_quantities_and_counters_are_no_neighbours() -> None:
    mixed = [*specs(3), *specs(3, "air.o3"), *specs(3, "energy.energy_import")]
    near = neighbour_lists(mixed, {})
    assert near[0].tolist()[:3] == [1, 2, -1]
    assert near[4].tolist()[:3] == [3, 5, -1]
    assert (near[6:] == -1).all()
