"""The road network: vehicles are conserved, waves run as fast as theory says, queues come and go."""

from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from domain.times import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.cells import State, advance, at_rest, demand_at_sources
from simulator.demand import Demand
from simulator.events import Crash
from simulator.network import STEP_H, Network, build
from simulator.plan import plan_town
from simulator.world_event import TrafficEvent

TOWN = plan_town(7)
MONDAY = 1_772_409_600_000


@cache
def network() -> Network:
    return build(TOWN, 7)


def play(start: int, minutes: int, events: tuple[TrafficEvent, ...] = (), level: float = 1.0) -> list[State]:
    """States at each full minute, from rest."""
    net = network()
    demand = Demand(net.roads, net.peak, 7, TOWN.name)
    by_road = level * demand.at(start + np.arange(minutes, dtype=np.int64) * MINUTE_MS)
    states = [at_rest(net, by_road[:, 0])]
    for k in range(minutes):
        at = start + k * MINUTE_MS
        states.append(advance(net, states[-1], at, by_road[:, k : k + 1], np.zeros(1), events)[0])
    return states


@pytest.mark.parametrize("level", [0.5, 1.0, 1.6])
def test_vehicles_are_conserved_whatever_happens(level: float) -> None:
    start = MONDAY + 16 * HOUR_MS
    crash = Crash("loop-010", start + 20 * MINUTE_MS, start + 60 * MINUTE_MS, 0.9)
    states = play(start, 150, (crash,), level)
    for before, after in pairwise(states):
        entered, left = after.entered - before.entered, after.left - before.left
        assert entered >= 0
        assert left >= 0
        assert after.held.sum() - before.held.sum() == pytest.approx(entered - left, abs=1e-6)
    assert states[-1].entered > 1_000


@pytest.mark.parametrize("level", [0.5, 1.6])
def test_no_cell_is_ever_over_full_or_negative(level: float) -> None:
    crash = Crash("loop-030", MONDAY + 17 * HOUR_MS, MONDAY + 18 * HOUR_MS, 1.0)
    for state in play(MONDAY + 16 * HOUR_MS + 30 * MINUTE_MS, 120, (crash,), level):
        assert state.held.min() >= -1e-9
        assert np.all(state.held <= network().room + 1e-9)
        assert state.waiting.min() >= 0


def test_every_share_adds_up_and_steps_are_short_enough() -> None:
    net = network()
    out = net.onward + np.bincount(net.turn_from, net.turn_share, len(net.length))
    assert np.all((out >= 0) & (out <= 1 + 1e-12))
    assert len(set(net.turn_from.tolist())) == len(net.turn_from)  # one way to turn off per cell
    assert np.all(net.free * STEP_H <= net.length)
    assert np.all(net.wave * STEP_H <= net.length)


def test_boroughs_are_networks_of_their_own() -> None:
    net = build(plan_town(3, 720), 3)
    borough = np.array([road.borough for road in net.roads])[net.road_of]
    assert set(borough.tolist()) == {0, 1, 2}
    linked = net.before < len(net.length)
    assert np.array_equal(borough[linked], borough[net.before[linked]])
    assert np.array_equal(borough[net.turn_from], borough[net.turn_to])
    assert len(set(net.turn_from.tolist())) == len(net.turn_from)
    assert len(set(net.source_cell.tolist())) == len(net.source_cell)


def test_the_tail_of_a_queue_moves_as_the_fundamental_diagram_says() -> None:
    """Rankine and Hugoniot: (flow arriving - flow let through) / (density in the queue - density arriving)."""
    net = network()
    road = 7  # a road into town; its outer half has no junction
    cells = np.flatnonzero(net.road_of == road)
    # The last loop before the crossing with the ring.
    before = [n for n, cell in enumerate(net.loop_cell) if net.road_of[cell] == road and cell < cells[len(cells) // 2]]
    row = max(before)
    at = int(net.loop_cell[row])
    minutes, arriving = 40, 900.0
    by_road = np.full((len(net.roads), 1), 300.0)
    by_road[road] = arriving
    crash = Crash(TOWN.loops[row].sensor.sensor, 0, DAY_MS, 0.7)
    assert demand_at_sources(net, by_road).min() >= 0
    state, tail = at_rest(net, by_road[:, 0]), []
    for k in range(minutes):
        state = advance(net, state, k * MINUTE_MS, by_road, np.zeros(1), (crash,))[0]
        density = state.held / net.length
        let = 0.3 * net.capacity[at]
        jammed = net.room[at] / net.length[at] - let / net.wave[at]
        halfway = 0.5 * (jammed + arriving / net.free[at])
        queue = [cell for cell in cells if cell <= at and density[cell] > halfway]
        tail.append(sum(net.length[cell] for cell in queue))
    inside = [k for k in range(minutes) if 0.15 < tail[k] < sum(net.length[cells[0] : at]) - 0.15]
    speed = np.polyfit(inside, [tail[k] for k in inside], 1)[0] * 60
    expected = (arriving - let) / (jammed - arriving / net.free[at])
    assert len(inside) >= 5
    assert speed == pytest.approx(expected, rel=0.2)


def test_a_queue_dissolves_from_its_head_with_the_wave_speed() -> None:
    net = network()
    start = MONDAY + 16 * HOUR_MS + 45 * MINUTE_MS
    crash = Crash("loop-010", start, start + 30 * MINUTE_MS, 0.95)
    at = net.cell_of("loop-010")
    road = net.road_of[at]
    states = play(start, 60, (crash,))
    cleared = {}
    for k in range(31, 60):
        speed = np.minimum(net.free, net.wave * (net.room / np.maximum(states[k].held, 1e-9) - 1))
        for back in range(5):
            cell = at - back
            if net.road_of[cell] == road and speed[cell] > 0.5 * net.free[cell]:
                cleared.setdefault(back, k)
    order = [cleared[back] for back in sorted(cleared)]
    assert order == sorted(order)
    metres = 1_000 * net.length[at] * (max(cleared) - 1)
    minutes = cleared[max(cleared)] - cleared[1]
    assert 0.5 * net.wave[at] < metres / 1_000 / (minutes / 60 + 1e-9) < 2 * net.wave[at]
