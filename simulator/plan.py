"""The town: where its roads run, which sensors stand where, and what each of them measures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, cos, pi, sin
from typing import Any

import numpy as np

from domain.errors import Misconfigured
from domain.sensors import Link, Sensor
from simulator import geometry
from simulator.geometry import Ground, Point, Road
from simulator.noise import Noise

NAME = "Lenbridge"
SIZE_MIN, SIZE_MAX = 20, 100_000
AREA_SENSORS_MAX = 24
BOROUGH_SENSORS = 240  # a larger town has several boroughs
NEIGHBOURHOODS = ("Old Town", "Millbrook", "Eastgate", "Castle Meadow", "Southfields", "Quarry Hill", "Priory")
SUBSTATIONS = ("Harrow Lane", "Lenwick", "Castle Meadow", "Abbot's Way", "Quarry Hill", "Market")

TRAFFIC = ("traffic.flow", "traffic.speed", "traffic.occupancy")
AIR = ("air.no2", "air.pm25", "air.pm10", "air.o3")
ENERGY = ("energy.active_power", "energy.energy_import", "energy.voltage")


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop detector site: ``road`` it lies on and how far along it, km."""

    sensor: Sensor
    road: Road
    along_km: float
    point: Point


@dataclass(frozen=True, slots=True)
class Station:
    """An air station; ``roadside`` 0..1 says how much of the traffic it breathes, ``near`` are its nearest loops."""

    sensor: Sensor
    point: Point
    roadside: float
    near: tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Meter:
    """An energy meter and the kind of customer behind it (a row of ``simulator.energy.KINDS``).

    ``main`` is the row of the main feeder that supplies it and measures it too; None for a main feeder itself.
    """

    sensor: Sensor
    customer: str
    main: int | None = None


@dataclass(frozen=True)
class Town:
    """A fictional town. The same seed and size give the same town."""

    seed: int
    ground: Ground
    loops: tuple[Loop, ...]
    stations: tuple[Station, ...]
    meters: tuple[Meter, ...]
    links: list[Link]
    name: str = NAME

    @cached_property
    def sensors(self) -> list[Sensor]:
        return [*(s.sensor for s in self.loops), *(s.sensor for s in self.stations), *(s.sensor for s in self.meters)]

    @cached_property
    def series(self) -> list[str]:
        """Every series, sensor by sensor."""
        return [f"{sensor.sensor}/{quantity}" for sensor in self.sensors for quantity in self.quantities(sensor)]

    def quantities(self, sensor: Sensor) -> tuple[str, ...]:
        """What a sensor of the town measures."""
        return {"loop": TRAFFIC, "air": AIR, "meter": ENERGY}[sensor.sensor.partition("-")[0]]

    @cached_property
    def areas(self) -> list[str]:
        return list(dict.fromkeys(sensor.area for sensor in self.sensors))

    @cached_property
    def _by_name(self) -> dict[str, Sensor]:
        return {sensor.sensor: sensor for sensor in self.sensors}

    def sensor(self, name: str) -> Sensor:
        """Raises: Misconfigured: the town has no such sensor."""
        found = self._by_name.get(name)
        if found is not None:
            return found
        raise Misconfigured(f"no sensor {name} in {self.name}; it has {self.sensors[0].sensor} and others")

    def map(self) -> dict[str, Any]:
        """A GeoJSON FeatureCollection, drawn in its order: districts, parks, river, roads, labels.

        Properties: ``kind`` (district, park, river, road, label), ``name``, for roads ``road_class`` and ``area``.
        """
        ground = self.ground
        features = [_polygon("district", name, shape) for name, shape in ground.districts.items()]
        features += [_polygon("park", name, shape) for name, shape in ground.parks.items()]
        features.append(_feature("river", "River Len", "LineString", _line(ground.river)))
        features += [
            _feature("road", r.name, "LineString", _line(r.points), road_class=r.road_class, area=r.area)
            for r in ground.roads
        ]
        labels = {name: geometry.middle(shape) for name, shape in (ground.districts | ground.parks).items()}
        features += [_feature("label", name, "Point", _line([point])[0]) for name, point in labels.items()]
        return {"type": "FeatureCollection", "name": self.name, "features": features}


