"""The register of sensors: where each stands, which area it belongs to, how often it reports."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from domain.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Sensor:
    """One row of the sensors table; optional columns are None when absent, other columns are kept in ``extra``."""

    sensor: str
    area: str
    lat: float | None = None
    lon: float | None = None
    interval_s: float | None = None  # None: learned from the data
    place: str | None = None
    asset: str | None = None
    road_class: str | None = None
    free_flow_speed: float | None = None  # km/h
    rated_kw: float | None = None
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def asset_name(self) -> str:
        """The machine that is maintained: the ``asset`` column, else the sensor itself."""
        return self.asset or self.sensor


@dataclass(frozen=True, slots=True)
class Link:
    """An edge of the road graph: one can drive from sensor or node ``source`` to ``target`` in ``metres``."""

    source: str
    target: str
    metres: float


@dataclass(frozen=True, slots=True)
class Event:
    """A maintenance event: ``kind`` is failure, repair or inspection; ``time`` in epoch ms."""

    time: int
    asset: str
    kind: str


class SensorRegister:
    """Looks sensors up by name; an unknown one is None, or gets an area of its own where that is allowed."""

    def __init__(self, sensors: Iterable[Sensor] = (), links: Iterable[Link] = ()) -> None:
        self._by_name: dict[str, Sensor] = {}
        self.links = tuple(links)
        for sensor in sensors:
            if sensor.sensor in self._by_name:
                raise Misconfigured(f"sensors table: sensor {sensor.sensor} stands twice")
            self._by_name[sensor.sensor] = sensor

    def find(self, name: str) -> Sensor | None:
        """The sensor's row, or None when it is not registered."""
        return self._by_name.get(name)

    def __iter__(self) -> Iterator[Sensor]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)


class OpenRegister(SensorRegister):
    """A register that takes every sensor: an unknown one becomes an area of its own, with learned defaults."""

    def find(self, name: str) -> Sensor:
        sensor = self._by_name.get(name)
        if sensor is None:
            sensor = self._by_name[name] = Sensor(name, area=name)
        return sensor
