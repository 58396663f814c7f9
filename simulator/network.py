"""The road graph in cells: what each road can carry, where vehicles enter, turn off and leave.

Every carriageway is cut into cells that a vehicle at free flow needs at least one step to cross (Courant condition). A
cell hands on to the next one of its road; at junctions a share turns off to another road, and a share leaves the town.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import hypot

import numpy as np
from numpy.typing import NDArray

from domain.readings import Floats
from simulator.geometry import Point, Road
from simulator.noise import Noise
from simulator.plan import Town
from simulator.world_event import TOWN

STEP_S = 10
STEP_H = STEP_S / 3_600
JAM_DENSITY = 140.0  # veh/km and lane, standing

_TURN_IN = 0.25  # share of a road into town that turns onto the ring where it crosses it
_LEAVE_RING = 0.20  # share of the ring that leaves the town at each junction
_INTO_STREET = 0.6  # share of a street's traffic that comes from the roads that end there
_CROSSING = 0.9 / 1.66  # how far along a road into town the ring is
_PINCH = 0.80  # capacity of the narrowest place of a road that has one

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Network:
    """Cells ``0 .. n-1``; row n of a per-cell array stands for "outside" where that is said.

    Attributes:
        roads: the carriageways, as drawn. road_of: ``[n]`` road of each cell. length: km. free: km/h. capacity: veh/h.
        room: vehicles that stand in a full cell. wave: speed at which a queue's tail moves upstream, km/h.
        before: ``[n]`` the cell that hands on to this one, n if none. after: the cell it hands on to, n if none.
        onward: ``[n]`` share of what leaves a cell that goes to ``after``. turn_from, turn_to, turn_share: other ways.
        source_cell, source_capacity: where vehicles come in and how many veh/h can.
        term_road, term_share, term_start: demand of a source as sum of shares of the demand of roads.
        loop_cell: cell of each loop of the town.
    """

    roads: tuple[Road, ...]
    peak: Floats  # of each road, share of its capacity that the busiest hour of an ordinary day asks for
    road_of: Rows
    length: Floats
    free: Floats
    capacity: Floats
    room: Floats
    before: Rows
    after: Rows
    onward: Floats
    turn_from: Rows
    turn_to: Rows
    turn_share: Floats
    source_cell: Rows
    source_capacity: Floats
    term_road: Rows
    term_share: Floats
    term_start: Rows
    loop_cell: Rows
    loop_rows: dict[str, int]
    areas: dict[str, set[int]]  # roads of each area of loops
    cached: dict[str, Rows] = field(default_factory=dict)

    @property
    def wave(self) -> Floats:
        """Kinematic wave speed of the congested branch, km/h (triangular fundamental diagram)."""
        return self.capacity / (self.room / self.length - self.capacity / self.free)

    def cell_of(self, loop: str) -> int:
        row = self.loop_rows.get(loop)
        return -1 if row is None else int(self.loop_cell[row])

    def cells_in(self, area: str) -> Rows:
        if area not in self.cached:
            roads = list(range(len(self.roads))) if area == TOWN else sorted(self.areas.get(area, ()))
            self.cached[area] = np.flatnonzero(np.isin(self.road_of, roads))
        return self.cached[area]

    def sources_in(self, area: str) -> Rows:
        return np.flatnonzero(np.isin(self.source_cell, self.cells_in(area)))

    def sources_before(self, loop: str) -> Rows:
        road = self.road_of[self.cell_of(loop)]
        return np.flatnonzero(self.road_of[self.source_cell] == road)


class _Drawing:
    """A network in the making."""

    def __init__(self, roads: Sequence[Road], peak: Floats) -> None:
        self.roads, self.peak = roads, peak
        counts = [max(2, int(road.km / (road.free_flow * STEP_H))) for road in roads]
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(np.intp)
        self.n = int(self.first[-1])
        self.after = np.arange(1, self.n + 1, dtype=np.intp)
        self.after[self.first[1:] - 1] = self.n
        self.onward = np.ones(self.n)
        self.onward[self.first[1:] - 1] = 0.0
        self.turns: list[tuple[int, int, float]] = []
        self.sources: list[tuple[int, list[tuple[int, float]]]] = []

    def middles(self, road: int) -> list[Point]:
        cells = self.last(road) - int(self.first[road]) + 1
        return [self.roads[road].at((k + 0.5) / cells) for k in range(cells)]

    def last(self, road: int) -> int:
        return int(self.first[road + 1]) - 1

    def volume(self, road: int) -> float:
        return float(self.peak[road] * self.roads[road].lanes * self.roads[road].lane_capacity)


def build(town: Town, seed: int) -> Network:
    """The network of a town; which roads are busy and where they are narrow depends on the seed."""
    roads = town.ground.roads
    noise = Noise(seed, "roads")
    drawing = _Drawing(roads, np.array([0.72 + 0.24 * noise.fraction(road.name, 0) for road in roads]))
    for borough in range(max(road.borough for road in roads) + 1):
        rings, into_town, streets = (
            [k for k, road in enumerate(roads) if road.borough == borough and road.road_class == kind]
            for kind in ("primary", "secondary", "tertiary")
        )
        _close_ring(drawing, rings)
        for road in into_town:
            drawing.sources.append((int(drawing.first[road]), [(road, 1.0)]))
            _cross(drawing, road, rings)
        _end_in_streets(drawing, into_town, streets)
    return _finish(drawing, town, noise)


def _close_ring(drawing: _Drawing, quarters: Sequence[int]) -> None:
    for road, following in zip(quarters, [*quarters[1:], quarters[0]], strict=True):
        drawing.after[drawing.last(road)] = drawing.first[following]
        drawing.onward[drawing.last(road)] = 1.0


def _cross(drawing: _Drawing, road: int, rings: Sequence[int]) -> None:
    """Where a road into town meets the ring: some turn in, some leave, and new ones come."""
    cells = drawing.last(road) - int(drawing.first[road]) + 1
    here = int(drawing.first[road]) + min(cells - 2, int(_CROSSING * cells))
    point = drawing.roads[road].at(_CROSSING)
    candidates = [
        (hypot(x - point[0], y - point[1]), ring, k) for ring in rings for k, (x, y) in _cells_of(drawing, ring)
    ]
    _, ring, on_ring = min(candidates)
    joined = int(drawing.after[on_ring])
    off = _TURN_IN * drawing.volume(road) / drawing.volume(ring)
    drawing.onward[here] -= _TURN_IN
    drawing.turns.append((here, joined, _TURN_IN))
    drawing.onward[on_ring] -= off + _LEAVE_RING
    drawing.turns.append((on_ring, int(drawing.after[here]), off))
    drawing.sources.append((joined, [(ring, off + _LEAVE_RING), (road, -_TURN_IN)]))


def _cells_of(drawing: _Drawing, road: int) -> list[tuple[int, Point]]:
    return [(int(drawing.first[road]) + k, point) for k, point in enumerate(drawing.middles(road))]


def _end_in_streets(drawing: _Drawing, into_town: Sequence[int], streets: Sequence[int]) -> None:
    """Each road into town ends at the nearest street; what does not drive on there parks in the centre."""
    ending: dict[int, list[int]] = {street: [] for street in streets}
    for road in into_town:
        x, y = drawing.roads[road].points[-1]
        start = {street: drawing.roads[street].points[0] for street in streets}
        ending[min(streets, key=lambda street: hypot(start[street][0] - x, start[street][1] - y))].append(road)
    for street, roads in ending.items():
        arriving = sum(drawing.volume(road) for road in roads)
        share = min(0.8, _INTO_STREET * drawing.volume(street) / arriving) if roads else 0.0
        for road in roads:
            drawing.turns.append((drawing.last(road), int(drawing.first[street]), share))
        drawing.sources.append((int(drawing.first[street]), [(street, 1.0), *((road, -share) for road in roads)]))


def _finish(drawing: _Drawing, town: Town, noise: Noise) -> Network:
    roads, n = drawing.roads, drawing.n
    road_of = np.repeat(np.arange(len(roads), dtype=np.intp), np.diff(drawing.first))
    lanes = np.array([road.lanes for road in roads], dtype=np.float64)[road_of]
    length = np.array([road.km for road in roads])[road_of] / np.diff(drawing.first)[road_of]
    free = np.array([road.free_flow for road in roads])[road_of]
    capacity = lanes * np.array([road.lane_capacity for road in roads])[road_of]
    for k, road in enumerate(roads):
        if road.road_class != "tertiary" and noise.fraction(road.name, 1) < 0.4:
            at = drawing.first[k] + int(
                (0.6 + 0.3 * noise.fraction(road.name, 2)) * (drawing.last(k) - drawing.first[k])
            )
            capacity[at] *= _PINCH
    before = np.full(n, n, dtype=np.intp)
    linked = drawing.after < n
    before[drawing.after[linked]] = np.flatnonzero(linked)
    number = {road.name: k for k, road in enumerate(roads)}
    loop_cell = []
    for site in town.loops:
        k = number[site.road.name]
        cells = drawing.last(k) - int(drawing.first[k]) + 1
        loop_cell.append(int(drawing.first[k]) + min(cells - 1, int(site.along_km / site.road.km * cells)))
    areas: dict[str, set[int]] = {}
    for site in town.loops:
        areas.setdefault(site.sensor.area, set()).add(number[site.road.name])
    terms = [term for _, source in drawing.sources for term in source]
    sizes = [len(source) for _, source in drawing.sources]
    source_cell = np.array([cell for cell, _ in drawing.sources], dtype=np.intp)
    return Network(
        tuple(roads), drawing.peak, road_of, length, free, capacity, JAM_DENSITY * lanes * length,
        before, drawing.after, drawing.onward,
        np.array([turn[0] for turn in drawing.turns], dtype=np.intp),
        np.array([turn[1] for turn in drawing.turns], dtype=np.intp),
        np.array([turn[2] for turn in drawing.turns]),
        source_cell, capacity[source_cell],
        np.array([road for road, _ in terms], dtype=np.intp), np.array([share for _, share in terms]),
        np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp),
        np.array(loop_cell, dtype=np.intp), {site.sensor.sensor: row for row, site in enumerate(town.loops)}, areas,
    )  # fmt: skip