def plan_town(seed: int, size: int = 120) -> Town:
    """A town with ``size`` sensors: half of them loops, a sixth air stations, the rest meters.

    Raises:
        Misconfigured: ``size`` is not from 20 to 100,000.
    """
    if not SIZE_MIN <= size <= SIZE_MAX:
        raise Misconfigured(f"town size {size}: give {SIZE_MIN} to {SIZE_MAX} sensors")
    boroughs = max(1, round(size / BOROUGH_SENSORS))
    ground = geometry.lay_out(seed, NEIGHBOURHOODS, boroughs)
    loops = _place_loops(ground, size // 2)
    stations = _place_stations(seed, ground, loops, size // 6)
    meters = _place_meters(seed, size - size // 2 - size // 6, boroughs)
    return Town(seed, ground, loops, stations, meters, _link(loops))


def _place_loops(ground: Ground, count: int) -> tuple[Loop, ...]:
    """Loops go where the road is long: evenly along each road, at least one on each while they last."""
    roads = ground.roads
    weights = [{"primary": 1.5, "secondary": 1.05, "tertiary": 3.0}[road.road_class] * road.km for road in roads]
    shares = _share_out(count, weights)
    counts: dict[str, int] = {}
    for road, share in zip(roads, shares, strict=True):
        counts[road.area] = counts.get(road.area, 0) + share
    loops: list[Loop] = []
    met: dict[str, int] = {}
    for road, share in zip(roads, shares, strict=True):
        for k in range(share):
            along = (k + 0.5) / share
            point = road.at(along)
            lat, lon = geometry.lat_lon(point)
            met[road.area] = met.get(road.area, 0) + 1
            name = f"loop-{len(loops) + 1:03d}"
            sensor = Sensor(
                name, _area(road.area, met[road.area], counts[road.area]), lat, lon, 60.0,
                f"{road.name}, junction {k + 1}", f"{name}-cabinet", road.road_class, road.free_flow,
                extra={"lanes": str(road.lanes)},
            )  # fmt: skip
            loops.append(Loop(sensor, road, along * road.km, point))
    return tuple(loops)


def _area(name: str, nth: int, count: int) -> str:
    """Large areas are divided, so that what is judged together stays small: ``ring-north``, else ``ring-north-2``."""
    parts = ceil(count / AREA_SENSORS_MAX)
    return name if parts == 1 else f"{name}-{(nth - 1) * parts // count + 1}"


def _share_out(count: int, weights: Sequence[float]) -> list[int]:
    """Whole shares that add up to ``count``, by largest remainder."""
    total = sum(weights)
    exact = [count * weight / total for weight in weights]
    shares = [int(share) for share in exact]
    by_rest = sorted(range(len(weights)), key=lambda k: (shares[k] - exact[k], k))
    for k in by_rest[: count - sum(shares)]:
        shares[k] += 1
    return shares


def _link(loops: Sequence[Loop]) -> list[Link]:
    """From each loop to the next on its road, round the ring, and from a road into town to the nearest street."""
    by_road: dict[str, list[Loop]] = {}
    for loop in loops:
        by_road.setdefault(loop.road.name, []).append(loop)
    pairs = [pair for chain in by_road.values() for pair in pairwise(chain)]
    boroughs: dict[int, list[list[Loop]]] = {}
    for chain in by_road.values():
        boroughs.setdefault(chain[0].road.borough, []).append(chain)
    for chains in boroughs.values():
        ring = [chain for chain in chains if chain[0].road.road_class == "primary"]
        if len(ring) > 1:
            pairs += [(a[-1], b[0]) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)]
        streets = [chain[0] for chain in chains if chain[0].road.road_class == "tertiary"]
        for end in (chain[-1] for chain in chains):
            if streets and end.road.road_class == "secondary":
                pairs.append((end, min(streets, key=lambda street: geometry.metres(end.point, street.point))))
    return [
        Link(a.sensor.sensor, b.sensor.sensor, round(max(20.0, geometry.metres(a.point, b.point) * 1.05), 1))
        for a, b in pairs
    ]


def _place_stations(seed: int, ground: Ground, loops: Sequence[Loop], count: int) -> tuple[Station, ...]:
    noise = Noise(seed, "stations")
    per_area = _share_out(count, [1.0] * len(ground.districts))
    stations: list[Station] = []
    place = np.array([loop.point for loop in loops])
    borough_of = np.array([loop.road.borough for loop in loops])
    for nth, (area_name, share) in enumerate(zip(ground.districts, per_area, strict=True)):
        centre = geometry.middle(ground.districts[area_name])
        here = np.flatnonzero(borough_of == nth // len(NEIGHBOURHOODS))
        here = here if len(here) else np.arange(len(loops))
        for k in range(share):
            number = len(stations) + 1
            name = f"air-{number:03d}"
            point = (
                centre[0] + 0.9 * (noise.fraction(name, 0) - 0.5),
                centre[1] + 0.9 * (noise.fraction(name, 1) - 0.5),
            )
            away = np.hypot(place[here, 0] - point[0], place[here, 1] - point[1])
            by_distance = here[np.argsort(away, kind="stable")[:3]].tolist()
            roadside = 0.25 + 0.75 * noise.fraction(name, 2)
            lat, lon = geometry.lat_lon(point)
            sensor = Sensor(
                name, _area(_slug(area_name), k + 1, share), lat, lon, 60.0 if number % 3 == 0 else 300.0,
                f"{area_name}, {'kerbside' if roadside > 0.6 else 'background'} station {k + 1}", f"{name}-analyser",
            )  # fmt: skip
            near = (by_distance * 3)[:3]
            stations.append(Station(sensor, point, roadside, (near[0], near[1], near[2])))
    return tuple(stations)


_CUSTOMERS = (
    ("substation", "main feeder", 1_600.0),
    ("homes", "homes feeder", 320.0),
    ("offices", "offices", 260.0),
    ("homes", "homes feeder", 280.0),
    ("lighting", "street lighting", 45.0),
    ("vehicles", "vehicle charging", 150.0),
    ("school", "school with solar roof", 120.0),
)


def _place_meters(seed: int, count: int, boroughs: int) -> tuple[Meter, ...]:
    noise = Noise(seed, "meters")
    places = [(borough, at, name) for borough in range(boroughs) for at, name in enumerate(SUBSTATIONS)]
    per_area = _share_out(count, [1.0] * len(places))
    meters: list[Meter] = []
    for (borough, at, substation), share in zip(places, per_area, strict=True):
        angle = 2 * pi * (at + 0.3) / len(SUBSTATIONS)
        x, y = geometry.centre_of(borough)
        main = len(meters)
        for k in range(share):
            customer, what, rated = _CUSTOMERS[k % len(_CUSTOMERS)]
            main = len(meters) if customer == "substation" else main
            name = f"meter-{len(meters) + 1:03d}"
            reach = 1.5 + 0.7 * noise.fraction(name, 0)
            turn = angle + 0.8 * (noise.fraction(name, 1) - 0.5)
            lat, lon = geometry.lat_lon((x + reach * sin(turn), y + reach * cos(turn)))
            rated_kw = round(rated * (0.8 + 0.4 * noise.fraction(name, 2)))
            area = _area(geometry.in_borough(borough, f"substation-{_slug(substation)}"), k + 1, share)
            place = f"{substation} substation, {what} {k + 1}"
            sensor = Sensor(name, area, lat, lon, 60.0, place, f"{name}-panel", rated_kw=float(rated_kw))
            meters.append(Meter(sensor, customer, None if customer == "substation" else main))
    return tuple(meters)


def _slug(name: str) -> str:
    return name.lower().replace("'", "").replace(" ", "-")


def _line(points: Sequence[Point]) -> list[list[float]]:
    """GeoJSON wants longitude first."""
    return [[lon, lat] for lat, lon in (geometry.lat_lon(point) for point in points)]


def _polygon(kind: str, name: str, shape: Sequence[Point]) -> dict[str, Any]:
    ring = _line(shape)
    return _feature(kind, name, "Polygon", [[*ring, ring[0]]])


def _feature(kind: str, name: str, shape: str, coordinates: Any, **more: str) -> dict[str, Any]:
    properties = {"kind": kind, "name": name, **more}
    return {"type": "Feature", "properties": properties, "geometry": {"type": shape, "coordinates": coordinates}}
