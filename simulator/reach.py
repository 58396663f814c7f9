"""What an event on the roads really reaches, found by playing the town with it and without it."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from domain.times import HOUR_MS, MINUTE_MS
from simulator.plan import TRAFFIC, Town
from simulator.road_flow import RoadFlow
from simulator.world_event import TrafficEvent

_FLOWS_KEPT = 2
_flows: dict[tuple[int, int, str], RoadFlow] = {}


def flow_of(town: Town) -> RoadFlow:
    """The traffic of a town under its own seed."""
    key = (town.seed, len(town.sensors), town.name)
    if key not in _flows:
        while len(_flows) >= _FLOWS_KEPT:
            _flows.pop(next(iter(_flows)))
        _flows[key] = RoadFlow(town, town.seed)
    return _flows[key]


def reached(town: Town, event: TrafficEvent) -> tuple[tuple[str, ...], int]:
    """Series of the loops that the event reaches materially, and when the last effect has gone, epoch ms.

    The counterfactual is the same town, same seed, without this event; other events are left out.
    """
    rows, until = _reached(flow_of(town), event)
    return tuple(f"{town.loops[row].sensor.sensor}/{quantity}" for row in rows for quantity in TRAFFIC), until


@lru_cache(maxsize=20_000)
def _reached(flow: RoadFlow, event: TrafficEvent) -> tuple[tuple[int, ...], int]:
    def alone(start: int, end: int) -> Sequence[TrafficEvent]:
        return (event,) if event.start < end and start < event.over else ()

    hit = np.zeros(len(flow.network.loop_cell), np.bool_)
    last = event.start
    for hour in range(event.start // HOUR_MS, -(-event.over // HOUR_MS)):
        material = flow.matters(flow.hour(hour), flow.disturbed(hour, alone))
        ends = hour * HOUR_MS + (1 + np.arange(material.shape[1])) * MINUTE_MS
        material &= ends > event.start
        if hour * HOUR_MS >= event.end and not material.any():
            break  # the queue has dissolved
        hit |= material.any(axis=1)
        if material.any():
            # A loop's report covers the minute before it, so a minute still shows in the one that follows it.
            last = int(ends[material.any(axis=0)].max()) + MINUTE_MS
    return tuple(np.flatnonzero(hit).tolist()), last
