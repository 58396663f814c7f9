"""Everything that can be made to happen, in one table: name, class, cause, where it may be, how strong it may be.

``make(target, start_ms, end_ms, strength)`` builds any of them. Scenarios, their schema and the demo read this table.
"""

from collections.abc import Callable
from dataclasses import dataclass

from domain.errors import Misconfigured
from simulator.events import EVENTS, WorldEvent
from simulator.faults import FAULTS, SensorFault
from simulator.plan import Town
from simulator.transport import TRANSPORT, TransportFault
from simulator.world_event import TOWN

Item = WorldEvent | SensorFault | TransportFault


@dataclass(frozen=True, slots=True)
class Strength:
    """What the fourth argument means: its unit, inclusive bounds, what is taken when nothing is said."""

    unit: str
    lower: float
    upper: float
    default: float
    means: str


@dataclass(frozen=True, slots=True)
class Kind:
    """One row. ``cause`` is world, sensor or transport; ``targets`` are keys of :data:`PLACES`, any will do."""

    name: str
    make: Callable[[str, int, int, float], Item]
    cause: str
    targets: tuple[str, ...]
    strength: Strength

    @property
    def title(self) -> str:
        """One sentence, the first of the class's own words."""
        return (self.make.__doc__ or self.name).partition("\n")[0].strip()

    def check(self, town: Town, target: str, strength: float) -> None:
        """Raises: Misconfigured: the town has no such place for this kind, or the strength is out of bounds."""
        if not any(target in PLACES[place](town) for place in self.targets):
            some = PLACES[self.targets[0]](town)
            shown = ", ".join(sorted(some)[:3])
            raise Misconfigured(f"{self.name} at {target}: give a {' or a '.join(self.targets)}, such as {shown}")
        if not self.strength.lower <= strength <= self.strength.upper:
            s, unit = self.strength, "" if self.strength.unit == "1" else f" {self.strength.unit}"
            raise Misconfigured(f"{self.name} with strength {strength:g}{unit}: give {s.lower:g} to {s.upper:g}{unit}")


def _sensors_of(group: str, town: Town) -> set[str]:
    return {sensor.sensor for sensor in town.sensors if sensor.sensor.startswith(group)}


#: kind of place → the names of all such places of a town
PLACES: dict[str, Callable[[Town], set[str]]] = {
    "loop": lambda town: _sensors_of("loop-", town),
    "meter": lambda town: _sensors_of("meter-", town),
    "sensor": lambda town: _sensors_of("", town),
    "series": lambda town: set(town.series),
    "road area": lambda town: {site.sensor.area for site in town.loops},
    "neighbourhood": lambda town: {site.sensor.area for site in town.stations},
    "substation": lambda town: {site.sensor.area for site in town.meters},
    "substation with lamps": lambda town: {m.sensor.area for m in town.meters if m.customer == "lighting"},
    "substation with solar roof": lambda town: {m.sensor.area for m in town.meters if m.customer == "school"},
    "area": lambda town: set(town.areas),
    "town": lambda town: {TOWN},
}

_SHARE = Strength("1", 0.05, 1.0, 0.8, "share of the whole effect")
_LOST = Strength("1", 0.05, 1.0, 0.8, "share of the capacity lost")
_THICK = Strength("1", 0.05, 4.0, 0.6, "1 is a heavy one")
_DEVIATION = Strength("1", 0.05, 5.0, 1.0, "in large deviations of the quantity")
_NONE = Strength("1", 0.05, 5.0, 1.0, "without effect")
_DELAY = Strength("ms", 1_000, 3_600_000, 240_000, "longest additional delay")
_READINGS = Strength("1", 0.01, 1.0, 0.3, "share of the readings")

_LAMPS, _SOLAR = "substation with lamps", "substation with solar roof"
_WHERE: dict[str, tuple[tuple[str, ...], Strength]] = {
    "crash": (("loop",), _LOST),
    "stopped-vehicle": (("loop",), _SHARE),
    "roadworks": (("loop",), _SHARE),
    "burst-main": (("loop",), Strength("1", 0.5, 1.0, 1.0, "share of the road closed")),
    "event-crowd": (("road area",), Strength("1", 0.05, 2.0, 0.5, "additional demand, share of the roads' capacity")),
    "fog": (("road area", "town"), _SHARE),
    "ice": (("road area", "town"), _SHARE),
    "pollution-episode": (("neighbourhood",), _THICK),
    "construction-dust": (("neighbourhood",), _THICK),
    "bonfire-night": (("town", "neighbourhood"), _THICK),
    "saharan-dust": (("town",), _THICK),
    "inversion": (("town", "neighbourhood"), _THICK),
    "feeder-fault": (("substation",), Strength("1", 0.05, 1.0, 1.0, "share of the load that is off")),
    "overload": (("substation",), Strength("1", 0.05, 3.0, 0.8, "additional load, share of the usual")),
    "voltage-sag": (("substation",), Strength("1", 0.02, 0.9, 0.15, "share of the voltage lost")),
    "lighting-stuck-on": ((_LAMPS,), Strength("1", 0.05, 1.0, 1.0, "share of the lamps")),
    "pv-trip": ((_SOLAR,), Strength("1", 0.05, 1.0, 1.0, "share of the roofs")),
    "stuck": (("sensor", "series"), _NONE),
    "drift": (("sensor", "series"), _DEVIATION),
    "spike": (("sensor", "series"), _DEVIATION),
    "noise": (("sensor", "series"), _DEVIATION),
    "offset": (("sensor", "series"), _DEVIATION),
    "gain": (("sensor", "series"), Strength("1", -1.5, 5.0, 1.0, "1 reads half too much")),
    "clipped": (("sensor", "series"), Strength("1", 0.05, 1.9, 1.0, "1 saturates at half of the last good value")),
    "damped": (("sensor", "series"), Strength("1", 0.05, 1.1, 1.0, "1 leaves a tenth of every movement")),
    "intermittent": (("sensor", "series"), _READINGS),
    "drop-out": (("sensor", "series"), _NONE),
    "card-off": (("loop",), _NONE),
    "silent": (("sensor", "series"), _NONE),
    "swapped-channels": (("sensor",), _NONE),
    "wrong-unit": (("sensor", "series"), _NONE),
    "clock-skew": (("sensor",), Strength("s", -86_400, 86_400, 300, "how far the stamps are ahead")),
    "battery-decline": (("sensor",), _DEVIATION),
    "counter-reset": (("meter",), _NONE),
    "counter-rollover": (("meter",), Strength("kWh", 0.0, 1e6, 0.5, "counted before the register is full")),
    "counter-swap": (("meter",), Strength("kWh", 0.0, 1e6, 12.0, "on the new meter")),
    "late": (("area",), _DELAY),
    "out-of-order": (("area",), _DELAY),
    "duplicate": (("area",), _DELAY),
    "burst": (("area",), _NONE),
    "lost": (("area",), _READINGS),
    "feed-down": (("area",), _NONE),
    "corrupt": (("area",), _READINGS),
}

KINDS: dict[str, Kind] = {
    name: Kind(name, make, cause, *_WHERE[name])
    for cause, table in (("world", EVENTS), ("sensor", FAULTS), ("transport", TRANSPORT))
    for name, make in table.items()
}
