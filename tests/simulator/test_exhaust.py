"""What traffic gives off: as much as its fuel, so more where it stops and goes."""

import numpy as np

from domain.times import HOUR_MS
from simulator.exhaust import MATTERS, STEP_MS, Exhaust, exhaust
from simulator.noise import node_times
from simulator.plan import plan_town
from simulator.road_flow import RoadFlow, nothing

TOWN = plan_town(7, 40)
EIGHT = 1_772_409_600_000 + 8 * HOUR_MS  # Monday 2 March 2026, 08:00


def given(flow: float, speed: float) -> float:
    """At the first loop, of so many veh/h at so many km/h."""
    roads = RoadFlow(TOWN, 7)
    columns = (np.full((len(roads.capacity), 1), value) for value in (flow, speed))
    return float(exhaust(roads, *columns)[0, 0] * roads.capacity[0])


def test_a_kilometre_at_walking_pace_gives_off_twice_what_it_does_in_free_flow() -> None:
    assert 1.8 < given(600, 10) / given(600, 50) < 2.6  # COPERT and others for NOx


def test_a_queue_that_hardly_moves_gives_off_more_than_the_traffic_that_came_before_it() -> None:
    roads = RoadFlow(TOWN, 7)
    capacity, free = float(roads.capacity[0]), float(roads.free[0])
    jam = 100 * capacity / 2_000  # vehicles on a kilometre of as many lanes
    slow = 0.4 * capacity / jam
    assert given(0.4 * capacity, slow) > 1.1 * given(0.7 * capacity, 0.9 * free)


def test_without_events_the_peak_gives_off_more_than_the_night() -> None:
    air = Exhaust(RoadFlow(TOWN, 7), TOWN.stations)
    rows = np.arange(len(TOWN.stations))
    peak, night = (
        air.at(node_times(start, start + HOUR_MS, STEP_MS), rows, nothing) for start in (EIGHT, EIGHT - 5 * HOUR_MS)
    )
    assert np.all(peak.mean(axis=1) > 2 * night.mean(axis=1))
    assert 0 < MATTERS < peak.max() < 2.5
