"""World events: things that really happen in the town and that Borough should raise an alert for.

An event changes what the sensors truly see (:class:`TrafficEvent` the flow and speed of loops, and so on), as a closed
formula of time, so that a value does not depend on how the time range is cut.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from heapq import heappop, heappush
from typing import ClassVar

import numpy as np

from domain.readings import Floats, Ints
from domain.times import MINUTE_MS
from simulator.plan import AIR, ENERGY, TRAFFIC, Town
from simulator.truth import Truth

QUEUE_KM_H = 13.0  # how fast the tail of a queue moves upstream when nearly all capacity is lost
RECOVERY_KM_H = 20.0  # how fast its head dissolves upstream once the road is clear
JAM_DENSITY = 140.0  # veh/km and lane, standing
CRAWL_KM_H = 4.0
REACH_M = 2_600.0
DOWNSTREAM_M = 1_500.0


class WorldEvent(ABC):
    """``start`` and ``end`` say when the cause acts, epoch ms; ``over`` when the last effect has gone."""

    kind: ClassVar[str]
    start: int
    end: int

    @property
    def over(self) -> int:
        return self.end

    @abstractmethod
    def truth(self, town: Town) -> Truth: ...


class TrafficEvent(WorldEvent):
    """Changes the traffic itself."""

    @abstractmethod
    def disturb(self, town: Town, t: Ints, flow: Floats, speed: Floats, capacity: Floats) -> None:
        """Change ``flow[m, n]`` veh/h and ``speed[m, n]`` km/h of the m loops in place; ``capacity[m]`` veh/h."""


class AirEvent(WorldEvent):
    """Adds to what is in the air."""

    @abstractmethod
    def add(self, town: Town, quantity: str, t: Ints) -> Floats:
        """``float64[m, n]`` µg/m³ to be added at the m stations at times ``t[m, n]``."""


class EnergyEvent(WorldEvent):
    """Multiplies power between ``start`` and ``end``; the counters follow."""

    @abstractmethod
    def factors(self, town: Town) -> Floats:
        """``float64[m]`` factor of each meter, 1 where it does not reach."""


@dataclass(frozen=True, slots=True)
class Crash(TrafficEvent):
    """A crash just downstream of ``loop`` takes ``severity`` (0..1) of the capacity.

    Behind it a queue forms and spreads upstream link by link (kinematic wave with constant wave speeds, Newell 1993);
    when the road is clear the queue dissolves from its head. Ahead of it the road empties.
    """

    kind: ClassVar[str] = "crash"
    loop: str
    start: int
    end: int
    severity: float = 0.8

    @property
    def over(self) -> int:
        return self.end + int(REACH_M / RECOVERY_KM_H * 3_600) + 3 * MINUTE_MS

    def disturb(self, town: Town, t: Ints, flow: Floats, speed: Floats, capacity: Floats) -> None:
        at = _row(town, self.loop)
        left = (1 - self.severity) * capacity[at]
        jam = JAM_DENSITY * town.loops[at].road.lanes
        crawl = max(CRAWL_KM_H, left / (jam - left / RECOVERY_KM_H))  # the congested branch of the triangle
        behind, ahead = _distances(town, self.loop)
        for row, metres in behind.items():
            arrives = self.start + int(metres / (QUEUE_KM_H * self.severity) * 3_600)
            leaves = self.end + int(metres / RECOVERY_KM_H * 3_600)
            if arrives >= leaves:
                continue  # the queue dissolved before it came here
            share = _pulse(t[row], arrives, leaves, 30_000, 2 * MINUTE_MS)
            flow[row] += share * (np.minimum(flow[row], left) - flow[row])
            speed[row] += share * (np.minimum(speed[row], crawl) - speed[row])
        for row, metres in ahead.items():
            delay = int(metres / 50.0 * 3_600)
            share = _pulse(t[row], self.start + delay, self.end + delay, 30_000, 2 * MINUTE_MS)
            flow[row] += share * (np.minimum(flow[row], left) - flow[row])

    def truth(self, town: Town) -> Truth:
        sensor = town.sensor(self.loop)
        behind, ahead = _distances(town, self.loop)
        series = [f"{town.loops[r].sensor.sensor}/{q}" for r in (*behind, *ahead) for q in TRAFFIC]
        return Truth("world", self.kind, sensor.place or "", sensor.area, self.start, self.over, tuple(series))


@dataclass(frozen=True, slots=True)
class PollutionEpisode(AirEvent):
    """Smoke or stagnant air over one neighbourhood: particles above all; ``severity`` 1 is +150 µg/m³ PM2.5."""

    kind: ClassVar[str] = "pollution-episode"
    area: str
    start: int
    end: int
    severity: float = 0.6

    _SHARE: ClassVar[dict[str, float]] = {"air.pm25": 150.0, "air.pm10": 195.0, "air.no2": 70.0, "air.o3": 0.0}

    @property
    def over(self) -> int:
        return self.end + 20 * MINUTE_MS

    def add(self, town: Town, quantity: str, t: Ints) -> Floats:
        inside = np.array([site.sensor.area == self.area for site in town.stations])
        share = _pulse(t, self.start, self.end, 4 * MINUTE_MS, 20 * MINUTE_MS)
        return np.asarray(inside[:, None] * share * (self.severity * self._SHARE[quantity]), dtype=np.float64)

    def truth(self, town: Town) -> Truth:
        names = [site.sensor.sensor for site in town.stations if site.sensor.area == self.area]
        series = tuple(f"{name}/{quantity}" for name in names for quantity in AIR if quantity != "air.o3")
        return Truth("world", self.kind, self.area, self.area, self.start, self.over, series)


@dataclass(frozen=True, slots=True)
class FeederFault(EnergyEvent):
    """A feeder trips: ``severity`` of the load of every meter behind the substation is off until it is restored."""

    kind: ClassVar[str] = "feeder-fault"
    area: str
    start: int
    end: int
    severity: float = 1.0

    def factors(self, town: Town) -> Floats:
        return np.where(_behind(town, self.area), 1 - self.severity, 1.0)

    def truth(self, town: Town) -> Truth:
        return _energy_truth(self, town)


@dataclass(frozen=True, slots=True)
class Overload(EnergyEvent):
    """Load behind a substation rises to ``1 + severity`` times what it would be."""

    kind: ClassVar[str] = "overload"
    area: str
    start: int
    end: int
    severity: float = 0.8

    def factors(self, town: Town) -> Floats:
        return np.where(_behind(town, self.area), 1 + self.severity, 1.0)

    def truth(self, town: Town) -> Truth:
        return _energy_truth(self, town)


def _behind(town: Town, area: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([meter.sensor.area == area for meter in town.meters])


def _energy_truth(event: FeederFault | Overload, town: Town) -> Truth:
    names = [meter.sensor.sensor for meter in town.meters if meter.sensor.area == event.area]
    series = tuple(f"{name}/{quantity}" for name in names for quantity in ENERGY)
    return Truth("world", event.kind, event.area, event.area, event.start, event.end, series)


def _pulse(t: Ints, start: int, end: int, rise_ms: int, fall_ms: int) -> Floats:
    """0 before ``start``, up to 1 within ``rise_ms``, from ``end`` down to 0 within ``fall_ms``."""
    up = np.clip((t - start) / rise_ms, 0, 1)
    down = np.clip((t - end) / fall_ms, 0, 1)
    return np.asarray(up * (1 - down), dtype=np.float64)


def _row(town: Town, loop: str) -> int:
    return _rows(town)[loop]


@lru_cache(maxsize=8)
def _rows_of(names: tuple[str, ...]) -> dict[str, int]:
    return {name: row for row, name in enumerate(names)}


def _rows(town: Town) -> dict[str, int]:
    return _rows_of(tuple(site.sensor.sensor for site in town.loops))


def _distances(town: Town, loop: str) -> tuple[dict[int, float], dict[int, float]]:
    """Loops by row with their distance in metres: where the queue can come (the site first), and just ahead."""
    rows = _rows(town)
    upstream: dict[str, list[tuple[str, float]]] = {}
    downstream: dict[str, list[tuple[str, float]]] = {}
    for link in town.links:
        upstream.setdefault(link.target, []).append((link.source, link.metres))
        downstream.setdefault(link.source, []).append((link.target, link.metres))
    behind = _shortest(upstream, loop, REACH_M)
    ahead = _shortest(downstream, loop, DOWNSTREAM_M)
    return (
        {rows[name]: metres for name, metres in behind.items()},
        {rows[name]: metres for name, metres in ahead.items() if name not in behind},
    )


def _shortest(edges: dict[str, list[tuple[str, float]]], source: str, reach: float) -> dict[str, float]:
    """Dijkstra, out to ``reach`` metres."""
    found: dict[str, float] = {}
    heap = [(0.0, source)]
    while heap:
        metres, name = heappop(heap)
        if name in found or metres > reach:
            continue
        found[name] = metres
        for other, length in edges.get(name, ()):
            heappush(heap, (metres + length, other))
    return found
