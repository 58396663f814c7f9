"""What an event on the roads really reaches, found by playing the town with it and without it: loops, and the air."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from domain.times import HOUR_MS, MINUTE_MS
from simulator.exhaust import FADES_MS, STEP_MS, Exhaust
from simulator.noise import node_times
from simulator.plan import AIR, TRAFFIC, Town
from simulator.road_flow import Events, RoadFlow
from simulator.world_event import TrafficEvent

_TOWNS_KEPT = 2


@dataclass(frozen=True, eq=False)
class _Played:
    """The traffic of a town under its own seed, and what it leaves in the air."""

    roads: RoadFlow
    exhaust: Exhaust


_towns: dict[tuple[int, int, str], _Played] = {}


def _played(town: Town) -> _Played:
    key = (town.seed, len(town.sensors), town.name)
    if key not in _towns:
        while len(_towns) >= _TOWNS_KEPT:
            _towns.pop(next(iter(_towns)))
        roads = RoadFlow(town, town.seed)
        _towns[key] = _Played(roads, Exhaust(roads, town.stations))
    return _towns[key]


def reached(town: Town, event: TrafficEvent) -> tuple[tuple[str, ...], int]:
    """Series that the event reaches materially, those of loops first, and when the last effect has gone, epoch ms.

    The counterfactual is the same town, same seed, without this event; other events are left out.
    """
    loops, stations, until = _reached(_played(town), event)
    series = [f"{town.loops[row].sensor.sensor}/{quantity}" for row in loops for quantity in TRAFFIC]
    series += [f"{town.stations[row].sensor.sensor}/{quantity}" for row in stations for quantity in AIR]
    return tuple(series), until


@lru_cache(maxsize=20_000)
def _reached(played: _Played, event: TrafficEvent) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    def alone(start: int, end: int) -> Sequence[TrafficEvent]:
        return (event,) if event.start < end and start < event.over else ()

    hit, last = _on_roads(played.roads, event, alone)
    beside = played.exhaust.beside(hit)
    nodes = node_times(event.start, last + STEP_MS, STEP_MS)
    changed = played.exhaust.changed(nodes, beside, alone)
    if changed.any():
        # A reading still shows a node until the next has come, and later by the tail.
        last = max(last, int(nodes[changed.any(axis=0)].max()) + FADES_MS - STEP_MS)
    in_air = beside[changed.any(axis=1)]
    return tuple(np.flatnonzero(hit).tolist()), tuple(in_air.tolist()), last


def _on_roads(roads: RoadFlow, event: TrafficEvent, alone: Events) -> tuple[NDArray[np.bool_], int]:
    """``bool[loops]`` that are reached, and when the last report that shows it has been made."""
    hit = np.zeros(len(roads.network.loop_cell), np.bool_)
    last = event.start
    for hour in range(event.start // HOUR_MS, -(-event.over // HOUR_MS)):
        material = roads.matters(roads.hour(hour), roads.disturbed(hour, alone))
        ends = hour * HOUR_MS + (1 + np.arange(material.shape[1])) * MINUTE_MS
        material &= ends > event.start
        if hour * HOUR_MS >= event.end and not material.any():
            break  # the queue has dissolved
        hit |= material.any(axis=1)
        if material.any():
            # A loop's report covers the minute before it, so a minute still shows in the one that follows it.
            last = int(ends[material.any(axis=0)].max()) + MINUTE_MS
    return hit, last
