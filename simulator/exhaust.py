"""What traffic leaves in the air at the stations: more where it stops and goes, and from the queues of events, too.

Exhaust follows fuel, and fuel per kilometre in towns is linear in the time that the kilometre takes (Herman and
Ardekani, Transportation Science 19, 1985): ``k1 + k2 / speed``. So in an hour a kilometre of road gives off
``k1 * flow + k2 * density``: who stands in a queue gives off without getting anywhere.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats, Ints
from domain.times import HOUR_MS, MINUTE_MS
from simulator.plan import Station
from simulator.road_flow import Events, RoadFlow, nothing

STEP_MS = 5 * MINUTE_MS
TAIL_MS = 5 * MINUTE_MS  # exhaust reaches the inlet a little later
#: A node is the mean of the step before it, readings lie between two nodes and see them later by the tail: so long
#: after the last minute on the road the last trace of it is gone.
FADES_MS = 2 * STEP_MS + TAIL_MS
_IDLE = 18.0  # km/h, k2 / k1: at 10 km/h twice what it is at 50, as average-speed factors of NOx have it
MATTERS = 0.1  # of a full road at the kerb: less is within the puffs of a street
_PER_STEP = STEP_MS // MINUTE_MS


def exhaust(roads: RoadFlow, flow: Floats, speed: Floats) -> Floats:
    """``float64[loops, n]`` of flow veh/h and speed km/h there; 1 is a road at capacity in free flow."""
    density = np.maximum(flow, 1.0) / speed
    full = roads.capacity * (1 + _IDLE / roads.free)
    return np.asarray((flow + _IDLE * density) / full[:, None], dtype=np.float64)


class Exhaust:
    """At the stations of a town: the mean of the three nearest loops."""

    def __init__(self, roads: RoadFlow, stations: Sequence[Station]) -> None:
        self._roads = roads
        self._near = np.array([site.near for site in stations], dtype=np.intp).reshape(-1, 3)
        self._roadside = np.array([site.roadside for site in stations])[:, None]

    def at(self, nodes: Ints, rows: NDArray[np.intp], events: Events = nothing) -> Floats:
        """``float64[rows, n]`` at nodes ``STEP_MS`` apart. What events do not change materially stays as it is."""
        clean = self._near_by(nodes, rows, nothing)
        begin, end = (int(nodes[0]) - STEP_MS) // HOUR_MS * HOUR_MS, -(-int(nodes[-1]) // HOUR_MS) * HOUR_MS
        if not events(begin, end):
            return clean
        now = self._near_by(nodes, rows, events)
        return np.where(np.abs(now - clean) * self._roadside[rows] > MATTERS, now, clean)

    def changed(self, nodes: Ints, rows: NDArray[np.intp], events: Events) -> NDArray[np.bool_]:
        """``bool[rows, n]``: where events make a material difference."""
        return np.asarray(self.at(nodes, rows, events) != self.at(nodes, rows), dtype=np.bool_)

    def beside(self, loops: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Stations that have one of these loops near by."""
        return np.flatnonzero(loops[self._near].any(axis=1))

    def _near_by(self, nodes: Ints, rows: NDArray[np.intp], events: Events) -> Floats:
        first = int(nodes[0]) // MINUTE_MS - _PER_STEP
        flow, speed = self._roads.minutes(first, first + len(nodes) * _PER_STEP - 1, events)
        given = exhaust(self._roads, flow, speed)
        given = given.reshape(len(given), len(nodes), _PER_STEP).mean(axis=2)
        near = self._near[rows]
        return np.asarray((given[near[:, 0]] + given[near[:, 1]] + given[near[:, 2]]) / 3, dtype=np.float64)
