"""What happens on the roads: lanes lost, crowds, fog, ice, a closed street. Queues are left to the network."""

from dataclasses import dataclass
from typing import ClassVar

from domain.times import HOUR_MS, MINUTE_MS
from simulator.plan import Town
from simulator.reach import reached
from simulator.truth import Truth
from simulator.world_event import Pressure, Roads, TrafficEvent

_DISSOLVES_MS = 3 * HOUR_MS  # a queue is gone by then at the latest


@dataclass(frozen=True)
class _OnRoad(TrafficEvent):
    """Its label names the loops that it really reached, found by playing the day with it and without it."""

    @property
    def over(self) -> int:
        return self.end + min(_DISSOLVES_MS, 3 * (self.end - self.start) + 20 * MINUTE_MS)

    def truth(self, town: Town) -> Truth:
        series, until = reached(town, self)
        place, area = self.target, self.target
        if self.target in {site.sensor.sensor for site in town.loops}:
            sensor = town.sensor(self.target)
            place, area = sensor.place or sensor.sensor, sensor.area
        return Truth("world", self.kind, place, area, self.start, max(self.end, until), series)


@dataclass(frozen=True)
class _AtLoop(_OnRoad):
    """Something stands just downstream of a loop: less can pass, and what passes goes slowly."""

    _LOST: ClassVar[float]  # share of the capacity at strength 1
    _SLOWED: ClassVar[float]  # share of the free-flow speed at strength 1

    def act(self, roads: Roads, t: int, pressure: Pressure) -> None:
        at = roads.cell_of(self.target)
        pressure.capacity[at] *= 1 - self._LOST * self.strength
        pressure.speed[at] *= 1 - self._SLOWED * self.strength


class Crash(_AtLoop):
    """A crash: ``strength`` is the share of the capacity lost (HCM: 0.65 for one of two lanes blocked, 1 for all)."""

    kind: ClassVar[str] = "crash"
    _LOST, _SLOWED = 1.0, 0.7


class StoppedVehicle(_AtLoop):
    """A vehicle stands in a lane: one lane less, and a slow passage beside it."""

    kind: ClassVar[str] = "stopped-vehicle"
    _LOST, _SLOWED = 0.6, 0.5


class Roadworks(_AtLoop):
    """A lane is coned off for long; ``strength`` 1 leaves a third of the capacity."""

    kind: ClassVar[str] = "roadworks"
    _LOST, _SLOWED = 0.67, 0.45


@dataclass(frozen=True)
class BurstMain(_AtLoop):
    """A burst main closes the road; after a while drivers hear of it and ``AVOID`` of them stay away."""

    kind: ClassVar[str] = "burst-main"
    _LOST, _SLOWED = 1.0, 0.8
    AVOID: ClassVar[float] = 0.7

    def act(self, roads: Roads, t: int, pressure: Pressure) -> None:
        super().act(roads, t, pressure)
        heard = min(1.0, max(0.0, (t - self.start) / (20 * MINUTE_MS)))
        pressure.demand[roads.sources_before(self.target)] *= 1 - self.AVOID * self.strength * heard


@dataclass(frozen=True)
class Crowd(_OnRoad):
    """Visitors of an event: more want to use the roads of an area; ``strength`` is the share of their capacity."""

    kind: ClassVar[str] = "event-crowd"

    def act(self, roads: Roads, t: int, pressure: Pressure) -> None:
        sources = roads.sources_in(self.target)
        rise = min(1.0, (t - self.start) / (10 * MINUTE_MS))
        pressure.extra[sources] += self.strength * rise * roads.source_capacity[sources]


@dataclass(frozen=True)
class _OnSurface(_OnRoad):
    """Weather on the road, in an area or in the whole town: all go slower, at greater distance."""

    _CAPACITY: ClassVar[float]
    _SPEED: ClassVar[float]

    def act(self, roads: Roads, t: int, pressure: Pressure) -> None:
        rise = self.strength * min(1.0, (t - self.start) / (15 * MINUTE_MS))
        cells = roads.cells_in(self.target)
        pressure.capacity[cells] *= 1 - self._CAPACITY * rise
        pressure.speed[cells] *= 1 - self._SPEED * rise


class Fog(_OnSurface):
    """Dense fog (HCM: low visibility takes some 10 % of the capacity and of the speed; more when it is dense)."""

    kind: ClassVar[str] = "fog"
    _CAPACITY, _SPEED = 0.15, 0.35


class Ice(_OnSurface):
    """Ice (Agarwal et al. 2005: snow and ice take up to 28 % of the capacity and up to 40 % of the speed)."""

    kind: ClassVar[str] = "ice"
    _CAPACITY, _SPEED = 0.28, 0.45
