"""The ground plan in kilometres around the town centre, x east, y north, and its way onto the map.

The layout is fictional; the seed bends it. Nothing here knows about sensors.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import cos, hypot, pi, sin

from simulator.noise import Noise

LAT, LON = 52.7105, -0.9312
_KM_PER_DEGREE = 111.2
_COS_LAT = 0.6058
_BOROUGH_KM = 11.0

Point = tuple[float, float]

RING_QUARTERS = ("north", "east", "south", "west")
RADIALS = (
    ("north", "Harrow Lane"),
    ("north", "Priory Road"),
    ("east", "Fen Road"),
    ("east", "Lenwick Road"),
    ("south", "London Road"),
    ("south", "Abbot's Way"),
    ("west", "Quarry Road"),
    ("west", "Shire Road"),
)
STREETS = (("west", "Market Street"), ("west", "Bridge Street"), ("east", "Station Street"), ("east", "Corn Street"))


@dataclass(frozen=True, slots=True)
class Road:
    """A carriageway in the direction of travel, with its area and its class (primary, secondary, tertiary)."""

    name: str
    area: str
    road_class: str
    points: tuple[Point, ...]
    lanes: int
    free_flow: float  # km/h
    lane_capacity: float  # veh/h
    inbound: float  # share of the morning peak, 0..1
    borough: int = 0

    @property
    def km(self) -> float:
        return sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(self.points))

    def at(self, share: float) -> Point:
        """The point after a share (0..1) of the road's length."""
        rest = share * self.km
        for a, b in pairwise(self.points):
            piece = hypot(b[0] - a[0], b[1] - a[1])
            if rest <= piece and piece > 0:
                return (a[0] + (b[0] - a[0]) * rest / piece, a[1] + (b[1] - a[1]) * rest / piece)
            rest -= piece
        return self.points[-1]


@dataclass(frozen=True, slots=True)
class Ground:
    """All that is drawn, in kilometres."""

    roads: tuple[Road, ...]
    districts: dict[str, tuple[Point, ...]]
    river: tuple[Point, ...]
    parks: dict[str, tuple[Point, ...]] = field(default_factory=dict)


def lay_out(seed: int, districts: tuple[str, ...], boroughs: int = 1) -> Ground:
    """A town, or a conurbation of several boroughs, each laid out like a town; the first has the plain names."""
    first = _lay_out_one(seed, districts)
    roads, shapes = list(first.roads), dict(first.districts)
    for k in range(1, boroughs):
        x, y = centre_of(k)
        other = _lay_out_one(seed + k, tuple(in_borough(k, name) for name in districts))
        roads += [
            replace(
                road, name=f"{road.name} {k + 1}", area=in_borough(k, road.area), borough=k,
                points=tuple((px + x, py + y) for px, py in road.points),
            )
            for road in other.roads
        ]  # fmt: skip
        shapes |= {name: tuple((px + x, py + y) for px, py in shape) for name, shape in other.districts.items()}
    return Ground(tuple(roads), shapes, first.river, first.parks)


def in_borough(borough: int, name: str) -> str:
    """The name of a place in a borough: ``ring-north``, ``b2-ring-north``."""
    return name if borough == 0 else f"b{borough + 1}-{name}"


def centre_of(borough: int) -> Point:
    """Boroughs stand in a square spiral round the first."""
    x = y = 0
    dx, dy = 0, -1
    for _ in range(borough):
        if x == y or (x < 0 and x == -y) or (x > 0 and x == 1 - y):
            dx, dy = -dy, dx
        x, y = x + dx, y + dy
    return (_BOROUGH_KM * x, _BOROUGH_KM * y)


