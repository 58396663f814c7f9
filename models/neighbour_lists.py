"""Which series of an area stand beside which: along the road graph, else by distance on the map."""

import heapq
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats
from domain.sensors import Link, Sensor
from models.road_pairs import METRES_MAX
from models.series_spec import SeriesSpec

NEIGHBOURS_MAX: Final = 8
NEIGHBOURS_MIN: Final = 2  # fewer, and nobody can tell which of two is wrong
_EARTH_M: Final = 6_371_000.0
_UNKNOWN_M: Final = 1e9
_AT_ONCE: Final = 256  # rows: distances to all others stand in memory
Roads = dict[str, list[tuple[str, float]]]


class NeighbourLists:
    """The lists of one area's series, looked up anew when series have come: one may come between others."""

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._roads = both_ways(links)
        self._found: NDArray[np.intp] = np.empty((0, NEIGHBOURS_MAX), np.intp)

    def of(self, specs: Sequence[SeriesSpec]) -> NDArray[np.intp]:
        """``intp[rows, 8]``, see :func:`neighbour_lists`; series are only ever added to ``specs``."""
        if len(specs) != len(self._found):
            self._found = neighbour_lists(specs, self._roads)
        return self._found


def neighbour_lists(specs: Sequence[SeriesSpec], roads: Roads) -> NDArray[np.intp]:
    """``intp[rows, 8]``: rows of the same quantity at other sensors, the nearest first; -1 where there are no more.

    Sensors that the road graph joins are neighbours within three miles of road (PeMS); where it joins fewer than two,
    all sensors of the quantity are, nearest first, those without a position last. Equally near: in order of name.
    """
    alike: dict[str, dict[str, int]] = {}
    for row, spec in enumerate(specs):
        if not spec.quantity.cumulative:
            alike.setdefault(spec.quantity.name, {})[spec.sensor.sensor] = row
    along = {name: _along_roads(name, roads) for name in {spec.sensor.sensor for spec in specs}} if roads else {}
    found = np.full((len(specs), NEIGHBOURS_MAX), -1, np.intp)
    for rows in alike.values():
        names = sorted(rows)
        members = np.array([rows[name] for name in names], np.intp)
        found[members] = _nearest(members, [specs[row].sensor for row in members.tolist()])
        for name in names:
            near = sorted((metres, other) for other, metres in along.get(name, {}).items() if other in rows)
            if len(near) >= NEIGHBOURS_MIN:
                chosen = [rows[other] for _, other in near[:NEIGHBOURS_MAX]]
                found[rows[name]] = chosen + [-1] * (NEIGHBOURS_MAX - len(chosen))
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


def _nearest(members: NDArray[np.intp], sensors: Sequence[Sensor]) -> NDArray[np.intp]:
    """``intp[n, 8]``: of each of these rows the nearest others."""
    n, most = len(members), min(NEIGHBOURS_MAX, len(members) - 1)
    found = np.full((n, NEIGHBOURS_MAX), -1, np.intp)
    if most < 1:
        return found
    lat, lon = np.radians(np.array([(s.lat, s.lon) for s in sensors], np.float64).T)  # None becomes NaN
    for begin in range(0, n, _AT_ONCE):
        metres = _metres(lat, lon, slice(begin, begin + _AT_ONCE))
        here = np.arange(len(metres))
        metres[here, begin + here] = np.inf
        row, other = np.nonzero(metres <= np.partition(metres, most - 1, axis=1)[:, most - 1 : most])
        order = np.lexsort((other, metres[row, other], row))
        row, other = row[order], other[order]
        place = np.arange(len(row)) - np.searchsorted(row, row)
        near = place < most
        found[begin + row[near], place[near]] = members[other[near]]
    return found


def _metres(lat: Floats, lon: Floats, some: slice) -> Floats:
    """``float64[some, n]``: distances on a sphere, near enough for an area; farther than all where one is unknown."""
    north = lat - lat[some, None]
    east = (lon - lon[some, None]) * np.cos(lat[some, None])
    return np.nan_to_num(_EARTH_M * np.hypot(north, east), nan=_UNKNOWN_M)
