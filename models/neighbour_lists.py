"""Which series of an area stand beside which: along the road graph, else by distance on the map."""

import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.sensors import Link, Sensor
from models.road_pairs import METRES_MAX
from models.series_spec import SeriesSpec

NEIGHBOURS_MAX: Final = 8
NEIGHBOURS_MIN: Final = 2  # fewer, and nobody can tell which of two is wrong
_EARTH_M: Final = 6_371_000.0
Roads = dict[str, list[tuple[str, float]]]


def neighbour_lists(specs: Sequence[SeriesSpec], roads: Roads) -> NDArray[np.intp]:
    """``intp[rows, 8]``: rows of the same quantity at other sensors, the nearest first; -1 where there are no more.

    Sensors that the road graph joins are neighbours within three miles of road (PeMS); where it joins fewer than two,
    all sensors of the quantity are, nearest first, those without a position last.
    """
    alike: dict[str, dict[str, int]] = {}
    for row, spec in enumerate(specs):
        if not spec.quantity.cumulative:
            alike.setdefault(spec.quantity.name, {})[spec.sensor.sensor] = row
    along = {name: _along_roads(name, roads) for name in {spec.sensor.sensor for spec in specs}}
    found = np.full((len(specs), NEIGHBOURS_MAX), -1, np.intp)
    for rows in alike.values():
        for sensor, row in rows.items():
            near = [(metres, other) for other, metres in along[sensor].items() if other in rows]
            if len(near) < NEIGHBOURS_MIN:
                here = specs[row].sensor
                near = [(_metres(here, specs[k].sensor), other) for other, k in rows.items() if other != sensor]
            chosen = [rows[other] for _, other in sorted(near)[:NEIGHBOURS_MAX]]
            found[row, : len(chosen)] = chosen
    return found


def both_ways(links: Iterable[Link]) -> Roads:
    """The road graph without directions: what lies upstream says as much as what lies downstream."""
    roads: Roads = {}
    for link in links:
        roads.setdefault(link.source, []).append((link.target, link.metres))
        roads.setdefault(link.target, []).append((link.source, link.metres))
    return roads


def _along_roads(start: str, roads: Roads) -> dict[str, float]:
    """Metres of road to every node within reach."""
    met: dict[str, float] = {}
    waiting = [(0.0, start)] if start in roads else []
    while waiting:
        metres, at = heapq.heappop(waiting)
        if at in met:
            continue
        met[at] = metres
        for further, step in roads.get(at, ()):
            if further not in met and metres + step <= METRES_MAX:
                heapq.heappush(waiting, (metres + step, further))
    met.pop(start, None)
    return met


def _metres(one: Sensor, other: Sensor) -> float:
    """Distance on a sphere, near enough for an area; infinite where a position is missing."""
    if one.lat is None or one.lon is None or other.lat is None or other.lon is None:
        return math.inf
    north = math.radians(other.lat - one.lat)
    east = math.radians(other.lon - one.lon) * math.cos(math.radians(one.lat))
    return _EARTH_M * math.hypot(north, east)