def _lay_out_one(seed: int, districts: tuple[str, ...]) -> Ground:
    """Ring road (clockwise carriageway), eight roads into town, four streets in the centre, river, parks, districts."""
    noise = Noise(seed, "ground")
    wobble = [noise.fraction("ring", k) * 2 * pi for k in range(3)]

    def radius(angle: float) -> float:
        waves = (
            0.20 * sin(2 * angle + wobble[0]) + 0.12 * sin(3 * angle + wobble[1]) + 0.05 * sin(5 * angle + wobble[2])
        )
        return 2.6 + waves

    def polar(angle: float, share: float) -> Point:
        return (share * radius(angle) * sin(angle), share * radius(angle) * cos(angle))

    def arc(start: float, end: float, share: float) -> tuple[Point, ...]:
        return tuple(polar(start + (end - start) * k / 24, share) for k in range(25))

    roads = [
        Road(f"Ring Road {name.title()}", f"ring-{name}", "primary", arc(a, a + pi / 2, 1.0), 2, 80.0, 1_850.0, 0.5)
        for name, a in zip(RING_QUARTERS, (-pi / 4, pi / 4, 3 * pi / 4, 5 * pi / 4), strict=True)
    ]
    for k, (side, name) in enumerate(RADIALS):
        angle = -pi / 8 + k * pi / 4 + 0.12 * (noise.fraction(name, 0) - 0.5)
        bend = 0.10 * (noise.fraction(name, 1) - 0.5)
        points = tuple(polar(angle + bend * sin(3 * step / 4), 1.9 - 1.66 * step / 8) for step in range(9))
        roads.append(Road(name, f"roads-{side}", "secondary", points, 1, 64.0, 1_450.0, 0.5 + 0.3 * (-1) ** k))
    for (side, name), (start, end) in zip(
        STREETS,
        (
            ((-0.55, -0.5), (-0.25, 0.6)),
            ((-0.6, 0.3), (0.0, 0.2)),
            ((0.1, 0.2), (0.65, 0.35)),
            ((0.2, -0.55), (0.3, 0.6)),
        ),
        strict=True,
    ):
        roads.append(Road(name, f"centre-{side}", "tertiary", (start, end), 1, 46.0, 900.0, 0.55))
    river = tuple((-6 + 0.5 * k, 0.9 * sin(0.5 * k + wobble[0]) + 0.35 * sin(1.3 * k) - 0.8) for k in range(25))
    parks = {
        "Priory Park": _disc((-1.25, 1.1), 0.38, wobble[1]),
        "Castle Meadow": _disc((0.95, -1.2), 0.45, wobble[2]),
        "Lenwick Common": _disc((3.4, 1.6), 0.55, wobble[0]),
    }
    around = len(districts) - 1
    shapes = {districts[0]: arc(0, 2 * pi, 0.32)}
    for k, name in enumerate(districts[1:]):
        a, b = 2 * pi * k / around, 2 * pi * (k + 1) / around
        shapes[name] = (*arc(a, b, 1.35), *reversed(arc(a, b, 0.32)))
    return Ground(tuple(roads), shapes, river, parks)


def _disc(centre: Point, size: float, turn: float) -> tuple[Point, ...]:
    steps = [2 * pi * k / 20 for k in range(20)]
    radii = [size * (1 + 0.18 * sin(2 * a + turn) + 0.1 * sin(3 * a)) for a in steps]
    return tuple((centre[0] + r * cos(a), centre[1] + 0.8 * r * sin(a)) for a, r in zip(steps, radii, strict=True))


def middle(shape: tuple[Point, ...]) -> Point:
    """Where a label goes: half way out in the direction of the shape."""
    x, y = sum(p[0] for p in shape) / len(shape), sum(p[1] for p in shape) / len(shape)
    return (x, y)


def lat_lon(point: Point) -> tuple[float, float]:
    """WGS84 degrees, rounded to about 1 m."""
    return round(LAT + point[1] / _KM_PER_DEGREE, 5), round(LON + point[0] / (_KM_PER_DEGREE * _COS_LAT), 5)


def metres(a: Point, b: Point) -> float:
    return 1_000 * hypot(a[0] - b[0], a[1] - b[1])
